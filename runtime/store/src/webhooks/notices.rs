//! Notices in the making: gathered while a transaction goes on, written as its last statements.
//!
//! The id of a notice is derived from tenant, type and cause, so that a repeated cause makes the same one. While the
//! first is on its way, or in the history, the second is not written.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::listeners::Known;
use super::types;
use crate::Store;

/// Largest inbound message, in bytes of JSON, that a notice carries whole.
const LARGEST_RAW: i32 = 64 << 10;

/// What a transaction has to tell. Nothing is gathered that nobody wants.
pub(crate) struct Notices {
    known: Known,
    messages: Vec<OfMessage>,
    others: Vec<Other>,
}

/// Something happened to a message. What is told of it is read from the tables.
struct OfMessage {
    tenant_id: Uuid,
    message_id: Uuid,
    kind: &'static str,
    /// That it was written into.
    group_id: Option<String>,
    at: DateTime<Utc>,
}

struct Other {
    tenant_id: Uuid,
    kind: &'static str,
    id: String,
    at: DateTime<Utc>,
    data: Value,
}

impl Store {
    /// Begins to gather what a transaction has to tell.
    pub(crate) fn notices(&self) -> Notices {
        Notices { known: self.listeners.known(), messages: Vec::new(), others: Vec::new() }
    }
}

impl Notices {
    /// Whether anybody wants to be told.
    pub fn want(&self, tenant_id: Uuid, kind: &str) -> bool {
        self.known.want(tenant_id, kind)
    }

    /// Something happened to a message: once for each type, however often it is told.
    pub fn message(&mut self, tenant_id: Uuid, message_id: Uuid, kind: &'static str, at: DateTime<Utc>) {
        self.of_message(OfMessage { tenant_id, message_id, kind, group_id: None, at });
    }

    /// A contact wrote, perhaps into a group.
    pub fn received(&mut self, tenant_id: Uuid, message_id: Uuid, group_id: Option<String>, at: DateTime<Utc>) {
        self.of_message(OfMessage { tenant_id, message_id, kind: types::MESSAGE_RECEIVED, group_id, at });
    }

    fn of_message(&mut self, told: OfMessage) {
        if self.want(told.tenant_id, told.kind) {
            self.messages.push(told);
        }
    }

    /// Something else happened. `cause` names it among those of its type.
    pub fn other(
        &mut self,
        tenant_id: Uuid,
        kind: &'static str,
        cause: &str,
        at: DateTime<Utc>,
        data: impl FnOnce() -> Value,
    ) {
        if self.want(tenant_id, kind) {
            self.others.push(Other { tenant_id, kind, id: notice_id(tenant_id, kind, cause), at, data: data() });
        }
    }

    /// Writes them down, one row for each endpoint that wants one. Gives whether there was anything to write; without
    /// anything no statement runs. The last thing that a transaction does before its commit.
    pub async fn write(mut self, db: &mut PgConnection, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        if !self.messages.is_empty() {
            self.messages.sort_unstable_by_key(|it| (it.tenant_id, it.message_id, it.kind));
            write_messages(&mut *db, &self.messages, now).await?;
        }
        if !self.others.is_empty() {
            self.others.sort_unstable_by(|a, b| (a.tenant_id, &a.id).cmp(&(b.tenant_id, &b.id)));
            write_others(&mut *db, &self.others, now).await?;
        }
        let messages = self.messages.iter().map(|it| (it.tenant_id, it.id()));
        let others = self.others.iter().map(|it| (it.tenant_id, it.id.clone()));
        take_back_settled(db, messages.chain(others).unzip()).await?;
        Ok(!self.messages.is_empty() || !self.others.is_empty())
    }
}

impl OfMessage {
    /// A message that is sent once more can be given up once more; everything else happens to it once.
    fn id(&self) -> String {
        let cause = match self.kind {
            types::MESSAGE_DEAD | types::MESSAGE_EXPIRED => {
                format!("{}/{}", self.message_id, self.at.timestamp_micros())
            }
            _ => self.message_id.to_string(),
        };
        notice_id(self.tenant_id, self.kind, &cause)
    }
}

