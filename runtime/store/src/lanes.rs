//! Lanes: one per contact and stage while work waits there. Claimed in batches with SKIP LOCKED, fenced by a token
//! that only grows.
//!
//! The protocol: who adds work locks or creates the lane first ([`open`]); who claims moves `ready_at` to the end of
//! its lease and draws a token; who finishes locks its lanes by token ([`hold`]) and deletes them when nothing is
//! left. An owner whose lease ran out and was taken over holds nothing any more: its results are refused.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Where work waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Events for the flow.
    Flow = 0,
    /// Messages for Meta.
    Delivery = 1,
}

/// A lane's name, without its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey {
    /// Whose.
    pub tenant_id: Uuid,
    /// Which contact's.
    pub contact_id: Uuid,
}

/// A claimed lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: LaneKey,
    /// Proves the ownership.
    pub token: i64,
}

/// Two parallel arrays, sorted by key and without repeats: what the statements below take.
pub(crate) fn columns(keys: impl IntoIterator<Item = LaneKey>) -> (Vec<Uuid>, Vec<Uuid>) {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|key| (key.tenant_id, key.contact_id)).unzip()
}

/// Locks the lanes of `keys` until the transaction ends, creating those that are missing.
pub(crate) async fn open(
    db: &mut PgConnection,
    stage: Stage,
    keys: impl IntoIterator<Item = LaneKey>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (tenants, contacts) = columns(keys);
    if tenants.is_empty() {
        return Ok(());
    }
    // The events' sequence moves past all events that the lane has had: they were added under its lock. Only who has to
    // wait for that lock drew its number before, and events may have come and gone since: the claim looks which are
    // done. The update changes nothing; it is there for the lock.
    sqlx::query!(
        "insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
         select tenant_id, contact_id, $3, $4, nextval('events_id_seq')
         from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
         on conflict (tenant_id, contact_id, stage) do update set ready_at = lanes.ready_at",
        &tenants,
        &contacts,
        stage as i16,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A lane as a claim finds it.
pub(crate) struct Claimed {
    pub lease: Lease,
    pub done_event: i64,
    pub attempts: i32,
}

/// Claims up to `limit` lanes that are ready, the longest waiting first.
pub(crate) async fn claim(
    db: &mut PgConnection,
    stage: Stage,
    limit: i64,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Vec<Claimed>, sqlx::Error> {
    // Index lanes_ready.
    let rows = sqlx::query!(
        "with ready as (
             select tenant_id, contact_id from lanes
             where stage::integer = $1 and ready_at <= $2
             order by ready_at limit $3
             for update skip locked
         )
         update lanes l set ready_at = $4, lease_token = nextval('lease_tokens')
         from ready r
         where l.tenant_id = r.tenant_id and l.contact_id = r.contact_id and l.stage = $5
         returning l.tenant_id, l.contact_id, l.lease_token, l.done_event, l.attempts",
        stage as i32,
        now,
        limit,
        now + lease,
        stage as i16
    )
    .fetch_all(db)
    .await?;
    let claimed = rows.into_iter().map(|row| Claimed {
        lease: Lease { lane: LaneKey { tenant_id: row.tenant_id, contact_id: row.contact_id }, token: row.lease_token },
        done_event: row.done_event,
        attempts: row.attempts,
    });
    Ok(claimed.collect())
}

/// Locks the lanes that are still owned by these leases until the transaction ends, and tells which they are.
pub(crate) async fn hold(
    db: &mut PgConnection,
    stage: Stage,
    leases: impl IntoIterator<Item = Lease>,
) -> Result<HashSet<LaneKey>, sqlx::Error> {
    let mut leases: Vec<_> = leases.into_iter().collect();
    leases.sort_unstable_by_key(|lease| lease.lane);
    let tenants: Vec<_> = leases.iter().map(|lease| lease.lane.tenant_id).collect();
    let contacts: Vec<_> = leases.iter().map(|lease| lease.lane.contact_id).collect();
    let tokens: Vec<_> = leases.iter().map(|lease| lease.token).collect();
    let rows = sqlx::query!(
        "select l.tenant_id, l.contact_id
         from unnest($1::uuid[], $2::uuid[], $3::bigint[]) with ordinality as k (tenant_id, contact_id, token, place)
         join lanes l on l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = $4
                     and l.lease_token = k.token
         order by k.place
         for update of l",
        &tenants,
        &contacts,
        &tokens,
        stage as i16
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| LaneKey { tenant_id: row.tenant_id, contact_id: row.contact_id }).collect())
}

/// When the next lane of a stage is ready, if any waits.
pub(crate) async fn next_ready(db: &mut PgConnection, stage: Stage) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select ready_at from lanes where stage::integer = $1 order by ready_at limit 1", stage as i32)
        .fetch_optional(db)
        .await
}
