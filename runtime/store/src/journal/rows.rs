//! From arrivals to rows: which events and messages a batch adds, to which lanes, and what of it is this process' own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Arrival, Inbound, Item};
use crate::ambient::Ambient;
use crate::contacts::{Learned, Party, Place};
use crate::flow_work::{Born, BornEvent, EVENTS_AT_ONCE};
use crate::lanes::{Births, LaneKey, Lease, Opening};
use crate::statuses::Target;
use crate::traces;

/// A row of `events` in the making.
pub(super) struct Row<'a> {
    pub item: &'a Item,
    pub place: Option<Place>,
    /// Place in the batch, and the message to add when the event is new.
    pub arrival: usize,
    pub message: Option<&'a Inbound>,
}

impl Row<'_> {
    /// Where its flow sees it.
    pub fn lane(&self) -> Option<LaneKey> {
        let is_for_flow = self.message.is_none_or(|message| message.is_for_flow());
        self.place
            .filter(|_| is_for_flow)
            .map(|place| LaneKey { tenant_id: self.item.tenant_id, contact_id: place.contact_id })
    }
}

/// The lanes of the rows. One with more events than a claim would load is left to claims.
pub(super) fn openings(rows: &[Row<'_>], births: Births<'_>) -> Vec<Opening> {
    let mut events: HashMap<LaneKey, usize> = HashMap::new();
    for lane in rows.iter().filter_map(Row::lane) {
        *events.entry(lane).or_default() += 1;
    }
    let opening = |row: &Row<'_>| {
        let key = row.lane()?;
        Some(Opening { key, own: births.own(row.arrival) && events[&key] <= EVENTS_AT_ONCE, priority: 0 })
    };
    rows.iter().filter_map(opening).collect()
}

/// The owned lanes with their events. One in which everything was a repeat has none, and is to be closed all the same.
pub(super) fn born(
    rows: &[Row<'_>],
    stored: &HashMap<usize, i64>,
    leases: HashMap<LaneKey, Lease>,
    arrivals: &[Arc<Arrival>],
) -> Vec<Born> {
    let mut born: HashMap<LaneKey, Born> =
        leases.into_iter().map(|(lane, lease)| (lane, Born { lease, events: Vec::new() })).collect();
    for row in rows {
        let Some((lane, place)) = row.lane().zip(row.place) else { continue };
        if let (Some(born), Some(id)) = (born.get_mut(&lane), stored.get(&row.arrival)) {
            let (conversation_id, arrival) = (place.conversation_id, arrivals[row.arrival].clone());
            born.events.push(BornEvent { id: *id, conversation_id, arrival });
        }
    }
    for born in born.values_mut() {
        born.events.sort_unstable_by_key(|event| event.id);
    }
    born.into_values().collect()
}

/// The events to append: messages, other items, statuses for the flow, and statuses of messages that are not ours.
/// A repeat within the batch is left out.
pub(super) fn rows<'a>(
    arrivals: &'a [Arc<Arrival>],
    places: &HashMap<Party, Place>,
    targets: &HashMap<usize, Target>,
) -> Vec<Row<'a>> {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for (arrival, what) in arrivals.iter().enumerate() {
        let row = match &**what {
            Arrival::Message(message) => {
                let place = places.get(&message.party).copied();
                Row { item: &message.item, place, arrival, message: Some(message) }
            }
            Arrival::Status(progress) => match targets.get(&arrival) {
                Some(target) if progress.for_flow => {
                    Row { item: &progress.item, place: Some(target.place), arrival, message: None }
                }
                Some(_) => continue,
                None => Row { item: &progress.item, place: None, arrival, message: None },
            },
            Arrival::Notice(notice) => Row { item: &notice.item, place: None, arrival, message: None },
            Arrival::Watermark(watermark) => Row { item: &watermark.item, place: None, arrival, message: None },
            Arrival::Echo(echo) => Row { item: &echo.item, place: None, arrival, message: None },
            Arrival::Other(item) => Row { item, place: None, arrival, message: None },
            Arrival::Unrouted(_) => continue,
        };
        if seen.insert((row.item.channel_id, &row.item.kind, &row.item.external_id)) {
            rows.push(row);
        }
    }
    rows
}

