//! The settlement of claimed notices, fenced by their leases, and what it says about their endpoints.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::claim::NoticeLease;
use crate::Store;

/// An endpoint that has failed for so long is disabled.
const PATIENCE: TimeDelta = TimeDelta::days(5);
/// Failures that lie further apart are not one spell of failures: nothing was tried in between.
const SPELL: TimeDelta = TimeDelta::days(1);

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took it.
    Delivered,
    /// It did not; once more at this moment.
    Again(DateTime<Utc>),
    /// It did not, and that was the last attempt.
    Failed,
    /// It will never take anything: it is disabled, and this is why. The notice waits.
    Gone(String),
}

/// The outcome of one claimed notice.
#[derive(Debug, Clone)]
pub struct NoticeSettlement {
    /// Proves the ownership.
    pub lease: NoticeLease,
    /// What became of it.
    pub outcome: Outcome,
    /// The status that was answered.
    pub status: Option<i16>,
    /// The beginning of the answer, or why there was none.
    pub response: String,
    /// The endpoint was failing when this was claimed.
    pub was_failing: bool,
}

impl NoticeSettlement {
    fn key(&self) -> (Uuid, Uuid, &str, i64) {
        let NoticeLease { tenant_id, webhook_id, notice_id, token } = &self.lease;
        (*tenant_id, *webhook_id, notice_id, *token)
    }
}

impl Store {
    /// Writes outcomes down in one transaction. For each: whether its notice was still owned; if not, nothing of it was
    /// written.
    pub async fn settle_notices(&self, settlements: &[Arc<NoticeSettlement>]) -> Result<Vec<bool>, sqlx::Error> {
        let now = self.ambient.now();
        let mut sorted: Vec<&NoticeSettlement> = settlements.iter().map(|one| &**one).collect();
        // Locks are taken in the order of keys.
        sorted.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        let mut tx = self.pool.begin().await?;
        let owned = hold(&mut tx, &sorted).await?;
        let is_owned = |one: &NoticeSettlement| owned.contains(&one.lease.token);
        sorted.retain(|one| is_owned(one));
        put_off(&mut tx, &sorted, now).await?;
        file(&mut tx, &sorted, now).await?;
        let disabled = judge(&mut tx, &sorted, now).await?;
        tx.commit().await?;
        if !disabled.is_empty() {
            for (tenant_id, webhook_id, reason) in &disabled {
                tracing::warn!(tenant = %tenant_id, webhook = %webhook_id, reason, "a webhook is disabled");
            }
            self.webhooks_changed().await;
        }
        Ok(settlements.iter().map(|one| is_owned(one)).collect())
    }
}

