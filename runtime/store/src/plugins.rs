//! Tenants' plugins, their versions, configurations and secrets.
//!
//! A version is immutable and named by the digest of its component; a configuration is immutable and named by a
//! number. What a tenant runs is in its row of `tenants`, which every change here locks first: changes of one tenant
//! come one after the other, and each is one transaction. The lock leaves foreign keys to the row alone, so no
//! webhook waits for it.

mod breaker;
mod history;
mod lifecycle;
mod running;
mod secrets;
mod settings;
mod trial;
mod versions;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use breaker::Paused;
pub use lifecycle::{Activate, Rolled};
pub use secrets::{SecretName, open_secret, seal_secret};
pub use trial::KeptState;
pub use versions::{Inserted, MOST_BYTES, MOST_PLUGINS, MOST_VERSIONS, NewVersion};

use crate::{Error, Store};

/// A tenant's plugin, and what of it is in use.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// The name that the tenant gave it.
    pub name: String,
    /// `flow` or `template`.
    pub world: String,
    /// Its configuration: JSON text of an object.
    pub config: String,
    /// Which configuration that is; none is `{}`.
    pub config_id: Option<i64>,
    /// Hosts that its `http-request` actions may call.
    pub hosts: Vec<String>,
    /// When it was uploaded first.
    pub created_at: DateTime<Utc>,
    /// The version in charge, when the plugin is in use.
    pub active: Option<String>,
    /// The version on trial.
    pub canary: Option<String>,
    /// The percentage of conversations that the version on trial gets.
    pub canary_percent: i16,
    /// Since when the tenant's events wait because this plugin kept failing.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why they wait.
    pub paused_reason: Option<String>,
}

