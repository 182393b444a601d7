//! The journal: items of webhooks, appended once, before the webhook is answered.
//!
//! In: arrivals, each already routed. Out: whether each was new, and the lanes that belong to this process from birth.
//! One transaction takes many: contacts, lanes, events, inbound messages and the progress of outbound ones, each with
//! one statement for all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::contacts::{self, Party, Place, Profile, Sighting};
use crate::flow_work::{Born, BornEvent, EVENTS_AT_ONCE};
use crate::lanes::{self, Births, LaneKey, Lease, Opening, Stage};
use crate::statuses::{self, Target};
use crate::unrouted::{self, Unrouted};
use crate::{Store, ambient::Ambient};

/// An item to keep.
#[derive(Debug)]
pub enum Arrival {
    /// A contact wrote.
    Message(Inbound),
    /// A sent message made progress.
    Status(Progress),
    /// Anything else that belongs to a channel.
    Other(Item),
    /// What belongs to nobody.
    Unrouted(Arc<Unrouted>),
}

/// What every item of a channel has.
#[derive(Debug, Clone)]
pub struct Item {
    /// Whose.
    pub tenant_id: Uuid,
    /// Which number's.
    pub channel_id: Uuid,
    /// `message`, `status`, or the webhook's field.
    pub kind: String,
    /// Unique per channel and kind.
    pub external_id: String,
    /// The item as it came: JSON text.
    pub raw: String,
    /// What could not be read in it.
    pub note: Option<String>,
    /// Meta's time, or the time of receipt.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// An inbound message; `item.external_id` is Meta's message id.
#[derive(Debug)]
pub struct Inbound {
    /// The item.
    pub item: Item,
    /// Who wrote.
    pub party: Party,
    /// As told with the message.
    pub profile: Profile,
    /// Meta's type.
    pub kind: String,
    /// What people read in a list.
    pub body: Option<String>,
}

/// A status of an outbound message.
#[derive(Debug)]
pub struct Progress {
    /// The item.
    pub item: Item,
    /// Meta's message id.
    pub wa_message_id: String,
    /// Our id, when it came back.
    pub message_id: Option<Uuid>,
    /// `sent`, `delivered`, `read`, `played`, `failed`, `deleted` or a later word.
    pub status: String,
    /// The errors of a failed one: JSON text.
    pub error: Option<String>,
    /// Whether the flow wants to see it.
    pub for_flow: bool,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Stored now.
    New,
    /// Stored before.
    Repeated,
    /// Stored without an owner.
    Unrouted,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Appended {
    /// In the order of the arrivals.
    pub kept: Vec<Kept>,
    /// Lanes that this process owns, with their events. Those of all others wait for a claim.
    pub born: Vec<Born>,
}

/// A row of `events` in the making.
struct Row<'a> {
    item: &'a Item,
    place: Option<Place>,
    /// Place in the batch, and the message to add when the event is new.
    arrival: usize,
    message: Option<&'a Inbound>,
}

impl Row<'_> {
    fn lane(&self) -> Option<LaneKey> {
        self.place.map(|place| LaneKey { tenant_id: self.item.tenant_id, contact_id: place.contact_id })
    }
}

