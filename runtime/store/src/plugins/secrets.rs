//! Secrets of plugins: sealed, bound to tenant, plugin and name, and never shown.

use chrono::{DateTime, Utc};
use hoopoe_secrets::{MasterKey, Sealed};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{ChangeError, running};
use crate::{Error, Store};

/// Most secrets of a plugin.
const MOST: i64 = 100;

/// A secret as it is shown: without its value.
#[derive(Debug, Clone)]
pub struct SecretName {
    /// Its name.
    pub name: String,
    /// When it was set last.
    pub updated_at: DateTime<Utc>,
}

/// Seals a plugin's secret. `nonce` must be fresh random bytes. [`open_secret`] opens it for the same tenant, plugin and
/// name only: a row that is copied to another place says nothing there.
pub fn seal_secret(
    key: &MasterKey,
    tenant_id: Uuid,
    (plugin, name): (&str, &str),
    value: &SecretString,
    nonce: [u8; 12],
) -> Sealed {
    // The seal binds the tenant; plugin and name are sealed along, in front. Neither can contain a line break.
    let whole = SecretString::from(format!("{plugin}\n{name}\n{}", value.expose_secret()));
    key.seal(tenant_id, &whole, nonce)
}

/// Opens what [`seal_secret`] sealed.
pub fn open_secret(
    key: &MasterKey,
    tenant_id: Uuid,
    (plugin, name): (&str, &str),
    sealed: &Sealed,
) -> Result<SecretString, hoopoe_secrets::Error> {
    let whole = key.open(tenant_id, sealed)?;
    let rest = whole.expose_secret().strip_prefix(plugin).and_then(|rest| rest.strip_prefix('\n'));
    let value = rest.and_then(|rest| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix('\n'));
    value.map(SecretString::from).ok_or(hoopoe_secrets::Error::Altered)
}

impl Store {
    /// Sets or replaces a secret. At most 100 per plugin.
    pub async fn put_plugin_secret(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        name: &str,
        sealed: &Sealed,
    ) -> Result<(), ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        running::lock(&mut tx, tenant_id).await?;
        if running::plugin(&mut tx, tenant_id, plugin).await?.is_none() {
            return Err(ChangeError::NoPlugin(plugin.to_owned()));
        }
        // Primary key, by its first columns.
        let others = sqlx::query_scalar!(
            r#"select count(*) as "count!" from plugin_secrets where tenant_id = $1 and plugin = $2 and name <> $3"#,
            tenant_id,
            plugin,
            name
        )
        .fetch_one(&mut *tx)
        .await?;
        if others >= MOST {
            let message = format!("a plugin has at most {MOST} secrets; delete one that is not used");
            return Err(ChangeError::TooMuch(message));
        }
        sqlx::query!(
            "insert into plugin_secrets (tenant_id, plugin, name, sealed, key_id, updated_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (tenant_id, plugin, name) do update
             set sealed = excluded.sealed, key_id = excluded.key_id, updated_at = excluded.updated_at",
            tenant_id,
            plugin,
            name,
            sealed.bytes,
            sealed.key_id,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a secret; `false` when there was none.
    pub async fn delete_plugin_secret(&self, tenant_id: Uuid, plugin: &str, name: &str) -> Result<bool, Error> {
        // Primary key.
        let deleted = sqlx::query!(
            "delete from plugin_secrets where tenant_id = $1 and plugin = $2 and name = $3",
            tenant_id,
            plugin,
            name
        )
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// The names of a plugin's secrets.
    pub async fn plugin_secret_names(&self, tenant_id: Uuid, plugin: &str) -> Result<Vec<SecretName>, Error> {
        // Primary key, by its first columns.
        let names = sqlx::query_as!(
            SecretName,
            "select name, updated_at from plugin_secrets where tenant_id = $1 and plugin = $2 order by name",
            tenant_id,
            plugin
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(names)
    }

    /// The sealed values of those of these secrets that there are, by name.
    pub async fn plugin_secrets(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        names: &[String],
    ) -> Result<Vec<(String, Sealed)>, Error> {
        // Primary key.
        let rows = sqlx::query!(
            "select name, sealed, key_id from plugin_secrets
             where tenant_id = $1 and plugin = $2 and name = any ($3::text[])",
            tenant_id,
            plugin,
            names
        )
        .fetch_all(&self.pool)
        .await?;
        let secrets = rows.into_iter().map(|row| (row.name, Sealed { key_id: row.key_id, bytes: row.sealed }));
        Ok(secrets.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_in_its_place_only() {
        let key = MasterKey::new("0123456789abcdef0123456789abcdef".to_owned().into()).expect("it is long enough");
        let (tenant, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = seal_secret(&key, tenant, ("shop", "API_KEY"), &"a\nb".to_owned().into(), [7; 12]);
        let open = |tenant, place| open_secret(&key, tenant, place, &sealed);
        assert_eq!(open(tenant, ("shop", "API_KEY")).expect("it opens").expose_secret(), "a\nb");
        for (tenant, place) in [
            (other, ("shop", "API_KEY")),
            (tenant, ("shop2", "API_KEY")),
            (tenant, ("sho", "API_KEY")),
            (tenant, ("shop", "API")),
            (tenant, ("shop", "API_KEY2")),
            (tenant, ("shop", "API_KEY\na")),
            (tenant, ("", "")),
        ] {
            let opened = open(tenant, place).map(|value| value.expose_secret().to_owned());
            assert_ne!(opened.as_deref().ok(), Some("a\nb"), "{place:?}");
            if !place.1.contains('\n') {
                assert_eq!(opened.err(), Some(hoopoe_secrets::Error::Altered), "{place:?}");
            }
        }
    }
}
