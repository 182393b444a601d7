//! What Meta says of the channels' access tokens: when it was asked, what it answered, when it is asked again.
//!
//! What is known belongs to one token: a new one begins without. Several processes may look at the same time: a claim
//! moves a row to the end of a lease, and an answer is kept only while its token is the channel's.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::webhooks::types;
use crate::{Error, Store};

/// What is known of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenState {
    /// When Meta has answered last; absent when this token was not checked yet.
    pub checked_at: Option<DateTime<Utc>>,
    /// Whether Meta takes it; absent when that is not known.
    pub valid: Option<bool>,
    /// Why it is not valid, or why nobody knows.
    pub reason: Option<String>,
    /// Absent: never, or not known.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the permission of its user runs out; absent: never, or not known.
    pub data_access_expires_at: Option<DateTime<Utc>>,
    /// What it permits.
    pub scopes: Vec<String>,
    /// Meta's id of the app that it was made for.
    pub app_id: Option<String>,
}

/// A token whose turn it is.
#[derive(Debug)]
pub struct TokenCheck {
    /// Whose it is.
    pub tenant_id: Uuid,
    /// The number's channel.
    pub channel_id: Uuid,
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// The token.
    pub token: Sealed,
}

impl TokenState {
    /// What runs out first.
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at.into_iter().chain(self.data_access_expires_at).min()
    }
}

/// Nothing is known of the channel's token, and it is to be checked at once, if the channel is one of WhatsApp: others are
/// not checked. Gives since when the tenant is warned of the one before.
pub(crate) async fn begin(
    db: &mut PgConnection,
    tenant_id: Uuid,
    channel_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let warned_at = warned_since(&mut *db, tenant_id, channel_id).await?;
    sqlx::query!(
        "insert into channel_tokens (tenant_id, channel_id, check_at) select tenant_id, id, $3 from channels
         where tenant_id = $1 and id = $2 and kind = 'whatsapp'
         on conflict (tenant_id, channel_id) do update set check_at = $3, checked_at = null, valid = null,
             reason = null, expires_at = null, data_access_expires_at = null, scopes = default, app_id = null,
             warned_at = null",
        tenant_id,
        channel_id,
        now
    )
    .execute(db)
    .await?;
    Ok(warned_at)
}

/// Locks the row, if there is one.
async fn warned_since(
    db: &mut PgConnection,
    tenant_id: Uuid,
    channel_id: Uuid,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // Primary key.
    let warned_at = sqlx::query_scalar!(
        "select warned_at from channel_tokens where tenant_id = $1 and channel_id = $2 for update",
        tenant_id,
        channel_id
    );
    Ok(warned_at.fetch_optional(db).await?.flatten())
}