/// Inserts what is new; gives the event id of each such arrival. Events of contacts that are others by now are left out.
pub(super) async fn insert_events(db: &mut PgConnection, rows: &[Row<'_>]) -> Result<HashMap<usize, i64>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let stored = sqlx::query!(
        "insert into events (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw, note,
                             occurred_at, received_at, traceparent)
         select tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw::json, note,
                occurred_at, received_at, traceparent
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::timestamptz[], $11::text[])
              with ordinality as k (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw, note,
                                    occurred_at, received_at, traceparent, place)
         where not exists (select from merged_contacts g where g.tenant_id = k.tenant_id and g.contact_id = k.contact_id)
         order by place
         on conflict (tenant_id, channel_id, kind, external_id) do nothing
         returning id, channel_id, kind, external_id",
        &rows.iter().map(|row| row.item.tenant_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.channel_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.place.map(|place| place.conversation_id)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|row| row.lane().map(|lane| lane.contact_id)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|row| row.item.kind.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.external_id.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.raw.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.note.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.item.occurred_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.received_at).collect::<Vec<_>>(),
        &traces::column(rows.iter().map(|row| row.item.trace)) as &[Option<String>]
    )
    .fetch_all(db)
    .await?;
    let arrivals: HashMap<_, _> = rows
        .iter()
        .map(|row| ((row.item.channel_id, row.item.kind.as_str(), row.item.external_id.as_str()), row.arrival))
        .collect();
    let ids = stored.iter().filter_map(|row| {
        let arrival = arrivals.get(&(row.channel_id, row.kind.as_str(), row.external_id.as_str()))?;
        Some((*arrival, row.id))
    });
    Ok(ids.collect())
}

/// Inserts the messages of new events, and writes down when their conversations' contacts wrote last, as far as that is
/// news; gives the messages' ids.
pub(super) async fn insert_messages(
    db: &mut PgConnection,
    ambient: &Ambient,
    fresh: &[(i64, &Inbound, Place)],
    learned: &Learned,
) -> Result<Vec<Uuid>, sqlx::Error> {
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = fresh.iter().map(|_| ambient.id()).collect();
    let heard = heard(fresh, learned);
    sqlx::query!(
        "with heard as (
             update conversations c set last_inbound_at = greatest(c.last_inbound_at, h.at)
             from unnest($9::uuid[], $10::uuid[], $11::timestamptz[]) as h (tenant_id, id, at)
             where c.tenant_id = any (array[h.tenant_id]) and c.id = h.id
         )
         insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, wa_message_id, event_id,
                               created_at, updated_at)
         select tenant_id, id, conversation_id, 'IN', 'received', kind, body, wa_message_id, event_id,
                received_at, received_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::timestamptz[])
              as k (tenant_id, id, conversation_id, kind, body, wa_message_id, event_id, received_at)",
        &fresh.iter().map(|(_, message, _)| message.item.tenant_id).collect::<Vec<_>>(),
        &ids,
        &fresh.iter().map(|(_, _, place)| place.conversation_id).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, message, _)| message.kind.clone()).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, message, _)| message.body.clone()).collect::<Vec<_>>() as &[Option<String>],
        &fresh.iter().map(|(_, message, _)| message.item.external_id.clone()).collect::<Vec<_>>(),
        &fresh.iter().map(|(event_id, _, _)| *event_id).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, message, _)| message.item.received_at).collect::<Vec<_>>(),
        &heard.keys().map(|key| key.0).collect::<Vec<_>>(),
        &heard.keys().map(|key| key.1).collect::<Vec<_>>(),
        &heard.values().copied().collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(ids)
}

/// When contacts wrote last, by tenant and conversation: of those that were silent for a while before, so that not every
/// message rewrites its conversation. What Meta tells, and what stands in a group, is not said to us.
fn heard(fresh: &[(i64, &Inbound, Place)], learned: &Learned) -> BTreeMap<(Uuid, Uuid), DateTime<Utc>> {
    let news = learned.parties();
    let mut heard: BTreeMap<(Uuid, Uuid), DateTime<Utc>> = BTreeMap::new();
    for (_, message, place) in fresh.iter().filter(|(_, message, _)| news.contains(&message.party)) {
        if !message.is_aside() {
            let said_at = message.item.occurred_at.min(message.item.received_at);
            let at = heard.entry((message.item.tenant_id, place.conversation_id)).or_insert(said_at);
            *at = said_at.max(*at);
        }
    }
    heard
}