/// A version of a plugin, without its component.
#[derive(Debug, Clone)]
pub struct Version {
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// From the manifest.
    pub version: String,
    /// Kinds of events that it wants.
    pub events: Vec<String>,
    /// JSON Schema of its configuration: JSON text.
    pub config_schema: Option<String>,
    /// Version of the contract.
    pub contract: String,
    /// Bytes of the component.
    pub size: i32,
    /// What the component imports.
    pub imports: Vec<String>,
    /// What the component exports.
    pub exports: Vec<String>,
    /// How long the upload's compilation took, in microseconds.
    pub compile_micros: i64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// Something that happened to what a tenant runs.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The version that it was about, when it was about one.
    pub digest: Option<String>,
    /// `activate`, `rollback`, `canary`, `promote`, `canary-failed`, `deactivate`, `pause`, `resume` or
    /// `migration-failed`.
    pub action: String,
    /// Why, when there is more to say.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a change was not made. The texts are for the tenant's developers.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such plugin.
    #[error("the tenant has no plugin {0}")]
    NoPlugin(String),
    /// There is no such version.
    #[error("plugin {plugin} has no version {digest}")]
    NoVersion {
        /// The plugin.
        plugin: String,
        /// The digest.
        digest: String,
    },
    /// The plugin's other versions are of the other world.
    #[error("{name} is a {found} plugin; upload this {given} plugin under another name")]
    OtherWorld {
        /// The plugin.
        name: String,
        /// The world of its versions.
        found: String,
        /// The world of this one.
        given: String,
    },
    /// Renderers are not tried on a share of the conversations.
    #[error("{0} renders templates; it has no canary: activate the version whole")]
    NoCanary(String),
    /// A limit of what a tenant may keep.
    #[error("{0}")]
    TooMuch(String),
    /// It is in use.
    #[error("{0}")]
    InUse(String),
    /// It is not in use.
    #[error("plugin {0} is not active; activate a version first")]
    NotActive(String),
    /// There is nothing to go back to.
    #[error("no other version of {0} was active before; activate the version that you want")]
    NothingBefore(String),
    /// Somebody else changed it between the check and the change.
    #[error("what the tenant runs was changed meanwhile; look at it and try again")]
    ChangedMeanwhile,
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for ChangeError {
    fn from(error: sqlx::Error) -> Self {
        ChangeError::Store(error.into())
    }
}

impl Store {
    /// A tenant's plugins by name, or only the one of this name.
    pub async fn plugins(&self, tenant_id: Uuid, name: Option<&str>) -> Result<Vec<Plugin>, Error> {
        // Primary keys.
        let plugins = sqlx::query_as!(
            Plugin,
            r#"select p.name, p.world, coalesce(c.config::text, '{}') as "config!", p.config_id, p.hosts,
                      p.created_at,
                      case when t.flow = p.name and p.world = 'flow' then t.flow_digest
                           when t.renderer = p.name and p.world = 'template' then t.renderer_digest end as active,
                      case when t.flow = p.name and t.flow_digest is not null then t.flow_canary_digest end as canary,
                      case when t.flow = p.name and t.flow_digest is not null then t.flow_canary_percent
                           else 0::smallint end as "canary_percent!",
                      case when t.flow = p.name and t.flow_digest is not null then t.flow_paused_at end as paused_at,
                      case when t.flow = p.name and t.flow_digest is not null then t.flow_paused_reason
                           end as paused_reason
               from tenants t
               join plugins p on p.tenant_id = t.id
               left join plugin_configs c on c.tenant_id = p.tenant_id and c.id = p.config_id
               where t.id = $1 and ($2::text is null or p.name = $2)
               order by p.name"#,
            tenant_id,
            name
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(plugins)
    }

    /// The versions of a plugin, newest first.
    pub async fn plugin_versions(&self, tenant_id: Uuid, plugin: &str) -> Result<Vec<Version>, Error> {
        // Primary key.
        let versions = sqlx::query_as!(
            Version,
            "select digest, version, events, config_schema::text as config_schema, contract, size, imports, exports,
                    compile_micros, created_at
             from plugin_versions where tenant_id = $1 and plugin = $2 order by created_at desc, digest",
            tenant_id,
            plugin
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(versions)
    }

    /// What happened to a plugin, newest first.
    pub async fn plugin_activations(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        limit: i64,
    ) -> Result<Vec<Activation>, Error> {
        // Primary key, backwards.
        let activations = sqlx::query_as!(
            Activation,
            "select digest, action, reason, at from plugin_activations
             where tenant_id = $1 and plugin = $2 order by id desc limit $3",
            tenant_id,
            plugin,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(activations)
    }

    /// The component of a version, or `None`. `digest` in hex.
    pub async fn plugin_component(&self, tenant_id: Uuid, name: &str, digest: &str) -> Result<Option<Vec<u8>>, Error> {
        // Primary key.
        let component = sqlx::query_scalar!(
            "select component from plugin_versions where tenant_id = $1 and plugin = $2 and digest = $3",
            tenant_id,
            name,
            digest
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(component)
    }

    /// The configuration of a built-in flow: JSON text; `{}` unless it is in charge of the tenant's events.
    pub async fn builtin_config(&self, tenant_id: Uuid, flow: &str) -> Result<String, Error> {
        // Primary keys.
        let config = sqlx::query_scalar!(
            r#"select c.config::text as "config!" from tenants t
               join plugin_configs c on c.tenant_id = t.id and c.id = t.flow_config_id
               where t.id = $1 and t.flow = $2 and t.flow_digest is null"#,
            tenant_id,
            flow
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(config.unwrap_or_else(|| "{}".to_owned()))
    }

    /// A configuration: JSON text. `{}` without an id.
    pub async fn plugin_config(&self, tenant_id: Uuid, id: Option<i64>) -> Result<String, Error> {
        let Some(id) = id else { return Ok("{}".to_owned()) };
        // Primary key.
        let config = sqlx::query_scalar!(
            r#"select config::text as "config!" from plugin_configs where tenant_id = $1 and id = $2"#,
            tenant_id,
            id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(config)
    }
}
