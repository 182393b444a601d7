//! The claim of lanes with their events, and the adoption of lanes that were born here.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{Around, Born, EVENTS_AT_ONCE, Event, Work, around};
use crate::Store;
use crate::lanes::{self, Claim, Claimed, LaneKey, Stage};
use crate::traces;

/// A row of the journal.
struct Entry {
    id: i64,
    kind: String,
    raw: String,
    conversation_id: Uuid,
    occurred_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    trace: Option<TraceContext>,
}

impl Store {
    /// Claims lanes with events.
    pub async fn claim_events(&self, ask: &Claim) -> Result<Vec<Work>, crate::Error> {
        let now = self.ambient.now();
        let mut db = self.pool.acquire().await?;
        lanes::free_lost(&mut db, Stage::Flow, &self.rotation, now).await?;
        let Some(turn) = lanes::whose_turn(&mut db, Stage::Flow, &self.rotation, ask, now).await? else {
            return Ok(Vec::new());
        };
        let mut tx = db.begin().await?;
        let claimed = lanes::claim(&mut tx, Stage::Flow, &turn, ask, now).await?;
        let mut work: Vec<(Work, Vec<Entry>)> = claimed
            .into_iter()
            .map(|lane| {
                let Claimed { lease, done_event, attempts, .. } = lane;
                (Work { lease, done_event, attempts, events: Vec::new() }, Vec::new())
            })
            .collect();
        if !work.is_empty() {
            load(&mut tx, &mut work).await?;
        }
        let work = surround(&mut tx, work).await?;
        tx.commit().await?;
        Ok(work)
    }

    /// Loads what the flows may know around the events of lanes that were born here.
    pub async fn adopt(&self, born: Vec<Born>) -> Result<Vec<Work>, crate::Error> {
        let work = born.into_iter().map(|Born { lease, events }| {
            let entries: Vec<Entry> = events
                .into_iter()
                .filter_map(|event| {
                    let item = event.arrival.item()?;
                    Some(Entry {
                        id: event.id,
                        kind: item.kind.clone(),
                        raw: item.raw.clone(),
                        conversation_id: event.conversation_id,
                        occurred_at: item.occurred_at,
                        received_at: item.received_at,
                        trace: item.trace,
                    })
                })
                .collect();
            let done_event = entries.first().map_or(0, |entry| entry.id - 1);
            (Work { lease, done_event, attempts: 0, events: Vec::new() }, entries)
        });
        let mut db = self.hot.statements().await?;
        let work = surround(&mut db, work.collect()).await?;
        db.commit().await?;
        Ok(work)
    }
}

/// Entries become events.
async fn surround(db: &mut PgConnection, work: Vec<(Work, Vec<Entry>)>) -> Result<Vec<Work>, sqlx::Error> {
    let mut conversations: Vec<(Uuid, Uuid)> = Vec::new();
    for (work, entries) in &work {
        conversations.extend(entries.iter().map(|entry| (work.lease.lane.tenant_id, entry.conversation_id)));
    }
    let surroundings: HashMap<Uuid, Around> = around::load(db, conversations).await?;
    let whole = work.into_iter().map(|(mut work, entries)| {
        let LaneKey { contact_id, .. } = work.lease.lane;
        let event = |entry: Entry| {
            let around = surroundings.get(&entry.conversation_id)?.clone();
            let Entry { id, kind, raw, conversation_id, occurred_at, received_at, trace } = entry;
            Some(Event { id, kind, raw, occurred_at, received_at, conversation_id, contact_id, around, trace })
        };
        work.events = entries.into_iter().filter_map(event).collect();
        work
    });
    Ok(whole.collect())
}

/// The next entries of each lane.
async fn load(db: &mut PgConnection, work: &mut [(Work, Vec<Entry>)]) -> Result<(), sqlx::Error> {
    // Index events_lane; of flow_runs the primary key.
    let rows = sqlx::query!(
        r#"select k.place as "place!", e.id, e.kind, e.raw::text as "raw!", e.occurred_at, e.received_at,
                  e.conversation_id as "conversation_id!", e.traceparent, run.result is not null as "done!"
           from unnest($1::uuid[], $2::uuid[], $3::bigint[])
                with ordinality as k (tenant_id, contact_id, done_event, place)
           cross join lateral (
               select * from events
               where tenant_id = k.tenant_id and contact_id = k.contact_id and id > k.done_event
               order by id limit $4
           ) as e
           left join lateral (
               select result from flow_runs
               where tenant_id = e.tenant_id and event_id = e.id and result not in ('retry', 'canary-failed', 'paused')
               order by tenant_id, event_id, attempt limit 1
           ) as run on true
           order by k.place, e.id"#,
        &work.iter().map(|(lane, _)| lane.lease.lane.tenant_id).collect::<Vec<_>>(),
        &work.iter().map(|(lane, _)| lane.lease.lane.contact_id).collect::<Vec<_>>(),
        &work.iter().map(|(lane, _)| lane.done_event).collect::<Vec<_>>(),
        // One more than is taken: whether the lane has more is known then.
        EVENTS_AT_ONCE as i64 + 1
    )
    .fetch_all(db)
    .await?;
    let mut seen = vec![0; work.len()];
    for row in rows {
        let Some(place) = usize::try_from(row.place).ok().map(|place| place - 1) else { continue };
        let Some((lane, entries)) = work.get_mut(place) else { continue };
        seen[place] += 1;
        if seen[place] > EVENTS_AT_ONCE {
            lane.lease.more = true;
            continue;
        }
        if row.done {
            // The lane was opened by somebody who had waited while these were done, or has taken over those of another.
            if entries.is_empty() {
                lane.done_event = row.id;
            }
            continue;
        }
        entries.push(Entry {
            id: row.id,
            kind: row.kind,
            raw: row.raw,
            conversation_id: row.conversation_id,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            trace: traces::read(row.traceparent),
        });
    }
    Ok(())
}
