//! The claim of lanes that are ready, fair between tenants.
//!
//! Tenants take turns: a claim goes round those that have lanes ready, from behind the last that got a place, and gives
//! each the same number of places. So who has a hundred thousand lanes waiting delays nobody. Within a tenant the
//! urgent lanes come first, then those that wait longest.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{LaneKey, Lease, Stage, last_served, quantum};

/// Tenants that one claim serves at the most; the next goes on with those behind them.
const TENANTS: i64 = 64;

/// What a process asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Lanes at the most.
    pub limit: usize,
    /// For how long.
    pub lease: TimeDelta,
    /// Tenants that have their share of this process already.
    pub full: Vec<Uuid>,
}

impl Claim {
    /// Of all tenants.
    pub fn of(limit: usize, lease: TimeDelta) -> Self {
        Self { limit, lease, full: Vec::new() }
    }
}

/// Where this process is in its round of the tenants, and when it looked for lanes whose owners are gone, by stage.
#[derive(Default)]
pub(crate) struct Rotation([(Round, Sweeps); 2]);

/// A place in a round of the tenants.
#[derive(Default)]
pub(crate) struct Round(Mutex<Uuid>);

impl Round {
    pub fn place(&self) -> Uuid {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn turn(&self, to: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

/// How often lanes are looked for whose owners are gone.
const SWEEP: TimeDelta = TimeDelta::seconds(1);
/// How far back such a look goes behind the one before it: clocks differ, and a lane that is locked is passed over.
const SWEEP_OVERLAP: TimeDelta = TimeDelta::seconds(30);
/// How often a look goes back without end. It steps over every entry that Postgres could not clean up yet.
const WHOLE_SWEEP: TimeDelta = TimeDelta::minutes(10);

/// The last looks for lanes whose owners are gone: any, and one without end.
#[derive(Default)]
struct Sweeps(Mutex<Option<(DateTime<Utc>, DateTime<Utc>)>>);

impl Sweeps {
    /// From which end of a lease on to look, when it is time.
    fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, whole) = match *last {
            Some((any, _)) if (any..any + SWEEP).contains(&now) => return None,
            Some((any, whole)) if (whole..whole + WHOLE_SWEEP).contains(&now) => (any - SWEEP_OVERLAP, whole),
            _ => (DateTime::UNIX_EPOCH, now),
        };
        *last = Some((now, whole));
        Some(from)
    }

    /// The last look failed.
    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Takes lanes from owners whose leases are over, at most once a second: they can be claimed then.
pub(crate) async fn free_lost(
    db: &mut PgConnection,
    stage: Stage,
    rotation: &Rotation,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let sweeps = &rotation.0[stage as usize].1;
    let Some(from) = sweeps.due(now) else { return Ok(()) };
    // Index lanes_leased. In no order: nobody is waited for.
    let freed = sqlx::query!(
        "with over as (
             select tenant_id, contact_id, stage from lanes
             where stage::integer = $1 and lease_token <> 0 and ready_at between $2 and $3
             for update skip locked
         )
         update lanes l set lease_token = 0 from over o
         where l.tenant_id = any (array[o.tenant_id]) and l.contact_id = o.contact_id and l.stage = o.stage",
        stage as i32,
        from,
        now
    )
    .execute(db)
    .await;
    freed.map(drop).inspect_err(|_| sweeps.again())
}

/// A lane as a claim finds it.
pub(crate) struct Claimed {
    pub lease: Lease,
    pub done_event: i64,
    pub attempts: i32,
    /// The smaller, the sooner.
    pub priority: i16,
}

/// Whose lanes a claim takes.
pub(crate) struct Turn<'a> {
    /// Which goes on behind those that the claim serves.
    round: &'a Round,
    tenants: Vec<Uuid>,
    /// Lanes of each.
    quantum: usize,
}

/// Whose turn it is; `None` when nothing is ready. One statement, so that a look that finds nothing costs no more.
pub(crate) async fn whose_turn<'a>(
    db: &mut PgConnection,
    stage: Stage,
    rotation: &'a Rotation,
    ask: &Claim,
    now: DateTime<Utc>,
) -> Result<Option<Turn<'a>>, sqlx::Error> {
    let round = &rotation.0[stage as usize].0;
    let start = round.place();
    let mut tenants = waiting(db, stage, start, &ask.full, now).await?;
    if tenants.len() < TENANTS as usize && !start.is_nil() {
        // Once round: those before the start, and then those behind it, which are there already.
        let before = waiting(db, stage, Uuid::nil(), &ask.full, now).await?;
        tenants.extend(before.into_iter().take_while(|tenant| *tenant <= start));
        tenants.truncate(TENANTS as usize);
    }
    if tenants.is_empty() {
        round.turn(Uuid::nil());
        return Ok(None);
    }
    let quantum = quantum(ask.limit, tenants.len());
    Ok(Some(Turn { round, tenants, quantum }))
}

