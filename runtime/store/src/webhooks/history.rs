//! What waits for a webhook and what became of what did: to look at, and to send once more.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Store};

/// How a notice fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On its way, or waiting for the next attempt.
    Waiting,
    /// The endpoint has it.
    Delivered,
    /// Given up; it can be redriven.
    Failed,
}

/// A notice for a webhook.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The header `webhook-id`.
    pub notice_id: String,
    /// The type.
    pub kind: String,
    /// How it fares.
    pub state: State,
    /// Attempts so far, one under way included.
    pub attempts: i32,
    /// The status that was answered last.
    pub response_status: Option<i16>,
    /// The beginning of the last answer, or why there was none.
    pub response: Option<String>,
    /// When what it tells of happened.
    pub created_at: DateTime<Utc>,
    /// When it is tried next, while it waits. During an attempt: when another process would take over.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Which notices to send once more.
#[derive(Debug, Clone)]
pub enum Redrive {
    /// This one, delivered or failed.
    One(String),
    /// Those that failed and tell of what happened at this moment or later, so many at the most, oldest first.
    FailedSince(DateTime<Utc>, i64),
}

impl Store {
    /// Notices for a webhook, newest first, before this place (moment and id of the last one of the page before); of one
    /// state only, if one is given.
    pub async fn webhook_deliveries(
        &self,
        tenant_id: Uuid,
        webhook_id: Uuid,
        state: Option<State>,
        before: Option<(DateTime<Utc>, &str)>,
        limit: i64,
    ) -> Result<Vec<Delivery>, Error> {
        let (at, id) = before.unwrap_or((DateTime::<Utc>::MAX_UTC, ""));
        let at = at.min(self.ambient.now() + chrono::TimeDelta::days(3650));
        let settled = state.filter(|state| *state != State::Waiting).map(|state| state == State::Delivered);
        // Primary key of webhook_queue, by its first columns; index webhook_deliveries_made, backwards.
        let rows = sqlx::query!(
            r#"(select notice_id as "notice_id!", type as "kind!", null::bool as delivered, attempts as "attempts!",
                       response_status, response, created_at as "created_at!", ready_at as next_at,
                       null::timestamptz as settled_at
                from webhook_queue
                where tenant_id = $1 and webhook_id = $2 and (created_at, notice_id) < ($3, $4) and $5
                order by created_at desc, notice_id desc limit $8)
               union all
               (select notice_id, type, delivered, attempts, response_status, response, created_at, null, settled_at
                from webhook_deliveries
                where tenant_id = $1 and webhook_id = $2 and (created_at, notice_id) < ($3, $4) and $6
                  and ($7::bool is null or delivered = $7)
                order by created_at desc, notice_id desc limit $8)
               order by 7 desc, 1 desc limit $8"#,
            tenant_id,
            webhook_id,
            at,
            id,
            state.is_none_or(|state| state == State::Waiting),
            state != Some(State::Waiting),
            settled,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let deliveries = rows.into_iter().map(|row| Delivery {
            notice_id: row.notice_id,
            kind: row.kind,
            state: match row.delivered {
                None => State::Waiting,
                Some(true) => State::Delivered,
                Some(false) => State::Failed,
            },
            attempts: row.attempts,
            response_status: row.response_status,
            response: row.response,
            created_at: row.created_at,
            next_attempt_at: row.next_at,
            settled_at: row.settled_at,
        });
        Ok(deliveries.collect())
    }

    /// Queues settled notices anew, each with all of its attempts, under the same id. Gives how many.
    pub async fn redrive_notices(&self, tenant_id: Uuid, webhook_id: Uuid, which: &Redrive) -> Result<u64, Error> {
        let (one, since, limit) = match which {
            Redrive::One(id) => (Some(id.as_str()), None, 1),
            Redrive::FailedSince(since, limit) => (None, Some(*since), *limit),
        };
        // Primary key, or index webhook_deliveries_failed.
        let queued = sqlx::query!(
            "with gone as (
                 delete from webhook_deliveries d
                 using (
                     (select notice_id from webhook_deliveries
                      where tenant_id = $1 and webhook_id = $2 and notice_id = $3)
                     union all
                     (select notice_id from webhook_deliveries
                      where tenant_id = $1 and webhook_id = $2 and not delivered and created_at >= $4
                      order by created_at limit $5)
                 ) as k
                 where d.tenant_id = $1 and d.webhook_id = $2 and d.notice_id = k.notice_id
                 returning d.notice_id, d.type, d.body, d.created_at
             )
             insert into webhook_queue (tenant_id, webhook_id, notice_id, type, body, ready_at, created_at)
             select $1, $2, notice_id, type, body, $6, created_at from gone
             on conflict (tenant_id, webhook_id, notice_id) do nothing",
            tenant_id,
            webhook_id,
            one,
            since,
            limit,
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        self.wakes.webhooks.notify_one();
        Ok(queued.rows_affected())
    }

    /// Removes up to `limit` of a tenant's notices that were settled before this moment, as many of those that wait
    /// since then for a webhook that is disabled, and what a webhook that is gone has left. Gives how many.
    pub async fn delete_notices_before(
        &self,
        tenant_id: Uuid,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, Error> {
        // Index webhook_deliveries_made, webhook by webhook: what was settled before a moment was made before it.
        let settled = sqlx::query!(
            "with recursive told (id) as (
                 (select webhook_id from webhook_deliveries where tenant_id = $1 order by webhook_id limit 1)
                 union all
                 select n.webhook_id from told t cross join lateral (
                     select webhook_id from webhook_deliveries
                     where tenant_id = $1 and webhook_id > t.id
                     order by webhook_id limit 1) as n
             ), bounds as (
                 select id, case when exists (select from webhooks w where w.tenant_id = $1 and w.id = told.id)
                                 then $2::timestamptz else 'infinity' end as before
                 from told
             )
             delete from webhook_deliveries d
             using (select old.webhook_id, old.notice_id from bounds b
                    cross join lateral (
                        select webhook_id, notice_id from webhook_deliveries
                        where tenant_id = $1 and webhook_id = b.id and created_at < b.before and settled_at < b.before
                        order by created_at limit $3) as old
                    limit $3) as k
             where d.tenant_id = $1 and d.webhook_id = k.webhook_id and d.notice_id = k.notice_id",
            tenant_id,
            before,
            limit
        )
        .execute(&self.pool)
        .await?;
        // Primary keys, of webhook_queue by its first column.
        let waiting = sqlx::query!(
            "delete from webhook_queue q
             using (select o.webhook_id, o.notice_id from webhook_queue o
                    left join webhooks w on w.tenant_id = $1 and w.id = o.webhook_id
                    where o.tenant_id = $1 and (w.id is null or (w.disabled_at is not null and o.created_at < $2))
                    limit $3 for update of o skip locked) as k
             where q.tenant_id = $1 and q.webhook_id = k.webhook_id and q.notice_id = k.notice_id",
            tenant_id,
            before,
            limit
        )
        .execute(&self.pool)
        .await?;
        Ok(settled.rows_affected() + waiting.rows_affected())
    }
}
