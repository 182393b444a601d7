//! Channels as delivery needs them: the number to send from, its token, and what Meta refuses of it.

mod reported;

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::lanes::{LaneKey, Stage};
use crate::suspended_templates::TemplateSuspension;
use crate::webhooks::types;
use crate::{Error, Store, channel_tokens};

/// A number to send from.
#[derive(Debug)]
pub struct Sender {
    /// `whatsapp`, `messenger` or `instagram`.
    pub kind: String,
    /// Meta's id of the number, page or Instagram account.
    pub phone_number_id: String,
    /// Meta's id of the business account, when it is known.
    pub waba_id: Option<String>,
    /// Instagram: the page that the account is linked to.
    pub page_id: Option<String>,
    /// Its access token.
    pub token: Sealed,
    /// Messages per second, when it has a rate of its own.
    pub rate: Option<f64>,
    /// Messages per second of all that its tenant sends, when that has a quota of its own.
    pub tenant_rate: Option<f64>,
    /// When a message of a number that is suspended was tried last, and why it is.
    pub suspended: Option<(DateTime<Utc>, String)>,
    /// Templates of the account that are not tried at present.
    pub templates: Vec<TemplateSuspension>,
}

/// A channel whose row the transaction has locked.
struct Locked {
    tenant_id: Uuid,
    id: Uuid,
    phone_number_id: String,
    is_suspended: bool,
}

