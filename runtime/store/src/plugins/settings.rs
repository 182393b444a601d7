//! A plugin's configuration and hosts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{ChangeError, running};
use crate::Store;

impl Store {
    /// Gives a plugin another configuration: JSON text of an object. It holds from the next event, also for versions
    /// that run. `checked` are the versions against which it was checked; the change is refused when others run by now.
    pub async fn set_plugin_config(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        config: &str,
        checked: &[String],
    ) -> Result<(), ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        let row = running::plugin(&mut tx, tenant_id, plugin).await?;
        let row = row.ok_or_else(|| ChangeError::NoPlugin(plugin.to_owned()))?;
        let mut in_use = running.active(plugin, &row.world).into_iter().chain(running.canary(plugin));
        if in_use.any(|digest| !checked.iter().any(|known| known == digest)) {
            return Err(ChangeError::ChangedMeanwhile);
        }
        let id = insert(&mut tx, tenant_id, plugin, config, now).await?;
        if running.active(plugin, &row.world).is_some() {
            point(&mut tx, tenant_id, &row.world, id).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Replaces the hosts that a plugin may call.
    pub async fn set_plugin_hosts(&self, tenant_id: Uuid, plugin: &str, hosts: &[String]) -> Result<(), ChangeError> {
        // Primary key.
        let changed =
            sqlx::query!("update plugins set hosts = $3 where tenant_id = $1 and name = $2", tenant_id, plugin, hosts)
                .execute(&self.pool)
                .await?;
        if changed.rows_affected() == 0 {
            return Err(ChangeError::NoPlugin(plugin.to_owned()));
        }
        Ok(())
    }
}

/// Keeps a configuration and gives it to a plugin.
pub(super) async fn insert(
    db: &mut PgConnection,
    tenant_id: Uuid,
    plugin: &str,
    config: &str,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "insert into plugin_configs (tenant_id, config, created_at) values ($1, $2::text::json, $3) returning id",
        tenant_id,
        config,
        now
    )
    .fetch_one(&mut *db)
    .await?;
    // Primary key.
    sqlx::query!("update plugins set config_id = $3 where tenant_id = $1 and name = $2", tenant_id, plugin, id)
        .execute(db)
        .await?;
    Ok(id)
}

/// Gives a configuration to what the tenant runs.
async fn point(db: &mut PgConnection, tenant_id: Uuid, world: &str, id: i64) -> Result<(), sqlx::Error> {
    // Primary key.
    if world == "template" {
        sqlx::query!("update tenants set renderer_config_id = $2 where id = $1", tenant_id, id).execute(db).await?;
    } else {
        sqlx::query!("update tenants set flow_config_id = $2 where id = $1", tenant_id, id).execute(db).await?;
    }
    Ok(())
}
