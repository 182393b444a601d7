//! What a tenant runs, read and written under the lock of its row.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What a tenant runs.
#[derive(Debug)]
pub(super) struct Running {
    pub flow: String,
    pub flow_digest: Option<String>,
    pub canary: Option<String>,
    pub renderer: Option<String>,
    pub renderer_digest: Option<String>,
    pub paused: bool,
}

impl Running {
    /// The version of this plugin that is in charge.
    pub fn active(&self, plugin: &str, world: &str) -> Option<&str> {
        match world {
            "template" => self.renderer_digest.as_deref().filter(|_| self.renderer.as_deref() == Some(plugin)),
            _ => self.flow_digest.as_deref().filter(|_| self.flow == plugin),
        }
    }

    /// The version of this plugin that is on trial.
    pub fn canary(&self, plugin: &str) -> Option<&str> {
        self.canary.as_deref().filter(|_| self.flow == plugin && self.flow_digest.is_some())
    }
}

/// A plugin's row.
#[derive(Debug)]
pub(super) struct Row {
    pub world: String,
    pub config_id: Option<i64>,
}

/// Locks the tenant until the transaction ends. Foreign keys to it are not in the way.
pub(super) async fn lock(db: &mut PgConnection, tenant_id: Uuid) -> Result<Running, sqlx::Error> {
    // Primary key.
    sqlx::query_as!(
        Running,
        r#"select flow, flow_digest, flow_canary_digest as canary, renderer, renderer_digest,
                  flow_paused_at is not null as "paused!"
           from tenants where id = $1 for no key update"#,
        tenant_id
    )
    .fetch_one(db)
    .await
}

pub(super) async fn plugin(db: &mut PgConnection, tenant_id: Uuid, name: &str) -> Result<Option<Row>, sqlx::Error> {
    // Primary key.
    sqlx::query_as!(Row, "select world, config_id from plugins where tenant_id = $1 and name = $2", tenant_id, name)
        .fetch_optional(db)
        .await
}

/// The events that a version wants; `None` when there is no such version.
pub(super) async fn events(
    db: &mut PgConnection,
    tenant_id: Uuid,
    plugin: &str,
    digest: &str,
) -> Result<Option<Vec<String>>, sqlx::Error> {
    // Primary key.
    sqlx::query_scalar!(
        "select events from plugin_versions where tenant_id = $1 and plugin = $2 and digest = $3",
        tenant_id,
        plugin,
        digest
    )
    .fetch_optional(db)
    .await
}

/// Writes down what happened to a plugin. For built-in plugins, which have no row, nothing is written.
pub(super) async fn note(
    db: &mut PgConnection,
    tenant_id: Uuid,
    plugin: &str,
    (action, digest, reason): (&str, Option<&str>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Primary key of plugins.
    sqlx::query!(
        "insert into plugin_activations (tenant_id, plugin, digest, action, reason, at)
         select tenant_id, name, $3, $4, $5, $6 from plugins where tenant_id = $1 and name = $2",
        tenant_id,
        plugin,
        digest,
        action,
        reason.map(|reason| reason.replace('\0', "\u{fffd}")),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