impl Store {
    /// The number of a channel, with its token and its tenant's quota.
    pub async fn sender(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<Option<Sender>, Error> {
        // Primary keys.
        let row = sqlx::query!(
            "select c.kind, c.phone_number_id, c.waba_id, c.page_id, c.token_sealed, c.token_key_id,
                    c.messages_per_second, t.messages_per_second as tenant_rate,
                    case when c.suspended_at is not null then greatest(c.suspended_at, c.taken_at) end as tried_at,
                    c.suspended_reason
             from channels c join tenants t on t.id = c.tenant_id
             where c.tenant_id = $1 and c.id = $2",
            tenant_id,
            channel_id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut templates = self.suspended_templates(tenant_id).await?;
        templates.retain(|one| one.waba_id == row.waba_id);
        Ok(Some(Sender {
            kind: row.kind,
            phone_number_id: row.phone_number_id,
            waba_id: row.waba_id,
            page_id: row.page_id,
            token: Sealed { key_id: row.token_key_id, bytes: row.token_sealed },
            rate: row.messages_per_second,
            tenant_rate: row.tenant_rate,
            suspended: row.tried_at.map(|at| (at, row.suspended_reason.unwrap_or_default())),
            templates,
        }))
    }

    /// Marks a channel as refused by Meta, with the latest reason: Meta refused a request with this `token`, or, without
    /// one, a status reports a message that Meta had taken as failed. What Meta said to a `token` that is not the channel's
    /// any more does not count.
    pub async fn suspend_channel(
        &self,
        tenant_id: Uuid,
        channel_id: Uuid,
        token: Option<&Sealed>,
        reason: &str,
    ) -> Result<(), Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary key.
        let before = sqlx::query!(
            r#"select suspended_at is not null as "suspended!", phone_number_id, token_sealed from channels
               where tenant_id = $1 and id = $2 for no key update"#,
            tenant_id,
            channel_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(before) = before else { return Ok(()) };
        if token.is_some_and(|token| token.bytes != before.token_sealed) {
            return Ok(());
        }
        sqlx::query!(
            "update channels set suspended_at = $3, suspended_reason = $4, taken_at = $5
             where tenant_id = $1 and id = $2",
            tenant_id,
            channel_id,
            now,
            reason,
            token.is_none().then_some(now)
        )
        .execute(&mut *tx)
        .await?;
        let mut notices = self.notices();
        if !before.suspended {
            let cause = format!("{channel_id}/{}", now.timestamp_micros());
            notices.other(
                tenant_id,
                types::CHANNEL_SUSPENDED,
                &cause,
                now,
                || json!({ "channelId": channel_id, "phoneNumberId": before.phone_number_id, "reason": reason }),
            );
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(())
    }

    /// Lets a channel send again, with another token or rate if one is given, and makes what waits for it ready. False
    /// when the tenant has no such number. The caller wakes delivery, once nobody remembers the channel as it was.
    pub async fn resume_channel(
        &self,
        tenant_id: Uuid,
        phone_number_id: &str,
        token: Option<&Sealed>,
        rate: Option<f64>,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        // Index channels_phone_number_id.
        let channel = sqlx::query_as!(
            Locked,
            r#"select tenant_id, id, phone_number_id, suspended_at is not null as "is_suspended!" from channels
               where tenant_id = $1 and phone_number_id = $2 for no key update"#,
            tenant_id,
            phone_number_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(channel) = channel else { return Ok(false) };
        self.let_go(tx, channel, token, rate).await?;
        Ok(true)
    }

    /// Ends what keeps a channel from sending, and commits.
    async fn let_go(
        &self,
        mut tx: Transaction<'_, Postgres>,
        channel: Locked,
        token: Option<&Sealed>,
        rate: Option<f64>,
    ) -> Result<(), Error> {
        let now = self.ambient.now();
        let Locked { tenant_id, id: channel_id, phone_number_id, is_suspended } = channel;
        // Primary key.
        sqlx::query!(
            "update channels set suspended_at = null, suspended_reason = null, taken_at = null,
                 token_sealed = coalesce($3, token_sealed), token_key_id = coalesce($4, token_key_id),
                 messages_per_second = coalesce($5, messages_per_second)
             where tenant_id = $1 and id = $2",
            tenant_id,
            channel_id,
            token.map(|token| token.bytes.as_slice()),
            token.map(|token| token.key_id.as_str()),
            rate
        )
        .execute(&mut *tx)
        .await?;
        // What was known of the former token is forgotten, and what was warned of is over.
        let warned_at = match token {
            Some(_) => channel_tokens::begin(&mut tx, tenant_id, channel_id, now).await?,
            None => None,
        };
        ready_waiting(&mut tx, tenant_id, channel_id, now).await?;
        let mut notices = self.notices();
        if is_suspended {
            let cause = format!("{channel_id}/{}", now.timestamp_micros());
            notices.other(
                tenant_id,
                types::CHANNEL_RESUMED,
                &cause,
                now,
                || json!({ "channelId": channel_id, "phoneNumberId": phone_number_id }),
            );
        }
        if let Some(raised_at) = warned_at {
            let cause = format!("{channel_id}/{}", raised_at.timestamp_micros());
            notices.other(tenant_id, types::ALERT_RESOLVED, &cause, now, || {
                json!({
                    "alert": types::ALERT_TOKEN_EXPIRING, "channelId": channel_id, "phoneNumberId": phone_number_id,
                    "raisedAt": raised_at,
                })
            });
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(())
    }

    /// Makes what waits of a contact for a channel ready, if that is not suspended: for who has put a message off while it
    /// was resumed. Gives whether it is not.
    pub async fn ready_if_resumed(&self, lane: LaneKey, channel_id: Uuid) -> Result<bool, Error> {
        let LaneKey { tenant_id, contact_id } = lane;
        let mut tx = self.pool.begin().await?;
        // Primary key. The lock waits for a resumption that has looked at the lanes and is not committed yet.
        let works = sqlx::query_scalar!(
            r#"select suspended_at is null as "works!" from channels where tenant_id = $1 and id = $2 for share"#,
            tenant_id,
            channel_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        if works != Some(true) {
            return Ok(false);
        }
        // As in `ready_waiting`, but for a mailing each of its messages may ask this. Primary keys.
        sqlx::query!(
            "select contact_id from lanes where tenant_id = $1 and contact_id = $2 and stage = 1 for update",
            tenant_id,
            contact_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        sqlx::query!(
            "update lanes set ready_at = $4
             where tenant_id = any (array[$1::uuid]) and contact_id = $2 and stage = 1 and lease_token < 1 and ready_at > $4
               and (select bool_or(channel_id = $3) and bool_and(state = 'queued') from outbox
                    where tenant_id = $1 and contact_id = $2)",
            tenant_id,
            contact_id,
            channel_id,
            self.ambient.now()
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Makes what waits for the channel ready. What has an owner, or waits for a status, is left alone.
async fn ready_waiting(
    db: &mut PgConnection,
    tenant_id: Uuid,
    channel_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Index lanes_waiting, all of the tenant's, and the primary key of outbox for each. A statement of its own, so that the
    // next sees what has become of the messages before it got the locks: one may wait for a status by then.
    let waiting = sqlx::query_scalar!(
        "select l.contact_id from lanes l
         cross join lateral (
             select bool_or(channel_id = $2) as waits from outbox
             where tenant_id = l.tenant_id and contact_id = l.contact_id
         ) as o
         where l.stage::integer = $3 and l.lease_token = 0 and l.tenant_id = $1 and l.ready_at > $4 and o.waits
         order by l.contact_id for update of l",
        tenant_id,
        channel_id,
        Stage::Delivery as i32,
        now
    )
    .fetch_all(&mut *db)
    .await?;
    // Primary keys.
    sqlx::query!(
        "update lanes l set ready_at = $4
         from (select $1::uuid as tenant_id, k.contact_id, 1::smallint as stage
               from unnest($2::uuid[]) as k (contact_id)
               cross join lateral (
                   select bool_or(channel_id = $3) and bool_and(state = 'queued') as waits from outbox
                   where tenant_id = $1 and contact_id = k.contact_id
               ) as o
               where o.waits
               order by k.contact_id) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage
           and l.lease_token < 1 and l.ready_at > $4",
        tenant_id,
        &waiting,
        channel_id,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
