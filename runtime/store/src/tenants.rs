//! Tenants, their channels and their API keys.

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use uuid::Uuid;

use crate::channel_tokens::TokenState;
use crate::numbers::{self, NewNumber};
use crate::suspended_templates::TemplateSuspension;
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
    /// Messages per second of all that it sends, when it has a quota of its own.
    pub rate: Option<f64>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Its numbers, oldest first.
    pub channels: Vec<Channel>,
    /// Templates that Meta has paused or disabled and that are not tried at present, of all accounts.
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
    /// Messages per second, when it has a rate of its own.
    pub rate: Option<f64>,
    /// Sends go out by it that name no number.
    pub is_default: bool,
    /// What is known of its access token.
    pub token: TokenState,
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
        let number = NewNumber {
            phone_number_id: &new.phone_number_id,
            waba_id: new.waba_id.as_deref(),
            display_phone_number: None,
            token: &new.token,
            rate: None,
        };
        let channel = numbers::insert(&mut tx, (new.tenant_id, self.ambient.id()), &number, now).await;
        if channel.map_err(Error::from)?.is_none() {
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
        // Primary key.
        let row = sqlx::query!(
            "select id, name, flow, default_channel_id, messages_per_second, created_at from tenants where id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        // Primary keys, by tenant.
        let channels = sqlx::query!(
            r#"select c.id, c.kind, c.phone_number_id, c.waba_id, c.display_phone_number, c.suspended_reason,
                      c.messages_per_second, c.created_at, k.checked_at as "checked_at?", k.valid as "valid?",
                      k.reason as "reason?", k.expires_at as "expires_at?",
                      k.data_access_expires_at as "data_access_expires_at?", k.scopes as "scopes?",
                      k.app_id as "app_id?"
               from channels c
               left join channel_tokens k on k.tenant_id = c.tenant_id and k.channel_id = c.id
               where c.tenant_id = $1 order by c.created_at, c.id"#,
            id
        )
        .fetch_all(&self.pool)
        .await?;
        // The one that was chosen, else the oldest.
        let chosen = channels.iter().find(|channel| Some(channel.id) == row.default_channel_id);
        let default = chosen.or(channels.first()).map(|channel| channel.id);
        let channels = channels
            .into_iter()
            .map(|channel| Channel {
                is_default: default == Some(channel.id),
                id: channel.id,
                kind: channel.kind,
                phone_number_id: channel.phone_number_id,
                waba_id: channel.waba_id,
                display_phone_number: channel.display_phone_number,
                suspended_reason: channel.suspended_reason,
                rate: channel.messages_per_second,
                token: TokenState {
                    checked_at: channel.checked_at,
                    valid: channel.valid,
                    reason: channel.reason,
                    expires_at: channel.expires_at,
                    data_access_expires_at: channel.data_access_expires_at,
                    scopes: channel.scopes.unwrap_or_default(),
                    app_id: channel.app_id,
                },
                created_at: channel.created_at,
            })
            .collect();
        let suspended_templates = self.suspended_templates(id).await?;
        let (name, flow, rate, created_at) = (row.name, row.flow, row.messages_per_second, row.created_at);
        Ok(Some(Tenant { id: row.id, name, flow, rate, created_at, channels, suspended_templates }))
    }

    /// Gives a tenant a quota of its own, or none.
    pub async fn set_tenant_rate(&self, id: Uuid, rate: Option<f64>) -> Result<(), Error> {
        // Primary key.
        sqlx::query!("update tenants set messages_per_second = $2 where id = $1", id, rate).execute(&self.pool).await?;
        Ok(())
    }

    /// The tenant whose key has this digest, unless the key is revoked.
    pub async fn tenant_of_key(&self, sha256: [u8; 32]) -> Result<Option<Uuid>, Error> {
        let tenant =
            sqlx::query_scalar!("select tenant_id from api_keys where sha256 = $1 and revoked_at is null", &sha256[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(tenant)
    }

    /// The tenant's channel with this id of Meta's; when none is named its default one, else its oldest.
    pub async fn channel(&self, tenant_id: Uuid, phone_number_id: Option<&str>) -> Result<Option<Uuid>, Error> {
        let channel = sqlx::query_scalar!(
            "select c.id from channels c join tenants t on t.id = c.tenant_id
             where c.tenant_id = $1 and ($2::text is null or c.phone_number_id = $2)
             order by c.id is not distinct from t.default_channel_id desc, c.created_at, c.id limit 1",
            tenant_id,
            phone_number_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(channel)
    }
}
