//! The circuit breaker of a tenant's flow, and the way back from a canary that fails.

use serde_json::json;
use uuid::Uuid;

use super::running;
use crate::lanes::Stage;
use crate::webhooks::types;
use crate::{Error, Store};

/// What came of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// The tenant's events wait since now.
    Now,
    /// They waited already.
    Before,
    /// Another version, or another plugin, is in charge: nothing changes.
    NotInCharge,
}

impl Store {
    /// Lets the tenant's events wait, as long as this version of this flow is in charge. A built-in flow has no digest.
    pub async fn pause_flow(
        &self,
        tenant_id: Uuid,
        flow: &str,
        digest: Option<&str>,
        reason: &str,
    ) -> Result<Paused, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary key. A run may fail long after its version has made room for another.
        let paused = sqlx::query!(
            "update tenants set flow_paused_at = $4, flow_paused_reason = $5
             where id = $1 and flow = $2 and flow_digest is not distinct from $3 and flow_paused_at is null",
            tenant_id,
            flow,
            digest,
            now,
            reason.replace('\0', "\u{fffd}")
        )
        .execute(&mut *tx)
        .await?;
        if paused.rows_affected() == 0 {
            // Primary key.
            let waits = sqlx::query_scalar!(
                r#"select flow_paused_at is not null as "waits!" from tenants
                   where id = $1 and flow = $2 and flow_digest is not distinct from $3"#,
                tenant_id,
                flow,
                digest
            )
            .fetch_optional(&mut *tx)
            .await?;
            return Ok(if waits == Some(true) { Paused::Before } else { Paused::NotInCharge });
        }
        // A built-in plugin has no history.
        if let Some(digest) = digest {
            running::note(&mut tx, tenant_id, flow, ("pause", Some(digest), Some(reason)), now).await?;
        }
        let mut notices = self.notices();
        notices.other(
            tenant_id,
            types::FLOW_PAUSED,
            &now.timestamp_micros().to_string(),
            now,
            || json!({ "plugin": flow, "digest": digest, "reason": reason }),
        );
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(Paused::Now)
    }

    /// Lets the tenant's events go on, in order, when this flow is in charge. `false` when they did not wait for it.
    pub async fn resume_flow(&self, tenant_id: Uuid, flow: &str) -> Result<bool, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        // Primary key.
        let resumed = sqlx::query!(
            "update tenants set flow_paused_at = null, flow_paused_reason = null
             where id = $1 and flow = $2 and flow_paused_at is not null",
            tenant_id,
            flow
        )
        .execute(&mut *tx)
        .await?;
        if resumed.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(digest) = &running.flow_digest {
            running::note(&mut tx, tenant_id, &running.flow, ("resume", Some(digest), None), now).await?;
        }
        wake_lanes(&mut tx, tenant_id, now).await?;
        let told = self.tell_resumed(&mut tx, tenant_id, (flow, running.flow_digest.as_deref()), now).await?;
        tx.commit().await?;
        self.wakes.flow.notify_one();
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(true)
    }

    /// Tells that the tenant's events go on, with this flow. Gives whether anybody is told: the caller wakes the stage
    /// after the commit then.
    pub(super) async fn tell_resumed(
        &self,
        db: &mut sqlx::PgConnection,
        tenant_id: Uuid,
        (flow, digest): (&str, Option<&str>),
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<bool, sqlx::Error> {
        let mut notices = self.notices();
        notices.other(
            tenant_id,
            types::FLOW_RESUMED,
            &now.timestamp_micros().to_string(),
            now,
            || json!({ "plugin": flow, "digest": digest }),
        );
        notices.write(db, now).await
    }

    /// Ends a trial: all conversations are the active version's again. Does nothing unless this version is the canary
    /// still. Gives whether it was.
    pub async fn canary_failed(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        digest: &str,
        reason: &str,
    ) -> Result<bool, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary keys.
        let ended = sqlx::query!(
            "update tenants t set flow_canary_digest = null, flow_canary_percent = 0,
                    flow_wants = coalesce((select v.events from plugin_versions v
                                           where v.tenant_id = $1 and v.plugin = $2 and v.digest = t.flow_digest),
                                          t.flow_wants)
             where t.id = $1 and t.flow = $2 and t.flow_digest is not null and t.flow_canary_digest = $3",
            tenant_id,
            plugin,
            digest
        )
        .execute(&mut *tx)
        .await?;
        let ended = ended.rows_affected() > 0;
        if ended {
            running::note(&mut tx, tenant_id, plugin, ("canary-failed", Some(digest), Some(reason)), now).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    /// Writes down that a conversation's state could not be handed to this version.
    pub async fn note_migration_failed(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        digest: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let mut db = self.pool.acquire().await?;
        let what = ("migration-failed", Some(digest), Some(reason));
        running::note(&mut db, tenant_id, plugin, what, self.ambient.now()).await?;
        Ok(())
    }
}

/// Makes the tenant's lanes of the flow stage ready, but for those that have an owner: events that are being run end
/// as they began. The order within a lane is that of its events.
pub(super) async fn wake_lanes(
    db: &mut sqlx::PgConnection,
    tenant_id: Uuid,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), sqlx::Error> {
    // Primary key, by its first column. Locked in its order, as everywhere; a statement of its own, so that the next
    // sees what others wrote before it got the locks.
    sqlx::query!(
        "select contact_id from lanes where tenant_id = $1 and stage = $2 order by contact_id for update",
        tenant_id,
        Stage::Flow as i16
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!(
        "update lanes set ready_at = $3
         where tenant_id = $1 and stage = $2 and ready_at > $3 and lease_token = 0",
        tenant_id,
        Stage::Flow as i16,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