/// `evt_` and 32 hex digits. Without a full stop, which separates what is signed.
pub(super) fn notice_id(tenant_id: Uuid, kind: &str, cause: &str) -> String {
    let digest = Sha256::new().chain_update(tenant_id.as_bytes()).chain_update(kind).chain_update([0]);
    let digest = digest.chain_update(cause).finalize();
    digest[..16].iter().fold("evt_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// As the standard has it: ISO 8601, in UTC.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn write_messages(db: &mut PgConnection, told: &[OfMessage], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    // Primary keys throughout, row by row: a planner that does not know the tables yet would otherwise read all of the
    // tenant's.
    sqlx::query!(
        "insert into webhook_queue (tenant_id, webhook_id, notice_id, type, body, ready_at, created_at)
         select k.tenant_id, w.id, k.notice_id, k.kind,
                json_build_object('type', k.kind, 'timestamp', k.at, 'data', json_build_object(
                    'messageId', m.id, 'direction', m.direction, 'status', m.status, 'kind', m.kind, 'body', m.body,
                    'waMessageId', m.wa_message_id, 'idempotencyKey', m.idempotency_key, 'eventId', m.event_id,
                    'attempts', m.attempts, 'error', m.error, 'createdAt', m.created_at,
                    'conversationId', cv.id, 'phoneNumberId', ch.phone_number_id, 'groupId', k.group_id,
                    'contact', json_build_object('id', ct.id, 'waId', ct.wa_id, 'userId', regexp_replace(ct.user_id, '^.*/', ''), 'name', ct.name),
                    'message', case when octet_length(e.raw::text) <= $6 then e.raw end
                ))::text,
                $7, $7
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $8::text[])
              as k (tenant_id, message_id, kind, notice_id, at, group_id)
         join webhooks w on w.tenant_id = k.tenant_id
         left join lateral (
             select true as done from webhook_deliveries
             where tenant_id = k.tenant_id and webhook_id = w.id and notice_id = k.notice_id limit 1
         ) as before on true
         cross join lateral (
             select * from messages where tenant_id = k.tenant_id and id = k.message_id limit 1) as m
         cross join lateral (
             select * from conversations where tenant_id = k.tenant_id and id = m.conversation_id limit 1) as cv
         cross join lateral (
             select * from contacts where tenant_id = k.tenant_id
               and id = coalesce(cv.merged_contact_id, cv.contact_id) limit 1) as ct
         cross join lateral (
             select * from channels where tenant_id = k.tenant_id and id = cv.channel_id limit 1) as ch
         left join lateral (
             select raw from events where tenant_id = k.tenant_id and id = m.event_id and m.direction = 'IN' limit 1
         ) as e on true
         where w.disabled_at is null and w.types && array[k.kind, split_part(k.kind, '.', 1) || '.*', '*']
           and before.done is null
         on conflict (tenant_id, webhook_id, notice_id) do nothing",
        &told.iter().map(|it| it.tenant_id).collect::<Vec<_>>(),
        &told.iter().map(|it| it.message_id).collect::<Vec<_>>(),
        &told.iter().map(|it| it.kind.to_owned()).collect::<Vec<_>>(),
        &told.iter().map(OfMessage::id).collect::<Vec<_>>(),
        &told.iter().map(|it| timestamp(it.at)).collect::<Vec<_>>(),
        LARGEST_RAW,
        now,
        &told.iter().map(|it| it.group_id.clone()).collect::<Vec<_>>() as &[Option<String>]
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn write_others(db: &mut PgConnection, told: &[Other], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let body = |it: &Other| {
        let body = serde_json::json!({ "type": it.kind, "timestamp": timestamp(it.at), "data": it.data });
        body.to_string()
    };
    // Primary keys.
    sqlx::query!(
        "insert into webhook_queue (tenant_id, webhook_id, notice_id, type, body, ready_at, created_at)
         select k.tenant_id, w.id, k.notice_id, k.kind, k.body, $5, $5
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as k (tenant_id, kind, notice_id, body)
         join webhooks w on w.tenant_id = k.tenant_id
         left join lateral (
             select true as done from webhook_deliveries
             where tenant_id = k.tenant_id and webhook_id = w.id and notice_id = k.notice_id limit 1
         ) as before on true
         where w.disabled_at is null and w.types && array[k.kind, split_part(k.kind, '.', 1) || '.*', '*']
           and before.done is null
         on conflict (tenant_id, webhook_id, notice_id) do nothing",
        &told.iter().map(|it| it.tenant_id).collect::<Vec<_>>(),
        &told.iter().map(|it| it.kind.to_owned()).collect::<Vec<_>>(),
        &told.iter().map(|it| it.id.clone()).collect::<Vec<_>>(),
        &told.iter().map(body).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes notices back that were settled while they were written: the insert looked into the history before, and found the
/// queue empty after.
async fn take_back_settled(
    db: &mut PgConnection,
    (tenants, notices): (Vec<Uuid>, Vec<String>),
) -> Result<(), sqlx::Error> {
    if tenants.is_empty() {
        return Ok(());
    }
    // Primary keys.
    sqlx::query!(
        "delete from webhook_queue q
         using unnest($1::uuid[], $2::text[]) as k (tenant_id, notice_id)
         join webhooks w on w.tenant_id = k.tenant_id
         join webhook_deliveries d on d.tenant_id = k.tenant_id and d.webhook_id = w.id and d.notice_id = k.notice_id
         where q.tenant_id = k.tenant_id and q.webhook_id = w.id and q.notice_id = k.notice_id",
        &tenants,
        &notices
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The notice of a test, for one webhook. `serial` makes it another one each time.
pub(super) fn test_notice(tenant_id: Uuid, serial: Uuid, now: DateTime<Utc>) -> (String, String) {
    let data = serde_json::json!({ "message": "a test; nothing has happened" });
    let body = serde_json::json!({ "type": types::TEST, "timestamp": timestamp(now), "data": data });
    (notice_id(tenant_id, types::TEST, &serial.to_string()), body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_makes_one_id_and_another_cause_another() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = notice_id(one, "message.sent", "7");
        assert_eq!(id, notice_id(one, "message.sent", "7"));
        assert!(id.len() == 36 && id.starts_with("evt_") && !id.contains('.'), "{id}");
        for other in [
            notice_id(two, "message.sent", "7"),
            notice_id(one, "message.read", "7"),
            notice_id(one, "message.sent", "8"),
            notice_id(one, "message.sen", "t7"),
        ] {
            assert_ne!(id, other);
        }
    }
}