/// Tenants behind `start` with a lane that is ready, in the order of their ids.
async fn waiting(
    db: &mut PgConnection,
    stage: Stage,
    start: Uuid,
    full: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    // Index lanes_waiting: one step per tenant that has such lanes, and one look at each of its priorities. The limit keeps
    // Postgres from reading all that waits into a table of hashes first.
    sqlx::query_scalar!(
        r#"with recursive tenants (id) as (
               (select tenant_id from lanes where stage::integer = $1 and lease_token = 0 and tenant_id > $2
                order by tenant_id limit 1)
               union all
               select (select l.tenant_id from lanes l
                       where l.stage::integer = $1 and l.lease_token = 0 and l.tenant_id > t.id
                       order by l.tenant_id limit 1)
               from tenants t where t.id is not null
           )
           select t.id as "id!" from tenants t
           where t.id is not null and t.id <> all ($3)
             and exists (select from generate_series(0, 2) as p (priority)
                         cross join lateral (
                             select from lanes l
                             where l.stage::integer = $1 and l.lease_token = 0 and l.tenant_id = t.id
                               and l.priority = p.priority and l.ready_at <= $4
                             limit 1
                         ) as ready)
           limit $5"#,
        stage as i32,
        start,
        full,
        now,
        TENANTS
    )
    .fetch_all(db)
    .await
}

/// Claims lanes that are ready, and turns the round to the last tenant that was served.
pub(crate) async fn claim(
    db: &mut PgConnection,
    stage: Stage,
    turn: &Turn<'_>,
    ask: &Claim,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, sqlx::Error> {
    // Index lanes_waiting.
    let rows = sqlx::query!(
        "with ready as (
             select l.tenant_id, l.contact_id, l.stage
             from unnest($1::uuid[]) as t (id)
             cross join lateral (
                 select tenant_id, contact_id, stage from lanes
                 where stage::integer = $2 and lease_token = 0 and tenant_id = t.id and ready_at <= $3
                 order by priority, ready_at limit $4
                 for update skip locked
             ) as l
             limit $5
         )
         update lanes l set ready_at = $6, lease_token = nextval('lease_tokens')
         from ready r
         where l.tenant_id = any (array[r.tenant_id]) and l.contact_id = r.contact_id and l.stage = r.stage
         returning l.tenant_id, l.contact_id, l.lease_token, l.touched, l.done_event, l.attempts, l.priority",
        &turn.tenants,
        stage as i32,
        now,
        i64::try_from(turn.quantum).unwrap_or(i64::MAX),
        i64::try_from(ask.limit).unwrap_or(i64::MAX),
        now + ask.lease
    )
    .fetch_all(db)
    .await?;
    let taken: Vec<Uuid> = rows.iter().map(|row| row.tenant_id).collect();
    if let Some(last) = last_served(&turn.tenants, &taken, ask.limit) {
        turn.round.turn(*last);
    }
    let claimed = rows.into_iter().map(|row| Claimed {
        lease: Lease {
            lane: LaneKey { tenant_id: row.tenant_id, contact_id: row.contact_id },
            token: row.lease_token,
            touched: row.touched,
            more: false,
        },
        done_event: row.done_event,
        attempts: row.attempts,
        priority: row.priority,
    });
    Ok(claimed.collect())
}

/// When the next lane of a stage that nobody owns is ready, if any waits.
pub(crate) async fn next_ready(db: &mut PgConnection, stage: Stage) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // Index lanes_waiting, tenant by tenant.
    sqlx::query_scalar!(
        "with recursive tenants (id) as (
             (select tenant_id from lanes where stage::integer = $1 and lease_token = 0 order by tenant_id limit 1)
             union all
             select (select l.tenant_id from lanes l
                     where l.stage::integer = $1 and l.lease_token = 0 and l.tenant_id > t.id
                     order by l.tenant_id limit 1)
             from tenants t where t.id is not null
         )
         select min(first.ready_at)
         from tenants t
         cross join generate_series(0, 2) as p (priority)
         cross join lateral (
             select ready_at from lanes l
             where l.stage::integer = $1 and l.lease_token = 0 and l.tenant_id = t.id and l.priority = p.priority
             order by ready_at limit 1
         ) as first",
        stage as i32
    )
    .fetch_one(db)
    .await
}