impl Store {
    /// Queues the check of every channel of WhatsApp that has none, of all tenants: those that a process of the release before has
    /// registered. Gives how many there were.
    pub async fn adopt_tokens(&self) -> Result<u64, Error> {
        let adopted = sqlx::query!(
            "insert into channel_tokens (tenant_id, channel_id, check_at)
             select c.tenant_id, c.id, $1 from channels c
             where c.kind = 'whatsapp' and not exists (select from channel_tokens k where k.tenant_id = c.tenant_id and k.channel_id = c.id)
             on conflict (tenant_id, channel_id) do nothing",
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        Ok(adopted.rows_affected())
    }

    /// Takes tokens whose turn it is, for `lease`.
    pub async fn claim_token_checks(&self, limit: i64, lease: TimeDelta) -> Result<Vec<TokenCheck>, Error> {
        let now = self.ambient.now();
        // Index channel_tokens_due, then primary keys.
        let rows = sqlx::query!(
            r#"with unchecked as (
                   select tenant_id, channel_id from channel_tokens where check_at <= $1
                   order by check_at limit $3 for update skip locked
               )
               update channel_tokens k set check_at = $2
               from unchecked u join channels c on c.tenant_id = u.tenant_id and c.id = u.channel_id
               where k.tenant_id = u.tenant_id and k.channel_id = u.channel_id
               returning k.tenant_id, k.channel_id, c.phone_number_id, c.token_sealed, c.token_key_id"#,
            now,
            now + lease,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let check = rows.into_iter().map(|row| TokenCheck {
            tenant_id: row.tenant_id,
            channel_id: row.channel_id,
            phone_number_id: row.phone_number_id,
            token: Sealed { key_id: row.token_key_id, bytes: row.token_sealed },
        });
        Ok(check.collect())
    }

    /// Keeps what Meta said of a token, unless the channel has another one by now, and warns the tenant when it ends
    /// within `warning`: once, and once more on the last day. False when the channel has another token.
    pub async fn keep_token_state(
        &self,
        checked: &TokenCheck,
        state: &TokenState,
        next: DateTime<Utc>,
        warning: TimeDelta,
    ) -> Result<bool, Error> {
        let TokenCheck { tenant_id, channel_id, .. } = *checked;
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary keys. The channel's lock keeps its token as it is.
        let current = sqlx::query_scalar!(
            "select token_sealed from channels where tenant_id = $1 and id = $2 for share",
            tenant_id,
            channel_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        if current.as_ref() != Some(&checked.token.bytes) {
            return Ok(false);
        }
        let warned_at = warned_since(&mut tx, tenant_id, channel_id).await?;
        let ends_at = state.ends_at().filter(|_| state.valid == Some(true));
        let last_day = TimeDelta::days(1).min(warning);
        let warns = ends_at.is_some_and(|end| match warned_at {
            None => end - now <= warning,
            Some(at) => end - now <= last_day && end - at > last_day,
        });
        let warned_at = if warns { Some(now) } else { warned_at };
        sqlx::query!(
            "insert into channel_tokens (tenant_id, channel_id, check_at, checked_at, valid, reason, expires_at,
                 data_access_expires_at, scopes, app_id, warned_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (tenant_id, channel_id) do update set check_at = $3, checked_at = $4, valid = $5, reason = $6,
                 expires_at = $7, data_access_expires_at = $8, scopes = $9, app_id = $10, warned_at = $11",
            tenant_id,
            channel_id,
            next,
            state.checked_at,
            state.valid,
            state.reason,
            state.expires_at,
            state.data_access_expires_at,
            &state.scopes,
            state.app_id,
            warned_at
        )
        .execute(&mut *tx)
        .await?;
        let mut notices = self.notices();
        if let (true, Some(end)) = (warns, ends_at) {
            tracing::warn!(tenant = %tenant_id, number = checked.phone_number_id, %end, "an access token expires");
            let cause = format!("{channel_id}/{}", now.timestamp_micros());
            notices.other(tenant_id, types::ALERT_TOKEN_EXPIRING, &cause, now, || {
                json!({
                    "alert": types::ALERT_TOKEN_EXPIRING, "channelId": channel_id,
                    "phoneNumberId": checked.phone_number_id, "expiresAt": state.expires_at,
                    "dataAccessExpiresAt": state.data_access_expires_at, "raisedAt": now,
                })
            });
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(true)
    }

    /// Meta could not be asked: what is known stays, and the next look is at `next`.
    pub async fn put_off_token_check(
        &self,
        checked: &TokenCheck,
        reason: &str,
        next: DateTime<Utc>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "update channel_tokens set check_at = $3, reason = case when checked_at is null then $4 else reason end
             where tenant_id = $1 and channel_id = $2",
            checked.tenant_id,
            checked.channel_id,
            next,
            reason
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A channel of WhatsApp with its token, by Meta's id of the number.
    pub async fn token_of(&self, tenant_id: Uuid, phone_number_id: &str) -> Result<Option<TokenCheck>, Error> {
        // Index channels_phone_number_id.
        let row = sqlx::query!(
            "select id, token_sealed, token_key_id from channels
             where tenant_id = $1 and phone_number_id = $2 and kind = 'whatsapp'",
            tenant_id,
            phone_number_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| TokenCheck {
            tenant_id,
            channel_id: row.id,
            phone_number_id: phone_number_id.to_owned(),
            token: Sealed { key_id: row.token_key_id, bytes: row.token_sealed },
        }))
    }
}
