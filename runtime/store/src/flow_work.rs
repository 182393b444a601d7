//! The flow stage's work: claimed lanes with their events, and the commit of what the flows decided.
//!
//! In: runs of a lane's events in order. Out: run records, next states and outbound messages, in one transaction with
//! the lane's advance. A lane that has been taken over by another owner is left out: nothing of it is written.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::contacts::Place;
use crate::lanes::{self, LaneKey, Lease, Stage};
use crate::outbound::{self, Addressed, Outbound};

/// Events of one lane that a claim loads at the most; the rest comes with the next claim.
const EVENTS_PER_CLAIM: i64 = 16;

/// A claimed lane with its next events.
#[derive(Debug)]
pub struct Work {
    /// Proves the ownership.
    pub lease: Lease,
    /// Events up to this id are done.
    pub done_event: i64,
    /// Former runs of the first event.
    pub attempts: i32,
    /// In order.
    pub events: Vec<Event>,
}

/// An event with what its flow may know.
#[derive(Debug, Clone)]
pub struct Event {
    /// Grows within a lane.
    pub id: i64,
    /// `message`, `status`, ...
    pub kind: String,
    /// The item as it came: JSON text.
    pub raw: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The conversation.
    pub conversation_id: Uuid,
    /// What the last run left.
    pub state: Option<Vec<u8>>,
    /// The contact.
    pub contact_id: Uuid,
    /// The channel it came by.
    pub channel_id: Uuid,
    /// Meta's id of that number.
    pub phone_number_id: String,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// The contact's WhatsApp id.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id.
    pub user_id: Option<String>,
    /// The contact's profile name.
    pub name: Option<String>,
    /// The contact's username.
    pub username: Option<String>,
    /// The tenant's name.
    pub tenant_name: String,
    /// The plugin in charge.
    pub flow: String,
    /// Its configuration: JSON text.
    pub flow_config: String,
}

/// The record of one run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// 1 for the first.
    pub attempt: i32,
    /// name@version.
    pub plugin: String,
    /// SHA-256 of the plugin, hex.
    pub digest: String,
    /// `done`, `retry`, or the code of the failure.
    pub result: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// Actions that it decided.
    pub actions: i32,
    /// Fuel burnt.
    pub fuel: i64,
    /// Time taken, in microseconds.
    pub micros: i64,
    /// Most memory held, in bytes.
    pub memory_bytes: i64,
    /// Log lines: JSON text.
    pub logs: Option<String>,
}

/// What happens to the conversation's state.
#[derive(Debug, Clone)]
pub enum NextState {
    /// Nothing.
    Keep,
    /// It is replaced or removed.
    Set(Option<Vec<u8>>),
}

/// A run and what it decided.
#[derive(Debug)]
pub struct Handled {
    /// The event.
    pub event: Event,
    /// The run.
    pub run: RunRecord,
    /// The next state.
    pub state: NextState,
    /// Messages, in order.
    pub messages: Vec<Outbound>,
}

/// The runs of one claimed lane, to be committed together.
#[derive(Debug)]
pub struct Advance {
    /// Proves the ownership.
    pub lease: Lease,
    /// The runs, in order.
    pub handled: Vec<Handled>,
    /// Events up to this id are done now.
    pub done_event: i64,
    /// When the first event that is not done is to be run again, and how often it was run.
    pub again: Option<(DateTime<Utc>, i32)>,
}

impl Store {
    /// Claims up to `limit` lanes with events, for `lease`.
    pub async fn claim_events(&self, limit: i64, lease: TimeDelta) -> Result<Vec<Work>, crate::Error> {
        let mut tx = self.pool.begin().await?;
        let claimed = lanes::claim(&mut tx, Stage::Flow, limit, self.ambient.now(), lease).await?;
        let mut work: Vec<Work> = claimed
            .into_iter()
            .map(|lane| Work {
                lease: lane.lease,
                done_event: lane.done_event,
                attempts: lane.attempts,
                events: Vec::new(),
            })
            .collect();
        if !work.is_empty() {
            load(&mut tx, &mut work).await?;
        }
        tx.commit().await?;
        Ok(work)
    }

