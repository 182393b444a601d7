//! Messages as the API shows them: one with its timeline, or a page of a tenant's.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, Store};

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stable id.
    pub id: Uuid,
    /// `IN` or `OUT`.
    pub direction: String,
    /// `received`, `scheduled`, `queued`, `sending`, `sent`, `delivered`, `read`, `played`, `failed`.
    pub status: String,
    /// Meta's type.
    pub kind: String,
    /// What people read in a list.
    pub body: Option<String>,
    /// The contact's WhatsApp id.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id.
    pub user_id: Option<String>,
    /// Meta's id of the tenant's number.
    pub phone_number_id: String,
    /// Meta's id of the message.
    pub wa_message_id: Option<String>,
    /// As given by the sender.
    pub idempotency_key: Option<String>,
    /// Requests made for it.
    pub attempts: i32,
    /// Why the last one failed.
    pub error: Option<Value>,
    /// When it was given up.
    pub dead_at: Option<DateTime<Utc>>,
    /// Not to be sent before this moment.
    pub send_at: Option<DateTime<Utc>>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
}

/// One step of a message's way.
#[derive(Debug, Clone)]
pub struct Step {
    /// `accepted`, `sent`, `delivered`, `read`, `retry`, `unknown`, `failed`, ...
    pub status: String,
    /// Meta's clock for what Meta reports.
    pub occurred_at: DateTime<Utc>,
    /// When it was written down.
    pub recorded_at: DateTime<Utc>,
    /// The status item or the error.
    pub detail: Option<Value>,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only `IN` or `OUT`.
    pub direction: Option<String>,
    /// Only this status.
    pub status: Option<String>,
    /// Only older than this one.
    pub before: Option<Uuid>,
    /// At the most.
    pub limit: i64,
}

impl Store {
    /// A tenant's message with its timeline, oldest step first.
    pub async fn message(&self, tenant_id: Uuid, id: Uuid) -> Result<Option<(Message, Vec<Step>)>, Error> {
        let Some(message) = self.these(tenant_id, &[id]).await?.pop() else { return Ok(None) };
        let steps = sqlx::query_as!(
            Step,
            // Primary keys.
            r#"select status as "status!", occurred_at as "occurred_at!", recorded_at as "recorded_at!",
                      detail as "detail: Value"
               from (
                   select status, occurred_at, recorded_at, detail from message_statuses
                   where tenant_id = $1 and message_id = $2
                   union all
                   select 'accepted', accepted_at, accepted_at, null from messages
                   where tenant_id = $1 and id = $2 and accepted_at is not null
               ) as step
               order by recorded_at, occurred_at,
                        array_position(array['accepted', 'sent', 'delivered', 'read', 'played', 'failed'], status)
                        nulls first"#,
            tenant_id,
            id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(Some((message, steps)))
    }

    /// A page of a tenant's messages, newest first.
    pub async fn messages(&self, tenant_id: Uuid, filter: &Filter) -> Result<Vec<Message>, Error> {
        if filter.status.as_deref() == Some("scheduled") {
            return self.scheduled(tenant_id, filter).await;
        }
        // Primary keys, the first backwards. What is shown as `sending` is stored as `queued`, and known by the outbox.
        let ids = sqlx::query_scalar!(
            "select id from messages m
             where tenant_id = $1 and id < $2
               and ($3::text is null or direction = $3)
               and ($4::text is null or status::text = case $4 when 'sending' then 'queued' else $4 end)
               and ($4 is distinct from 'queued'
                    or (select message_id from scheduled s
                        where s.tenant_id = m.tenant_id and s.message_id = m.id limit 1) is null)
               and ($4 is null or $4 not in ('queued', 'sending')
                    or ($4 = 'sending') = coalesce((
                           select o.state <> 'queued'
                           from conversations cv
                           cross join lateral (
                               select state from outbox
                               where tenant_id = cv.tenant_id and message_id = m.id
                                 and contact_id = coalesce(cv.merged_contact_id, cv.contact_id) limit 1
                           ) as o
                           where cv.tenant_id = m.tenant_id and cv.id = m.conversation_id limit 1), false))
             order by id desc limit $5",
            tenant_id,
            filter.before.unwrap_or(Uuid::max()),
            filter.direction,
            filter.status,
            filter.limit
        )
        .fetch_all(&self.pool)
        .await?;
        self.these(tenant_id, &ids).await
    }

    /// A page of the tenant's messages whose time is to come, newest first.
    async fn scheduled(&self, tenant_id: Uuid, filter: &Filter) -> Result<Vec<Message>, Error> {
        if filter.direction.as_deref() == Some("IN") {
            return Ok(Vec::new());
        }
        // Primary key, backwards.
        let ids = sqlx::query_scalar!(
            "select message_id from scheduled where tenant_id = $1 and message_id < $2
             order by message_id desc limit $3",
            tenant_id,
            filter.before.unwrap_or(Uuid::max()),
            filter.limit
        )
        .fetch_all(&self.pool)
        .await?;
        self.these(tenant_id, &ids).await
    }

    /// A page of a tenant's dead letters, newest first, all older than `before`.
    pub async fn dead_letters(&self, tenant_id: Uuid, before: Option<Uuid>, limit: i64) -> Result<Vec<Message>, Error> {
        // Index messages_dead, backwards.
        let ids = sqlx::query_scalar!(
            "select id from messages where tenant_id = $1 and id < $2 and dead_at is not null
             order by id desc limit $3",
            tenant_id,
            before.unwrap_or(Uuid::max()),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        self.these(tenant_id, &ids).await
    }

    /// The messages with these ids, in their order. A queued one shows as `scheduled` until its time has come, and as
    /// `sending` while a request is under way or its outcome is in doubt.
    async fn these(&self, tenant_id: Uuid, ids: &[Uuid]) -> Result<Vec<Message>, Error> {
        // Primary keys throughout.
        let rows = sqlx::query_as!(
            Message,
            r#"select m.id, m.direction,
                      case when m.status <> 'queued' then m.status::text
                           when s.message_id is not null then 'scheduled'
                           when o.state <> 'queued' then 'sending' else 'queued' end as "status!",
                      m.kind, m.body, ct.wa_id, ct.user_id, ch.phone_number_id, m.wa_message_id, m.idempotency_key,
                      greatest(m.attempts, o.attempts) as "attempts!", m.error as "error: Value", m.dead_at,
                      m.send_at, m.created_at, m.updated_at
               from unnest($2::uuid[]) with ordinality as k (id, place)
               join messages m on m.tenant_id = $1 and m.id = k.id
               join conversations cv on cv.tenant_id = m.tenant_id and cv.id = m.conversation_id
               join contacts ct on ct.tenant_id = m.tenant_id and ct.id = coalesce(cv.merged_contact_id, cv.contact_id)
               join channels ch on ch.tenant_id = m.tenant_id and ch.id = cv.channel_id
               left join lateral (
                   select state, attempts from outbox
                   where tenant_id = m.tenant_id and message_id = m.id
                     and contact_id = coalesce(cv.merged_contact_id, cv.contact_id) limit 1
               ) as o on true
               left join scheduled s on s.tenant_id = m.tenant_id and s.message_id = m.id
               order by k.place"#,
            tenant_id,
            ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
