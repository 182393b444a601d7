//! From arrivals to rows: which events and messages a batch adds, to which lanes, and what of it is this process' own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Arrival, Inbound, Item};
use crate::ambient::Ambient;
use crate::composite::composite;
use crate::contacts::{Learned, Party, Place};
use crate::flow_work::{Born, BornEvent, EVENTS_AT_ONCE};
use crate::lanes::{self, Births, LaneKey, Lease, Opened, Opening};
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
fn openings(rows: &[Row<'_>], births: Births<'_>) -> Vec<Opening> {
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

/// A lane to open.
#[derive(sqlx::Encode)]
struct NewLane {
    tenant_id: Uuid,
    contact_id: Uuid,
    own: bool,
}
composite!(NewLane, "new_lane");

/// An event, with its message.
#[derive(sqlx::Encode)]
struct NewEvent<'a> {
    tenant_id: Uuid,
    channel_id: Uuid,
    conversation_id: Option<Uuid>,
    contact_id: Option<Uuid>,
    kind: &'a str,
    external_id: &'a str,
    raw: &'a str,
    note: Option<&'a str>,
    occurred_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    traceparent: Option<String>,
    message_id: Option<Uuid>,
    message_kind: Option<&'a str>,
    body: Option<&'a str>,
}
composite!(NewEvent<'_>, "new_event");

impl<'a> NewEvent<'a> {
    fn of(row: &Row<'a>, message_id: Option<Uuid>) -> Self {
        let (item, message) = (row.item, row.message);
        Self {
            tenant_id: item.tenant_id,
            channel_id: item.channel_id,
            conversation_id: row.place.map(|place| place.conversation_id),
            contact_id: row.lane().map(|lane| lane.contact_id),
            kind: &item.kind,
            external_id: &item.external_id,
            raw: &item.raw,
            note: item.note.as_deref(),
            occurred_at: item.occurred_at,
            received_at: item.received_at,
            traceparent: traces::write(item.trace),
            message_id,
            message_kind: message.map(|message| message.kind.as_str()),
            body: message.and_then(|message| message.body.as_deref()),
        }
    }
}

/// What became of rows.
pub(super) struct Stored {
    pub opened: Opened,
    /// The ids of events that are new, by arrival.
    pub events: HashMap<usize, i64>,
    /// Those of their messages.
    pub messages: HashMap<usize, Uuid>,
}

/// Opens the lanes and inserts what is new, in one statement: a webhook that waits for nothing else waits for one answer of
/// the database. Fails when a contact has been merged into another meanwhile ([`identity::is_merged`]).
pub(super) async fn insert(
    db: &mut PgConnection,
    ambient: &Ambient,
    rows: &[Row<'_>],
    births: Births<'_>,
    now: DateTime<Utc>,
) -> Result<Stored, sqlx::Error> {
    let mut stored = Stored { opened: Opened::default(), events: HashMap::new(), messages: HashMap::new() };
    if rows.is_empty() {
        return Ok(stored);
    }
    let openings = lanes::distinct(openings(rows, births));
    let ids: Vec<Option<Uuid>> = rows.iter().map(|row| row.message.map(|_| ambient.id())).collect();
    let lane = |opening: &Opening| {
        let LaneKey { tenant_id, contact_id } = opening.key;
        NewLane { tenant_id, contact_id, own: opening.own }
    };
    let lanes: Vec<NewLane> = openings.iter().map(lane).collect();
    let events: Vec<NewEvent<'_>> = rows.iter().zip(&ids).map(|(row, id)| NewEvent::of(row, *id)).collect();
    // As in `lanes::open`. Each step asks for what the one before it gives: the lanes are locked before anything is looked
    // at or numbered, and the numbers are in the order of the rows.
    let found = sqlx::query!(
        r#"with opened as (
               insert into lanes (tenant_id, contact_id, stage, ready_at, lease_token, done_event)
               select tenant_id, contact_id, 0, case when own then $4::timestamptz else $3 end,
                      case when own then nextval('lease_tokens') else 0 end, nextval('events_id_seq')
               from unnest($1::new_lane[])
               on conflict (tenant_id, contact_id, stage)
               do update set touched = lanes.touched + 1, priority = least(lanes.priority, excluded.priority)
               returning tenant_id, contact_id, ready_at, lease_token, touched
           ), locked as materialized (
               select refuse_merged(array_agg(tenant_id), array_agg(contact_id)) as all_are_there from opened
           ), news as materialized (
               select k.*, k.ordinality as place, nextval('events_id_seq') as id
               from locked
               cross join unnest($2::new_event[]) with ordinality as k
               where all_are_there
           ), stored as (
               insert into events (tenant_id, id, channel_id, conversation_id, contact_id, kind, external_id, raw, note,
                                   occurred_at, received_at, traceparent)
               overriding system value
               select tenant_id, id, channel_id, conversation_id, contact_id, kind, external_id, raw::json, note,
                      occurred_at, received_at, traceparent
               from news
               on conflict (tenant_id, channel_id, kind, external_id) do nothing
               returning id
           ), written as (
               insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, wa_message_id,
                                     event_id, created_at, updated_at)
               select tenant_id, message_id, conversation_id, 'IN', 'received', message_kind, body, external_id, id,
                      received_at, received_at
               from news where message_id is not null and id = any (array(select id from stored))
           )
           select null as place, null as id, tenant_id, contact_id, ready_at, lease_token, touched from opened
           union all
           select place, id, null, null, null, null, null from news where id = any (array(select id from stored))"#,
        &lanes as &[NewLane],
        &events as &[NewEvent<'_>],
        now,
        now + births.lease
    )
    .fetch_all(db)
    .await?;
    for row in found {
        let place = row.place.and_then(|place| usize::try_from(place - 1).ok());
        if let (Some(place), Some(id)) = (place, row.id) {
            let Some(of) = rows.get(place) else { continue };
            stored.events.insert(of.arrival, id);
            stored.messages.extend(ids[place].map(|id| (of.arrival, id)));
        } else if let (Some(tenant_id), Some(contact_id), Some(ready_at), Some(token), Some(touched)) =
            (row.tenant_id, row.contact_id, row.ready_at, row.lease_token, row.touched)
        {
            let lane = LaneKey { tenant_id, contact_id };
            stored.opened.add(&openings, lane, (token, touched), ready_at <= now);
        }
    }
    Ok(stored)
}

/// Writes down when conversations' contacts wrote last, as far as that is news. Done again it changes nothing.
pub(super) async fn hear(db: &mut PgConnection, rows: &[Row<'_>], learned: &Learned) -> Result<(), sqlx::Error> {
    let heard = heard(rows, learned);
    if heard.is_empty() {
        return Ok(());
    }
    // Primary key.
    sqlx::query!(
        "update conversations c set last_inbound_at = greatest(c.last_inbound_at, h.at)
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as h (tenant_id, id, at)
         where c.tenant_id = any (array[h.tenant_id]) and c.id = h.id",
        &heard.keys().map(|key| key.0).collect::<Vec<_>>(),
        &heard.keys().map(|key| key.1).collect::<Vec<_>>(),
        &heard.values().copied().collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// When contacts wrote last, by tenant and conversation: of those that were silent for a while before, so that not every
/// message rewrites its conversation. What Meta tells, and what stands in a group, is not said to us.
fn heard(rows: &[Row<'_>], learned: &Learned) -> BTreeMap<(Uuid, Uuid), DateTime<Utc>> {
    let news = learned.parties();
    let mut heard: BTreeMap<(Uuid, Uuid), DateTime<Utc>> = BTreeMap::new();
    let spoken = rows.iter().filter_map(|row| row.message.zip(row.place));
    for (message, place) in spoken.filter(|(message, _)| news.contains(&message.party)) {
        if !message.is_aside() {
            let said_at = message.item.said_at();
            let at = heard.entry((message.item.tenant_id, place.conversation_id)).or_insert(said_at);
            *at = said_at.max(*at);
        }
    }
    heard
}
