//! HTTP calls that flows asked for: queued in the commit of a run, claimed like lanes, answered by an event.
//!
//! A call's row is its place in the queue: a claim moves `ready_at` to the end of its lease and draws a token, an
//! answer deletes the row in the same transaction that adds the event. An owner whose lease ran out and was taken
//! over writes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::internal_events::{self, InternalEvent};
use crate::{Error, Store};

/// A call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    /// Names the call, and the event that its answer becomes.
    pub id: Uuid,
    /// Whose.
    pub tenant_id: Uuid,
    /// The conversation that waits for the answer.
    pub conversation_id: Uuid,
    /// Its contact.
    pub contact_id: Uuid,
    /// Its channel.
    pub channel_id: Uuid,
    /// The tenant's plugin whose hosts and secrets count; none for a built-in one.
    pub plugin: Option<String>,
    /// Comes back with the answer.
    pub name: String,
    /// The request: JSON text.
    pub request: String,
}

/// Proves the ownership of a claimed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallLease {
    /// Whose call.
    pub tenant_id: Uuid,
    /// The call.
    pub id: Uuid,
    /// Drawn by the claim.
    pub token: i64,
}

/// A claimed call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Proves the ownership.
    pub lease: CallLease,
    /// The tenant's plugin whose secrets count.
    pub plugin: Option<String>,
    /// Hosts that this plugin may call, as they are now; none for a built-in plugin.
    pub hosts: Vec<String>,
    /// Comes back with the answer.
    pub name: String,
    /// The request: JSON text.
    pub request: String,
    /// 1 for the first claim. An owner that was lost counts as well.
    pub attempt: i32,
    /// When the flow asked for it.
    pub created_at: DateTime<Utc>,
}

/// What a process has under way, so that no tenant takes all of its room.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// Calls under way, by tenant.
    pub under_way: HashMap<Uuid, usize>,
    /// Most calls of one tenant at the same time.
    pub most: usize,
}

impl Share {
    /// The tenants that have their share already.
    pub(crate) fn full(&self) -> Vec<Uuid> {
        self.under_way.iter().filter(|(_, calls)| **calls >= self.most).map(|(tenant, _)| *tenant).collect()
    }

    /// Takes room for one more call of the tenant, if there is any.
    pub(crate) fn take(&mut self, tenant_id: Uuid) -> bool {
        let calls = self.under_way.entry(tenant_id).or_default();
        let free = *calls < self.most;
        *calls += usize::from(free);
        free
    }
}

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Proves the ownership.
    pub lease: CallLease,
    /// The event `http-response`: JSON text.
    pub raw: String,
}