/// Locks the notices that are still owned until the transaction ends, in the order given. Gives their tokens.
async fn hold(db: &mut PgConnection, settlements: &[&NoticeSettlement]) -> Result<HashSet<i64>, sqlx::Error> {
    // Primary key.
    let tokens = sqlx::query_scalar!(
        "select q.lease_token
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
              with ordinality as k (tenant_id, webhook_id, notice_id, token, place)
         join webhook_queue q on q.tenant_id = k.tenant_id and q.webhook_id = k.webhook_id
                                 and q.notice_id = k.notice_id and q.lease_token = k.token
         order by k.place
         for update of q",
        &settlements.iter().map(|one| one.lease.tenant_id).collect::<Vec<_>>(),
        &settlements.iter().map(|one| one.lease.webhook_id).collect::<Vec<_>>(),
        &settlements.iter().map(|one| one.lease.notice_id.clone()).collect::<Vec<_>>(),
        &settlements.iter().map(|one| one.lease.token).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    Ok(tokens.into_iter().collect())
}

/// Notices that are to be tried again go back into the queue. They are [held](hold).
async fn put_off(
    db: &mut PgConnection,
    settlements: &[&NoticeSettlement],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let again: Vec<(&NoticeSettlement, DateTime<Utc>)> = settlements
        .iter()
        .filter_map(|one| match &one.outcome {
            Outcome::Again(at) => Some((*one, *at)),
            // At once when the endpoint is enabled again.
            Outcome::Gone(_) => Some((*one, now)),
            Outcome::Delivered | Outcome::Failed => None,
        })
        .collect();
    if again.is_empty() {
        return Ok(());
    }
    // Primary key. The lease goes with it: the former owner has no say any more.
    sqlx::query!(
        "update webhook_queue q set ready_at = k.ready_at, lease_token = 0, response_status = k.status,
                                    response = k.response
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::smallint[], $6::text[])
              as k (tenant_id, webhook_id, notice_id, ready_at, status, response)
         where q.tenant_id = k.tenant_id and q.webhook_id = k.webhook_id and q.notice_id = k.notice_id",
        &again.iter().map(|(one, _)| one.lease.tenant_id).collect::<Vec<_>>(),
        &again.iter().map(|(one, _)| one.lease.webhook_id).collect::<Vec<_>>(),
        &again.iter().map(|(one, _)| one.lease.notice_id.clone()).collect::<Vec<_>>(),
        &again.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
        &again.iter().map(|(one, _)| one.status).collect::<Vec<_>>() as &[Option<i16>],
        &again.iter().map(|(one, _)| one.response.clone()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notices that are done go from the queue into the history. They are [held](hold).
async fn file(db: &mut PgConnection, settlements: &[&NoticeSettlement], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done: Vec<&NoticeSettlement> =
        settlements.iter().copied().filter(|one| matches!(one.outcome, Outcome::Delivered | Outcome::Failed)).collect();
    if done.is_empty() {
        return Ok(());
    }
    // Primary keys.
    sqlx::query!(
        "with gone as (
             delete from webhook_queue q
             using unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::smallint[], $6::text[])
                   as k (tenant_id, webhook_id, notice_id, delivered, status, response)
             where q.tenant_id = k.tenant_id and q.webhook_id = k.webhook_id and q.notice_id = k.notice_id
             returning q.tenant_id, q.webhook_id, q.notice_id, q.type, q.body, k.delivered, q.attempts, k.status,
                       k.response, q.created_at
         )
         insert into webhook_deliveries (tenant_id, webhook_id, notice_id, type, body, delivered, attempts,
                                         response_status, response, created_at, settled_at)
         select tenant_id, webhook_id, notice_id, type, body, delivered, attempts, status, response, created_at, $7
         from gone
         on conflict (tenant_id, webhook_id, notice_id) do update
         set delivered = excluded.delivered or webhook_deliveries.delivered, attempts = excluded.attempts,
             response_status = excluded.response_status, response = excluded.response,
             settled_at = excluded.settled_at",
        &done.iter().map(|one| one.lease.tenant_id).collect::<Vec<_>>(),
        &done.iter().map(|one| one.lease.webhook_id).collect::<Vec<_>>(),
        &done.iter().map(|one| one.lease.notice_id.clone()).collect::<Vec<_>>(),
        &done.iter().map(|one| one.outcome == Outcome::Delivered).collect::<Vec<_>>(),
        &done.iter().map(|one| one.status).collect::<Vec<_>>() as &[Option<i16>],
        &done.iter().map(|one| one.response.clone()).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a batch says about an endpoint.
#[derive(Default)]
struct Seen {
    delivered: bool,
    failure: Option<String>,
    gone: Option<String>,
}

/// Notes how the endpoints fare, and disables those that are gone or have failed for too long: gives those. Of an
/// endpoint that is well, and was, nothing is written.
async fn judge(
    db: &mut PgConnection,
    settlements: &[&NoticeSettlement],
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid, String)>, sqlx::Error> {
    let mut endpoints: BTreeMap<(Uuid, Uuid), Seen> = BTreeMap::new();
    for one in settlements {
        let is_well = one.outcome == Outcome::Delivered;
        if is_well && !one.was_failing {
            continue;
        }
        let seen = endpoints.entry((one.lease.tenant_id, one.lease.webhook_id)).or_default();
        seen.delivered |= is_well;
        if !is_well {
            let status = one.status.map(|status| format!("{status} ")).unwrap_or_default();
            seen.failure = Some(format!("{status}{}", one.response));
        }
        if let Outcome::Gone(reason) = &one.outcome {
            seen.gone = Some(reason.clone());
        }
    }
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    // Primary key.
    let disabled = sqlx::query!(
        "with judged as (
             select w.tenant_id, w.id, k.delivered, k.failure, k.gone,
                    case when k.delivered then null
                         when w.failing_since is null or w.last_failure_at < $8 then $6::timestamptz
                         else w.failing_since end as since
             from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::text[], $5::text[])
                  as k (tenant_id, id, delivered, failure, gone)
             join webhooks w on w.tenant_id = k.tenant_id and w.id = k.id
             order by w.tenant_id, w.id for update of w
         )
         update webhooks w set
             failing_since = j.since,
             last_failure = coalesce(j.failure, w.last_failure),
             last_failure_at = case when j.failure is null then w.last_failure_at else $6 end,
             disabled_at = case when j.gone is not null or j.since <= $7::timestamptz
                                then coalesce(w.disabled_at, $6) else w.disabled_at end,
             disabled_reason = case when w.disabled_at is not null then w.disabled_reason
                                    when j.gone is not null then j.gone
                                    when j.since <= $7::timestamptz
                                    then 'every attempt has failed for 5 days; the last: ' || j.failure end
         from judged j
         where w.tenant_id = j.tenant_id and w.id = j.id
         returning w.tenant_id, w.id, w.disabled_at, w.disabled_reason",
        &endpoints.keys().map(|key| key.0).collect::<Vec<_>>(),
        &endpoints.keys().map(|key| key.1).collect::<Vec<_>>(),
        &endpoints.values().map(|seen| seen.delivered).collect::<Vec<_>>(),
        &endpoints.values().map(|seen| seen.failure.clone()).collect::<Vec<_>>() as &[Option<String>],
        &endpoints.values().map(|seen| seen.gone.clone()).collect::<Vec<_>>() as &[Option<String>],
        now,
        now - PATIENCE,
        now - SPELL
    )
    .fetch_all(db)
    .await?;
    let fresh = disabled.into_iter().filter(|row| row.disabled_at == Some(now));
    Ok(fresh.map(|row| (row.tenant_id, row.id, row.disabled_reason.unwrap_or_default())).collect())
}
