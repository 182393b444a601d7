//! Versions come and go: uploads and deletions.

use uuid::Uuid;

use super::{ChangeError, running};
use crate::Store;

/// Most plugins of a tenant.
pub const MOST_PLUGINS: i64 = 50;
/// Most versions of a plugin.
pub const MOST_VERSIONS: i64 = 1000;
/// Most bytes of all components of a tenant.
pub const MOST_BYTES: i64 = 1 << 30;

/// A version to keep.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The name of the plugin; it is created with its first version.
    pub plugin: String,
    /// `flow` or `template`.
    pub world: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// From the manifest.
    pub version: String,
    /// Kinds of events that it wants, as in the contract.
    pub events: Vec<String>,
    /// JSON Schema of its configuration: JSON text.
    pub config_schema: Option<String>,
    /// Version of the contract.
    pub contract: String,
    /// What the component imports.
    pub imports: Vec<String>,
    /// What the component exports.
    pub exports: Vec<String>,
    /// How long it took to compile, in microseconds.
    pub compile_micros: i64,
    /// The component.
    pub component: Vec<u8>,
}

/// What an upload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The version is new.
    New,
    /// The plugin had this component already.
    Known,
}

impl Store {
    /// Keeps a version, and its plugin when this is the first. The same component again changes nothing.
    pub async fn insert_plugin_version(&self, tenant_id: Uuid, new: &NewVersion) -> Result<Inserted, ChangeError> {
        let now = self.ambient.now();
        let size = i32::try_from(new.component.len())
            .map_err(|_| ChangeError::TooMuch("a component of 2 GiB or more cannot be kept".to_owned()))?;
        let mut tx = self.pool.begin().await?;
        running::lock(&mut tx, tenant_id).await?;
        match running::plugin(&mut tx, tenant_id, &new.plugin).await? {
            Some(row) if row.world != new.world => {
                let (name, given) = (new.plugin.clone(), new.world.clone());
                return Err(ChangeError::OtherWorld { name, found: row.world, given });
            }
            Some(_) if running::events(&mut tx, tenant_id, &new.plugin, &new.digest).await?.is_some() => {
                return Ok(Inserted::Known);
            }
            _ => {}
        }
        // Primary keys, by their first columns.
        let kept = sqlx::query!(
            r#"select (select count(*) from plugins where tenant_id = $1 and name <> $2) as "plugins!",
                      (select count(*) from plugin_versions where tenant_id = $1 and plugin = $2) as "versions!",
                      (select coalesce(sum(size), 0) from plugin_versions where tenant_id = $1) as "bytes!""#,
            tenant_id,
            new.plugin
        )
        .fetch_one(&mut *tx)
        .await?;
        let too_much = if kept.plugins >= MOST_PLUGINS {
            Some(format!("a tenant has at most {MOST_PLUGINS} plugins; delete one that is not used"))
        } else if kept.versions >= MOST_VERSIONS {
            Some(format!("a plugin has at most {MOST_VERSIONS} versions; delete old ones"))
        } else if kept.bytes + i64::from(size) > MOST_BYTES {
            Some(format!("a tenant's versions have at most {MOST_BYTES} bytes in all; delete old ones"))
        } else {
            None
        };
        if let Some(message) = too_much {
            return Err(ChangeError::TooMuch(message));
        }
        sqlx::query!(
            "insert into plugins (tenant_id, name, world, created_at) values ($1, $2, $3, $4) on conflict do nothing",
            tenant_id,
            new.plugin,
            new.world,
            now
        )
        .execute(&mut *tx)
        .await?;
        // The newest is the one that was uploaded last, whatever the clocks say.
        sqlx::query!(
            "insert into plugin_versions (tenant_id, plugin, digest, version, events, config_schema, contract, size,
                                          imports, exports, compile_micros, component, created_at)
             values ($1, $2, $3, $4, $5, $6::text::json, $7, $8, $9, $10, $11, $12,
                     greatest($13, (select max(created_at) + interval '1 microsecond' from plugin_versions
                                    where tenant_id = $1 and plugin = $2)))",
            tenant_id,
            new.plugin,
            new.digest,
            new.version,
            &new.events,
            new.config_schema,
            new.contract,
            size,
            &new.imports,
            &new.exports,
            new.compile_micros,
            new.component,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Inserted::New)
    }

    /// Deletes a version. Refused while it is active or on trial. Conversations whose state it left keep it: whatever
    /// version takes them over is handed that state and the version's number.
    pub async fn delete_plugin_version(&self, tenant_id: Uuid, plugin: &str, digest: &str) -> Result<(), ChangeError> {
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        let row = running::plugin(&mut tx, tenant_id, plugin).await?;
        let row = row.ok_or_else(|| ChangeError::NoPlugin(plugin.to_owned()))?;
        if running.active(plugin, &row.world) == Some(digest) {
            let advice = "activate another version or deactivate the plugin first";
            return Err(ChangeError::InUse(format!("version {digest} of {plugin} is active; {advice}")));
        }
        if running.canary(plugin) == Some(digest) {
            let advice = "end the canary with a rollback first";
            return Err(ChangeError::InUse(format!("version {digest} of {plugin} is the canary; {advice}")));
        }
        // Primary key.
        let deleted = sqlx::query!(
            "delete from plugin_versions where tenant_id = $1 and plugin = $2 and digest = $3",
            tenant_id,
            plugin,
            digest
        )
        .execute(&mut *tx)
        .await?;
        if deleted.rows_affected() == 0 {
            return Err(ChangeError::NoVersion { plugin: plugin.to_owned(), digest: digest.to_owned() });
        }
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a plugin with its versions, secrets and history. Refused while it is active.
    pub async fn delete_plugin(&self, tenant_id: Uuid, plugin: &str) -> Result<(), ChangeError> {
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        let row = running::plugin(&mut tx, tenant_id, plugin).await?;
        let row = row.ok_or_else(|| ChangeError::NoPlugin(plugin.to_owned()))?;
        if running.active(plugin, &row.world).is_some() {
            return Err(ChangeError::InUse(format!("plugin {plugin} is active; deactivate it first")));
        }
        // Primary keys, by their first columns. Configurations stay: runs name the one that they had.
        sqlx::query!("delete from plugin_secrets where tenant_id = $1 and plugin = $2", tenant_id, plugin)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("delete from plugin_activations where tenant_id = $1 and plugin = $2", tenant_id, plugin)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("delete from plugin_versions where tenant_id = $1 and plugin = $2", tenant_id, plugin)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("delete from plugins where tenant_id = $1 and name = $2", tenant_id, plugin)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
