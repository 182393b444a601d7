//! Further numbers of a tenant, and the one that sends go out by which name none.

use hoopoe_secrets::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::tenants::RegisterError;
use crate::{Error, Store, channel_tokens};

/// A number to register.
#[derive(Debug)]
pub struct NewNumber<'a> {
    /// Meta's id of it, unique in the installation.
    pub phone_number_id: &'a str,
    /// Meta's id of the business account.
    pub waba_id: Option<&'a str>,
    /// As people write it, when it is known.
    pub display_phone_number: Option<&'a str>,
    /// Its access token.
    pub token: &'a Sealed,
    /// Messages per second, when it has a rate of its own.
    pub rate: Option<f64>,
}

/// Inserts the channel. None when the number has one already.
pub(crate) async fn insert(
    db: &mut PgConnection,
    (tenant_id, channel_id): (Uuid, Uuid),
    new: &NewNumber<'_>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let inserted = sqlx::query!(
        "insert into channels (tenant_id, id, phone_number_id, waba_id, display_phone_number, token_sealed,
             token_key_id, messages_per_second, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (phone_number_id) do nothing",
        tenant_id,
        channel_id,
        new.phone_number_id,
        new.waba_id,
        new.display_phone_number,
        new.token.bytes,
        new.token.key_id,
        new.rate,
        now
    )
    .execute(&mut *db)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(None);
    }
    channel_tokens::begin(db, tenant_id, channel_id, now).await?;
    Ok(Some(channel_id))
}

impl Store {
    /// Registers a further number of a tenant that exists. Gives its channel.
    pub async fn add_number(&self, tenant_id: Uuid, new: &NewNumber<'_>) -> Result<Uuid, RegisterError> {
        let mut tx = self.pool.begin().await.map_err(Error::from)?;
        let ids = (tenant_id, self.ambient.id());
        let channel = insert(&mut tx, ids, new, self.ambient.now()).await.map_err(Error::from)?;
        let channel = channel.ok_or_else(|| RegisterError::PhoneNumberTaken(new.phone_number_id.to_owned()))?;
        tx.commit().await.map_err(Error::from)?;
        Ok(channel)
    }

    /// Makes this the number of sends that name none. False when the tenant has no such number.
    pub async fn set_default_number(&self, tenant_id: Uuid, phone_number_id: &str) -> Result<bool, Error> {
        // Primary key; index channels_phone_number_id.
        let set = sqlx::query!(
            "update tenants t set default_channel_id = c.id from channels c
             where t.id = $1 and c.tenant_id = $1 and c.phone_number_id = $2",
            tenant_id,
            phone_number_id
        )
        .execute(&self.pool)
        .await?;
        Ok(set.rows_affected() > 0)
    }
}