    /// Commits lanes' runs in one transaction. For each lane: whether it was still owned; if not, nothing of it was
    /// written.
    pub async fn commit_runs(&self, lanes: &[Arc<Advance>]) -> Result<Vec<bool>, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let held = lanes::hold(&mut tx, Stage::Flow, lanes.iter().map(|advance| advance.lease)).await?;
        let owned: Vec<&Arc<Advance>> = lanes.iter().filter(|advance| held.contains(&advance.lease.lane)).collect();
        record(&mut tx, &owned, now).await?;
        keep_states(&mut tx, &owned).await?;
        let outbound: Vec<Addressed<'_>> = owned.iter().flat_map(|advance| advance.outbound()).collect();
        outbound::insert(&mut tx, &outbound, now).await?;
        advance(&mut tx, &owned, now).await?;
        tx.commit().await?;
        if !outbound.is_empty() {
            self.wakes.delivery.notify_one();
        }
        Ok(lanes.iter().map(|advance| held.contains(&advance.lease.lane)).collect())
    }

    /// When the flow stage's next lane is ready, if one waits.
    pub async fn next_event(&self) -> Result<Option<DateTime<Utc>>, crate::Error> {
        Ok(lanes::next_ready(&mut *self.pool.acquire().await?, Stage::Flow).await?)
    }
}

impl Advance {
    fn outbound(&self) -> impl Iterator<Item = Addressed<'_>> {
        let LaneKey { tenant_id, contact_id } = self.lease.lane;
        self.handled.iter().flat_map(move |handled| {
            let place = Place { contact_id, conversation_id: handled.event.conversation_id };
            let channel_id = handled.event.channel_id;
            handled.messages.iter().map(move |message| Addressed { tenant_id, channel_id, place, message })
        })
    }
}

async fn load(db: &mut PgConnection, work: &mut [Work]) -> Result<(), sqlx::Error> {
    // Index events_lane, then primary keys.
    let rows = sqlx::query!(
        r#"select k.place as "place!", e.id, e.kind, e.raw::text as "raw!", e.occurred_at, e.received_at,
                  cv.id as conversation_id, cv.state, cv.channel_id, ch.phone_number_id, ch.display_phone_number,
                  ct.wa_id, ct.user_id, ct.name, ct.username, t.name as tenant_name, t.flow,
                  t.flow_config::text as "flow_config!"
           from unnest($1::uuid[], $2::uuid[], $3::bigint[])
                with ordinality as k (tenant_id, contact_id, done_event, place)
           cross join lateral (
               select * from events
               where tenant_id = k.tenant_id and contact_id = k.contact_id and id > k.done_event
               order by id limit $4
           ) as e
           join conversations cv on cv.tenant_id = k.tenant_id and cv.id = e.conversation_id
           join channels ch on ch.tenant_id = k.tenant_id and ch.id = cv.channel_id
           join contacts ct on ct.tenant_id = k.tenant_id and ct.id = k.contact_id
           join tenants t on t.id = k.tenant_id
           order by k.place, e.id"#,
        &work.iter().map(|lane| lane.lease.lane.tenant_id).collect::<Vec<_>>(),
        &work.iter().map(|lane| lane.lease.lane.contact_id).collect::<Vec<_>>(),
        &work.iter().map(|lane| lane.done_event).collect::<Vec<_>>(),
        EVENTS_PER_CLAIM
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let Some(lane) = usize::try_from(row.place).ok().and_then(|place| work.get_mut(place - 1)) else { continue };
        lane.events.push(Event {
            id: row.id,
            kind: row.kind,
            raw: row.raw,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            conversation_id: row.conversation_id,
            state: row.state,
            contact_id: lane.lease.lane.contact_id,
            channel_id: row.channel_id,
            phone_number_id: row.phone_number_id,
            display_phone_number: row.display_phone_number,
            wa_id: row.wa_id,
            user_id: row.user_id,
            name: row.name,
            username: row.username,
            tenant_name: row.tenant_name,
            flow: row.flow,
            flow_config: row.flow_config,
        });
    }
    Ok(())
}

async fn record(db: &mut PgConnection, lanes: &[&Arc<Advance>], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let runs: Vec<(Uuid, i64, &RunRecord)> = lanes
        .iter()
        .flat_map(|lane| lane.handled.iter().map(|h| (lane.lease.lane.tenant_id, h.event.id, &h.run)))
        .collect();
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into flow_runs (tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros,
                                memory_bytes, logs, at)
         select tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros, memory_bytes,
                logs::json, $13
         from unnest($1::uuid[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
                     $9::bigint[], $10::bigint[], $11::bigint[], $12::text[])
              as k (tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros, memory_bytes,
                    logs)",
        &runs.iter().map(|(tenant, _, _)| *tenant).collect::<Vec<_>>(),
        &runs.iter().map(|(_, event, _)| *event).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.attempt).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.plugin.clone()).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.digest.clone()).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.result.clone()).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        &runs.iter().map(|(_, _, run)| run.actions).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.fuel).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.micros).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.memory_bytes).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.logs.clone()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last state of each conversation counts, and its last message from the contact.