/// Queues the calls.
pub(crate) async fn insert(db: &mut PgConnection, calls: &[NewCall], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if calls.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into http_calls (tenant_id, id, conversation_id, contact_id, channel_id, plugin, name, request,
                                 ready_at, created_at)
         select tenant_id, id, conversation_id, contact_id, channel_id, plugin, name, request::json, $9, $9
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[])
              as k (tenant_id, id, conversation_id, contact_id, channel_id, plugin, name, request)",
        &calls.iter().map(|call| call.tenant_id).collect::<Vec<_>>(),
        &calls.iter().map(|call| call.id).collect::<Vec<_>>(),
        &calls.iter().map(|call| call.conversation_id).collect::<Vec<_>>(),
        &calls.iter().map(|call| call.contact_id).collect::<Vec<_>>(),
        &calls.iter().map(|call| call.channel_id).collect::<Vec<_>>(),
        &calls.iter().map(|call| call.plugin.clone()).collect::<Vec<_>>() as &[Option<String>],
        &calls.iter().map(|call| call.name.clone()).collect::<Vec<_>>(),
        &calls.iter().map(|call| call.request.clone()).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// Claims up to `limit` calls that are ready, the longest waiting first, of tenants that have room in `share`.
    /// Each belongs to its claimer for the time that its request may take, and `lease` on top.
    pub async fn claim_calls(&self, limit: i64, lease: TimeDelta, mut share: Share) -> Result<Vec<Call>, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Index http_calls_ready.
        let ready = sqlx::query!(
            "select tenant_id, id from http_calls where ready_at <= $1 and tenant_id <> all ($2::uuid[])
             order by ready_at limit $3
             for update skip locked",
            now,
            &share.full(),
            limit
        )
        .fetch_all(&mut *tx)
        .await?;
        let found = ready.len();
        let mut taken: Vec<(Uuid, Uuid)> =
            ready.into_iter().filter(|row| share.take(row.tenant_id)).map(|row| (row.tenant_id, row.id)).collect();
        taken.sort_unstable();
        let calls = claim(&mut tx, &taken, lease, now).await?;
        tx.commit().await?;
        if taken.len() < found {
            // Calls of tenants that are full stood in the way of others: the next claim passes over them.
            self.wakes.calls.notify_one();
        }
        Ok(calls)
    }

    /// When the next call of a tenant that has room in `share` is ready, if one waits.
    pub async fn next_call(&self, share: &Share) -> Result<Option<DateTime<Utc>>, Error> {
        // Index http_calls_ready.
        let next = sqlx::query_scalar!(
            "select ready_at from http_calls where tenant_id <> all ($1::uuid[]) order by ready_at limit 1",
            &share.full()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(next)
    }

    /// Turns answers into events of their conversations, in one transaction. For each: whether its call was still
    /// owned; if not, nothing of it was written.
    pub async fn settle_calls(&self, answers: &[Arc<Answered>]) -> Result<Vec<bool>, sqlx::Error> {
        let now = self.ambient.now();
        let mut sorted: Vec<&Arc<Answered>> = answers.iter().collect();
        // Locks are taken in the order of keys.
        sorted.sort_unstable_by_key(|answer| (answer.lease.tenant_id, answer.lease.id));
        let mut tx = self.pool.begin().await?;
        // Primary key.
        let gone = sqlx::query!(
            "delete from http_calls c
             using unnest($1::uuid[], $2::uuid[], $3::bigint[]) as k (tenant_id, id, token)
             where c.tenant_id = k.tenant_id and c.id = k.id and c.lease_token = k.token
             returning c.tenant_id, c.id, c.lease_token, c.conversation_id, c.contact_id, c.channel_id",
            &sorted.iter().map(|answer| answer.lease.tenant_id).collect::<Vec<_>>(),
            &sorted.iter().map(|answer| answer.lease.id).collect::<Vec<_>>(),
            &sorted.iter().map(|answer| answer.lease.token).collect::<Vec<_>>()
        )
        .fetch_all(&mut *tx)
        .await?;
        let raw: HashMap<CallLease, &str> = answers.iter().map(|answer| (answer.lease, answer.raw.as_str())).collect();
        let mut owned: HashSet<CallLease> = HashSet::new();
        let mut events: Vec<InternalEvent> = Vec::new();
        for row in gone {
            let lease = CallLease { tenant_id: row.tenant_id, id: row.id, token: row.lease_token };
            owned.insert(lease);
            events.push(InternalEvent {
                tenant_id: row.tenant_id,
                channel_id: row.channel_id,
                conversation_id: row.conversation_id,
                contact_id: row.contact_id,
                kind: "http-response",
                id: row.id,
                raw: raw.get(&lease).copied().unwrap_or_default().to_owned(),
                occurred_at: now,
            });
        }
        internal_events::append(&mut tx, &events, now).await?;
        tx.commit().await?;
        if !events.is_empty() {
            self.wakes.flow.notify_one();
        }
        // A call has one answer: of two under one lease the second finds it gone.
        Ok(answers.iter().map(|answer| owned.remove(&answer.lease)).collect())
    }

    /// Gives a call back, to be made again at `at`; `false` when it has another owner by now.
    pub async fn retry_call(&self, lease: CallLease, at: DateTime<Utc>) -> Result<bool, Error> {
        // Primary key. The token goes with the lease: the former owner has no say any more.
        let changed = sqlx::query!(
            "update http_calls set ready_at = $4, lease_token = nextval('lease_tokens')
             where tenant_id = $1 and id = $2 and lease_token = $3",
            lease.tenant_id,
            lease.id,
            lease.token,
            at
        )
        .execute(&self.pool)
        .await?;
        if changed.rows_affected() > 0 {
            self.wakes.calls.notify_one();
        }
        Ok(changed.rows_affected() > 0)
    }
}

/// Gives these calls, which are locked, to a new owner.
async fn claim(
    db: &mut PgConnection,
    taken: &[(Uuid, Uuid)],
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Call>, sqlx::Error> {
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    // Primary keys. A request that says nothing useful about its time counts as one with the longest, 30 s.
    let rows = sqlx::query!(
        r#"update http_calls c set
             lease_token = nextval('lease_tokens'), attempts = c.attempts + 1,
             ready_at = $3::timestamptz + least(
                 case when json_typeof(c.request->'timeoutMs') = 'number' then (c.request->>'timeoutMs')::float8
                      else 30000 end, 30000) * interval '1 millisecond'
         from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, id)
         where c.tenant_id = k.tenant_id and c.id = k.id
         returning c.tenant_id, c.id, c.lease_token, c.plugin, c.name, c.request::text as "request!", c.attempts,
                   c.created_at,
                   coalesce((select p.hosts from plugins p where p.tenant_id = c.tenant_id and p.name = c.plugin), '{}')
                       as "hosts!""#,
        &taken.iter().map(|key| key.0).collect::<Vec<_>>(),
        &taken.iter().map(|key| key.1).collect::<Vec<_>>(),
        now + lease
    )
    .fetch_all(db)
    .await?;
    let calls = rows.into_iter().map(|row| Call {
        lease: CallLease { tenant_id: row.tenant_id, id: row.id, token: row.lease_token },
        plugin: row.plugin,
        hosts: row.hosts,
        name: row.name,
        request: row.request,
        attempt: row.attempts,
        created_at: row.created_at,
    });
    Ok(calls.collect())
}
