//! Lanes: one per contact and stage while work waits there. Fenced by a token that only grows.
//!
//! The protocol: who adds work locks or creates the lane first ([`open`]), and may own a lane that it creates; who
//! claims ([`claim`]) one without an owner moves `ready_at` to the end of its lease and draws a token; who works for long
//! puts that end off ([`Store::extend_leases`]); who finishes locks its lanes by token and closes them in the statement
//! that writes down what came of its work ([`crate::decisions`], `deliveries/settle.rs`): a lane to which nothing was added
//! meanwhile is deleted. An owner whose lease ran out and was taken over holds nothing any more: its results are refused.

mod claim;
mod turns;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

pub use claim::Claim;
pub(crate) use claim::{Claimed, Rotation, Round, claim, free_lost, next_ready, whose_turn};
pub(crate) use turns::{last_served, quantum};

use crate::{Error, Store};

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

/// An owned lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: LaneKey,
    /// Proves the ownership.
    pub token: i64,
    /// How often work had been added when the owner looked.
    pub touched: i32,
    /// More work waits in the lane than the owner took.
    pub more: bool,
}

/// Which lanes of a batch shall belong to this process when they are created by it: their work then needs no claim.
#[derive(Debug, Clone, Copy)]
pub struct Births<'a> {
    /// For each member of the batch; what is missing here shall not.
    pub own: &'a [bool],
    /// For how long.
    pub lease: TimeDelta,
}

impl Births<'_> {
    /// All work is left to claims.
    pub const NONE: Births<'static> = Births { own: &[], lease: TimeDelta::zero() };

    pub(crate) fn own(&self, place: usize) -> bool {
        self.own.get(place).copied().unwrap_or(false)
    }
}

/// A lane that is about to get work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub key: LaneKey,
    /// It shall belong to this process if it does not exist yet.
    pub own: bool,
    /// The smaller, the sooner.
    pub priority: i16,
}

impl Opening {
    /// For work that is left to claims.
    pub fn of(key: LaneKey) -> Self {
        Self { key, own: false, priority: 0 }
    }
}

/// Lanes that were opened.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// Those that belong to this process now.
    pub leases: HashMap<LaneKey, Lease>,
    /// Some can be claimed at once. Of the others the owner goes on with them, or their time is to come.
    pub waits: bool,
}

/// Locks the lanes until the transaction ends, creating those that are missing. A lane that is named several times is
/// owned only when all of them want it.
pub(crate) async fn open(
    db: &mut PgConnection,
    stage: Stage,
    openings: impl IntoIterator<Item = Opening>,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Opened, sqlx::Error> {
    let openings = distinct(openings);
    if openings.is_empty() {
        return Ok(Opened::default());
    }
    // The events' sequence moves past all events that the lane has had: they were added under its lock. Only who has to
    // wait for that lock drew its number before, and events may have come and gone since: the claim looks which are
    // done.
    let rows = sqlx::query!(
        "insert into lanes (tenant_id, contact_id, stage, ready_at, lease_token, done_event, priority)
         select tenant_id, contact_id, $5, case when own then $7::timestamptz else $6 end,
                case when own then nextval('lease_tokens') else 0 end, nextval('events_id_seq'), priority
         from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::smallint[]) as k (tenant_id, contact_id, own, priority)
         on conflict (tenant_id, contact_id, stage)
         do update set touched = lanes.touched + 1, priority = least(lanes.priority, excluded.priority)
         returning tenant_id, contact_id, ready_at, lease_token, touched",
        &openings.iter().map(|opening| opening.key.tenant_id).collect::<Vec<_>>(),
        &openings.iter().map(|opening| opening.key.contact_id).collect::<Vec<_>>(),
        &openings.iter().map(|opening| opening.own).collect::<Vec<_>>(),
        &openings.iter().map(|opening| opening.priority).collect::<Vec<_>>(),
        stage as i16,
        now,
        now + lease
    )
    .fetch_all(db)
    .await?;
    let mut opened = Opened::default();
    for row in rows {
        let lane = LaneKey { tenant_id: row.tenant_id, contact_id: row.contact_id };
        opened.add(&openings, lane, (row.lease_token, row.touched), row.ready_at <= now);
    }
    Ok(opened)
}

/// In the order of their keys, in which all lock them; each once.
pub(crate) fn distinct(openings: impl IntoIterator<Item = Opening>) -> Vec<Opening> {
    let mut openings: Vec<Opening> = openings.into_iter().collect();
    openings.sort_unstable_by_key(|opening| opening.key);
    openings.dedup_by(|next, kept| {
        let same = next.key == kept.key;
        if same {
            kept.own &= next.own;
            kept.priority = kept.priority.min(next.priority);
        }
        same
    });
    openings
}

impl Opened {
    /// One of these lanes is open: its token, how often it was touched before, and whether its time has come.
    pub fn add(&mut self, openings: &[Opening], lane: LaneKey, (token, touched): (i64, i32), is_ready: bool) {
        let own = openings.binary_search_by_key(&lane, |opening| opening.key).is_ok_and(|place| openings[place].own);
        // A lane that existed has been touched.
        if touched == 0 && own {
            self.leases.insert(lane, Lease { lane, token, touched: 0, more: false });
        } else {
            self.waits |= is_ready;
        }
    }
}

/// Makes lanes that were given back ready at once.
pub(crate) async fn hurry(
    db: &mut PgConnection,
    stage: Stage,
    lanes: &[LaneKey],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if lanes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update lanes l set ready_at = $4
         from (select *, $3::smallint as stage from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
               offset 0) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage
           and l.lease_token < 1",
        &lanes.iter().map(|lane| lane.tenant_id).collect::<Vec<_>>(),
        &lanes.iter().map(|lane| lane.contact_id).collect::<Vec<_>>(),
        stage as i16,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// Puts off the end of these leases to `lease` from now, where they still hold. The heartbeat of long work.
    pub async fn extend_leases(&self, stage: Stage, leases: &[Lease], lease: TimeDelta) -> Result<(), Error> {
        let (tenants, contacts, tokens) = columns(leases.iter().copied());
        // Locked in the order of their keys, as everywhere.
        sqlx::query!(
            "with held as (
                 select k.tenant_id, k.contact_id, $4::smallint as stage
                 from unnest($1::uuid[], $2::uuid[], $3::bigint[])
                      with ordinality as k (tenant_id, contact_id, token, place)
                 cross join lateral (
                     select from lanes
                     where tenant_id = k.tenant_id and contact_id = k.contact_id and stage = $4
                       and lease_token = k.token
                     for update
                 ) as l
             )
             update lanes l set ready_at = greatest(l.ready_at, $5) from held h
             where l.tenant_id = any (array[h.tenant_id]) and l.contact_id = h.contact_id and l.stage = h.stage",
            &tenants,
            &contacts,
            &tokens,
            stage as i16,
            self.ambient.now() + lease
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Parallel arrays, sorted by lane: tenants, contacts, tokens.
fn columns(leases: impl IntoIterator<Item = Lease>) -> (Vec<Uuid>, Vec<Uuid>, Vec<i64>) {
    let mut leases: Vec<Lease> = leases.into_iter().collect();
    leases.sort_unstable_by_key(|lease| lease.lane);
    let tenants = leases.iter().map(|lease| lease.lane.tenant_id).collect();
    let contacts = leases.iter().map(|lease| lease.lane.contact_id).collect();
    (tenants, contacts, leases.iter().map(|lease| lease.token).collect())
}