async fn keep_states(db: &mut PgConnection, lanes: &[&Arc<Advance>]) -> Result<(), sqlx::Error> {
    struct Last<'a> {
        tenant_id: Uuid,
        conversation_id: Uuid,
        state: Option<(&'a Option<Vec<u8>>, &'a str)>,
        inbound_at: Option<DateTime<Utc>>,
    }
    let mut conversations: Vec<Last<'_>> = Vec::new();
    for lane in lanes {
        let start = conversations.len();
        for handled in &lane.handled {
            let (tenant_id, conversation_id) = (lane.lease.lane.tenant_id, handled.event.conversation_id);
            // A lane has one conversation per channel: few.
            let known = conversations[start..].iter().position(|last| last.conversation_id == conversation_id);
            let place = known.map_or(conversations.len(), |known| start + known);
            if known.is_none() {
                conversations.push(Last { tenant_id, conversation_id, state: None, inbound_at: None });
            }
            let last = &mut conversations[place];
            if let NextState::Set(state) = &handled.state {
                last.state = Some((state, &handled.run.plugin));
            }
            if handled.event.kind == "message" {
                last.inbound_at = last.inbound_at.max(Some(handled.event.occurred_at));
            }
        }
    }
    conversations.retain(|last| last.state.is_some() || last.inbound_at.is_some());
    if conversations.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update conversations c set
             state = case when k.changed then k.state else c.state end,
             state_plugin = case when k.changed then k.plugin else c.state_plugin end,
             last_inbound_at = greatest(c.last_inbound_at, k.inbound_at)
         from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bytea[], $5::text[], $6::timestamptz[])
              as k (tenant_id, id, changed, state, plugin, inbound_at)
         where c.tenant_id = k.tenant_id and c.id = k.id",
        &conversations.iter().map(|last| last.tenant_id).collect::<Vec<_>>(),
        &conversations.iter().map(|last| last.conversation_id).collect::<Vec<_>>(),
        &conversations.iter().map(|last| last.state.is_some()).collect::<Vec<_>>(),
        &conversations.iter().map(|last| last.state.and_then(|(state, _)| state.clone())).collect::<Vec<_>>()
            as &[Option<Vec<u8>>],
        &conversations.iter().map(|last| last.state.map(|(_, plugin)| plugin.to_owned())).collect::<Vec<_>>()
            as &[Option<String>],
        &conversations.iter().map(|last| last.inbound_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes the lanes that have nothing left, and gives the others back. They are locked: nothing can be added to them
/// between the look and the deletion.
async fn advance(db: &mut PgConnection, lanes: &[&Arc<Advance>], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with done as (
             select l.tenant_id, l.contact_id, k.done_event, k.ready_at, k.attempts,
                    k.ready_at is null and not exists (
                        select from events e
                        where e.tenant_id = l.tenant_id and e.contact_id = l.contact_id and e.id > k.done_event
                    ) as empty
             from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::int[])
                  as k (tenant_id, contact_id, done_event, ready_at, attempts)
             join lanes l on l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 0
         ), gone as (
             delete from lanes l using done d
             where l.tenant_id = d.tenant_id and l.contact_id = d.contact_id and l.stage = 0 and d.empty
         )
         update lanes l set done_event = d.done_event, ready_at = coalesce(d.ready_at, $6), attempts = d.attempts
         from done d
         where l.tenant_id = d.tenant_id and l.contact_id = d.contact_id and l.stage = 0 and not d.empty",
        &lanes.iter().map(|lane| lane.lease.lane.tenant_id).collect::<Vec<_>>(),
        &lanes.iter().map(|lane| lane.lease.lane.contact_id).collect::<Vec<_>>(),
        &lanes.iter().map(|lane| lane.done_event).collect::<Vec<_>>(),
        &lanes.iter().map(|lane| lane.again.map(|(at, _)| at)).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &lanes.iter().map(|lane| lane.again.map_or(0, |(_, attempts)| attempts)).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
