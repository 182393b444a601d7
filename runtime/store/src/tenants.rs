//! Tenants, their channels and their API keys.

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use uuid::Uuid;

use crate::channels::TemplateSuspension;
use crate::{Error, Store};

/// A business.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Stable id.
    pub id: Uuid,
    /// As registered.
    pub name: String,
    /// Name of the plugin that handles its events.
    pub flow: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Its numbers, oldest first; sends go out by the first unless they name another.
    pub channels: Vec<Channel>,
    /// Templates that Meta has paused or disabled and that are not tried at present.
    pub suspended_templates: Vec<TemplateSuspension>,
}

/// One of a tenant's numbers.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Stable id.
    pub id: Uuid,
    /// `whatsapp`, `messenger` or `instagram`.
    pub kind: String,
    /// Meta's id of the number, page or Instagram account.
    pub phone_number_id: String,
    /// Meta's id of the business account.
    pub waba_id: Option<String>,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// Why Meta refuses this channel, when it does.
    pub suspended_reason: Option<String>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// A tenant to register with its first channel and key.
#[derive(Debug)]
pub struct Registration {
    /// The new tenant's id.
    pub tenant_id: Uuid,
    /// 1 to 200 characters.
    pub name: String,
    /// Meta's id of the number, unique in the installation.
    pub phone_number_id: String,
    /// Meta's id of the business account.
    pub waba_id: Option<String>,
    /// The access token.
    pub token: Sealed,
    /// First characters of the API key.
    pub key_prefix: String,
    /// Digest of the API key.
    pub key_sha256: [u8; 32],
}

/// Why a tenant was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The number belongs to a tenant already.
    #[error("phoneNumberId {0} is registered already")]
    PhoneNumberTaken(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Store {
    /// The ids of all tenants behind `after`, in their order, at most `limit`.
    pub async fn tenant_ids(&self, after: Uuid, limit: i64) -> Result<Vec<Uuid>, Error> {
        // Primary key.
        let ids = sqlx::query_scalar!("select id from tenants where id > $1 order by id limit $2", after, limit);
        Ok(ids.fetch_all(&self.pool).await?)
    }

    /// Registers tenant, channel and API key in one transaction.
    pub async fn register(&self, new: &Registration) -> Result<Tenant, RegisterError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await.map_err(Error::from)?;
        sqlx::query!("insert into tenants (id, name, created_at) values ($1, $2, $3)", new.tenant_id, new.name, now)
            .execute(&mut *tx)
            .await
            .map_err(Error::from)?;
        let inserted = sqlx::query!(
            "insert into channels
                 (tenant_id, id, phone_number_id, waba_id, token_sealed, token_key_id, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (phone_number_id) do nothing",
            new.tenant_id,
            self.ambient.id(),
            new.phone_number_id,
            new.waba_id,
            new.token.bytes,
            new.token.key_id,
            now
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::from)?;
        if inserted.rows_affected() == 0 {
            return Err(RegisterError::PhoneNumberTaken(new.phone_number_id.clone()));
        }
        sqlx::query!(
            "insert into api_keys (tenant_id, id, prefix, sha256, created_at) values ($1, $2, $3, $4, $5)",
            new.tenant_id,
            self.ambient.id(),
            new.key_prefix,
            &new.key_sha256[..],
            now
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::from)?;
        tx.commit().await.map_err(Error::from)?;
        let tenant = self.tenant(new.tenant_id).await?;
        tenant.ok_or_else(|| RegisterError::Store(sqlx::Error::RowNotFound.into()))
    }

    /// A tenant with its channels, or `None`.
    pub async fn tenant(&self, id: Uuid) -> Result<Option<Tenant>, Error> {
        let Some(row) = sqlx::query!("select id, name, flow, created_at from tenants where id = $1", id)
            .fetch_optional(&self.pool)
            .await?
        else {
            return Ok(None);
        };
        let channels = sqlx::query_as!(
            Channel,
            "select id, kind, phone_number_id, waba_id, display_phone_number, suspended_reason, created_at
             from channels where tenant_id = $1 order by created_at, id",
            id
        )
        .fetch_all(&self.pool)
        .await?;
        let suspended_templates = self.suspended_templates(id).await?;
        let (name, flow, created_at) = (row.name, row.flow, row.created_at);
        Ok(Some(Tenant { id: row.id, name, flow, created_at, channels, suspended_templates }))
    }

    /// The tenant whose key has this digest, unless the key is revoked.
    pub async fn tenant_of_key(&self, sha256: [u8; 32]) -> Result<Option<Uuid>, Error> {
        let tenant =
            sqlx::query_scalar!("select tenant_id from api_keys where sha256 = $1 and revoked_at is null", &sha256[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(tenant)
    }

    /// The tenant's channel with this phone number id, or its oldest when none is named.
    pub async fn channel(&self, tenant_id: Uuid, phone_number_id: Option<&str>) -> Result<Option<Uuid>, Error> {
        let channel = sqlx::query_scalar!(
            "select id from channels where tenant_id = $1 and ($2::text is null or phone_number_id = $2)
             order by created_at, id limit 1",
            tenant_id,
            phone_number_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(channel)
    }
}