impl Store {
    /// Appends the arrivals in one transaction and wakes the stages that have work now. `births` is by arrival.
    pub async fn append(&self, arrivals: &[Arc<Arrival>], births: Births<'_>) -> Result<Appended, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let progress: Vec<(usize, &Progress)> = arrivals.iter().enumerate().filter_map(|(n, a)| a.status(n)).collect();
        let targets = statuses::find(&mut tx, &progress).await?;
        let inbound: Vec<&Inbound> = arrivals.iter().filter_map(|arrival| arrival.message()).collect();
        let sightings: Vec<_> = inbound
            .iter()
            .map(|message| Sighting {
                party: &message.party,
                seen: Some((&message.profile, message.item.occurred_at.min(message.item.received_at))),
            })
            .collect();
        let (places, learned) = contacts::resolve(&mut tx, &self.contacts, &self.ambient, &sightings).await?;

        let rows = rows(arrivals, &places, &targets);
        let leases = lanes::open(&mut tx, Stage::Flow, openings(&rows, births), now, births.lease).await?;
        let stored = insert_events(&mut tx, &rows).await?;
        let mut kept = vec![Kept::Repeated; arrivals.len()];
        let mut fresh = Vec::new();
        for row in &rows {
            if let Some(event_id) = stored.get(&row.arrival) {
                kept[row.arrival] = Kept::New;
                fresh.extend(row.message.zip(row.place).map(|(message, place)| (*event_id, message, place)));
            }
        }
        insert_messages(&mut tx, &self.ambient, &fresh).await?;
        let (steps, hastened) = statuses::advance(&mut tx, &progress, &targets, now).await?;
        for arrival in steps {
            kept[arrival] = Kept::New;
        }
        let unrouted: Vec<&Arc<Unrouted>> = arrivals.iter().filter_map(|arrival| arrival.unrouted()).collect();
        if !unrouted.is_empty() {
            unrouted::record(&mut tx, &unrouted).await?;
        }
        tx.commit().await?;

        self.contacts.learn(learned);
        if rows.iter().filter_map(Row::lane).any(|lane| !leases.contains_key(&lane)) {
            self.wakes.flow.notify_one();
        }
        if hastened {
            self.wakes.delivery.notify_one();
        }
        for (kept, arrival) in kept.iter_mut().zip(arrivals) {
            if arrival.unrouted().is_some() {
                *kept = Kept::Unrouted;
            }
        }
        Ok(Appended { kept, born: born(&rows, &stored, leases, arrivals) })
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
fn born(
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

impl Arrival {
    fn message(&self) -> Option<&Inbound> {
        match self {
            Arrival::Message(inbound) => Some(inbound),
            _ => None,
        }
    }

    fn status(&self, place: usize) -> Option<(usize, &Progress)> {
        match self {
            Arrival::Status(progress) => Some((place, progress)),
            _ => None,
        }
    }

    /// What an item of a channel has; nothing for one that belongs to nobody.
    pub(crate) fn item(&self) -> Option<&Item> {
        match self {
            Arrival::Message(inbound) => Some(&inbound.item),
            Arrival::Status(progress) => Some(&progress.item),
            Arrival::Other(item) => Some(item),
            Arrival::Unrouted(_) => None,
        }
    }

    /// Whose it is.
    pub fn tenant_id(&self) -> Option<Uuid> {
        self.item().map(|item| item.tenant_id)
    }

    /// Whether it may become work for the flow stage.
    pub fn is_for_flow(&self) -> bool {
        match self {
            Arrival::Message(_) => true,
            Arrival::Status(progress) => progress.for_flow,
            Arrival::Other(_) | Arrival::Unrouted(_) => false,
        }
    }

    fn unrouted(&self) -> Option<&Arc<Unrouted>> {
        match self {
            Arrival::Unrouted(unrouted) => Some(unrouted),
            _ => None,
        }
    }
}

/// The events to append: messages, other items, statuses for the flow, and statuses of messages that are not ours.
/// A repeat within the batch is left out.
fn rows<'a>(
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
            Arrival::Other(item) => Row { item, place: None, arrival, message: None },
            Arrival::Unrouted(_) => continue,
        };
        if seen.insert((row.item.channel_id, &row.item.kind, &row.item.external_id)) {
            rows.push(row);
        }
    }
    rows
}

/// Inserts what is new; gives the event id of each such arrival.
async fn insert_events(db: &mut PgConnection, rows: &[Row<'_>]) -> Result<HashMap<usize, i64>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let stored = sqlx::query!(
        "insert into events (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw, note,
                             occurred_at, received_at)
         select tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw::json, note,
                occurred_at, received_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::timestamptz[])
              with ordinality as k (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw, note,
                                    occurred_at, received_at, place)
         order by place
         on conflict (tenant_id, channel_id, kind, external_id) do nothing
         returning id, channel_id, kind, external_id",
        &rows.iter().map(|row| row.item.tenant_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.channel_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.place.map(|place| place.conversation_id)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|row| row.place.map(|place| place.contact_id)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|row| row.item.kind.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.external_id.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.raw.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.note.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|row| row.item.occurred_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.item.received_at).collect::<Vec<_>>()
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

async fn insert_messages(
    db: &mut PgConnection,
    ambient: &Ambient,
    fresh: &[(i64, &Inbound, Place)],
) -> Result<(), sqlx::Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, wa_message_id, event_id,
                               created_at, updated_at)
         select tenant_id, id, conversation_id, 'IN', 'received', kind, body, wa_message_id, event_id,
                received_at, received_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::timestamptz[])
              as k (tenant_id, id, conversation_id, kind, body, wa_message_id, event_id, received_at)",
        &fresh.iter().map(|(_, message, _)| message.item.tenant_id).collect::<Vec<_>>(),
        &fresh.iter().map(|_| ambient.id()).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, _, place)| place.conversation_id).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, message, _)| message.kind.clone()).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, message, _)| message.body.clone()).collect::<Vec<_>>() as &[Option<String>],
        &fresh.iter().map(|(_, message, _)| message.item.external_id.clone()).collect::<Vec<_>>(),
        &fresh.iter().map(|(event_id, _, _)| *event_id).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, message, _)| message.item.received_at).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
