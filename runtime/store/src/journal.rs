//! The journal: items of webhooks, appended once, before the webhook is answered.
//!
//! In: arrivals, each already routed. Out: whether each was new, and the lanes that belong to this process from birth.
//! One transaction takes many: contacts, lanes, events, inbound messages and the progress of outbound ones, each with
//! one statement for all.

mod messaging;
mod rows;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use uuid::Uuid;

pub use self::messaging::{Echo, Watermark};
use self::rows::{born, insert_events, insert_messages, openings, rows};
use crate::Store;
use crate::contacts::{self, Party, Profile, Sighting};
use crate::flow_work::Born;
use crate::lanes::{self, Births, Stage};
use crate::pool::Unit;
use crate::statuses::{self, Advanced};
use crate::unrouted::{self, Unrouted};
use crate::webhooks::notices::Notices;
use crate::webhooks::types;

/// An item to keep.
#[derive(Debug)]
pub enum Arrival {
    /// A contact wrote.
    Message(Inbound),
    /// A sent message made progress.
    Status(Progress),
    /// Messages of Messenger or Instagram made progress.
    Watermark(Watermark),
    /// A page or Instagram account wrote.
    Echo(Box<Echo>),
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
    /// The trace that it came with.
    pub trace: Option<TraceContext>,
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
#[derive(Debug, Clone)]
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
    /// Statuses of messages that have a trace: place in the batch, the message, its trace.
    pub traced: Vec<(usize, Uuid, TraceContext)>,
}

impl Store {
    /// Appends the arrivals in one transaction and wakes the stages that have work now. `births` is by arrival.
    ///
    /// Statuses that nobody is told of stand for themselves: a batch of nothing else needs no transaction around it.
    pub async fn append(&self, arrivals: &[Arc<Arrival>], births: Births<'_>) -> Result<Appended, sqlx::Error> {
        let now = self.ambient.now();
        let mut notices = self.notices();
        let alone = arrivals.iter().all(|arrival| arrival.stands_alone(&notices));
        let mut db = if alone { Unit::statements(self).await? } else { Unit::transaction(self).await? };
        let given = arrivals.len();
        let expanded = messaging::expand(&mut db, arrivals).await?;
        let arrivals = &*expanded;
        let progress: Vec<(usize, &Progress)> = arrivals.iter().enumerate().filter_map(|(n, a)| a.status(n)).collect();
        let targets = statuses::find(&mut db, &progress).await?;
        let inbound: Vec<&Inbound> = arrivals.iter().filter_map(|arrival| arrival.message()).collect();
        let sightings: Vec<_> = inbound
            .iter()
            .map(|message| Sighting {
                party: &message.party,
                seen: Some((&message.profile, message.item.occurred_at.min(message.item.received_at))),
            })
            .chain(arrivals.iter().filter_map(|one| one.echo()).map(|echo| Sighting { party: &echo.party, seen: None }))
            .collect();
        let (places, learned) = contacts::resolve(&mut db, &self.contacts, &self.ambient, &sightings).await?;

        let rows = rows(arrivals, &places, &targets);
        let opened = lanes::open(&mut db, Stage::Flow, openings(&rows, births), now, births.lease).await?;
        let stored = insert_events(&mut db, &rows).await?;
        let mut kept = vec![Kept::Repeated; arrivals.len()];
        let mut fresh = Vec::new();
        let mut echoes = Vec::new();
        for row in &rows {
            if let Some(event_id) = stored.get(&row.arrival) {
                kept[row.arrival] = Kept::New;
                fresh.extend(row.message.zip(row.place).map(|(message, place)| (*event_id, message, place)));
                let echo = arrivals[row.arrival].echo();
                echoes.extend(echo.and_then(|echo| Some((*event_id, echo, *places.get(&echo.party)?))));
            }
        }
        let inserted = insert_messages(&mut db, &self.ambient, &fresh).await?;
        for ((_, message, _), id) in fresh.iter().zip(inserted) {
            notices.message(message.item.tenant_id, id, types::MESSAGE_RECEIVED, message.item.received_at);
        }
        messaging::insert_echoes(&mut db, &self.ambient, &echoes).await?;
        let Advanced { fresh: steps, hastened } = statuses::advance(&mut db, &progress, &targets, now).await?;
        for arrival in steps {
            kept[arrival] = Kept::New;
            if let (Some((_, status)), Some(target)) = (arrivals[arrival].status(arrival), targets.get(&arrival)) {
                target.tell(status, &mut notices);
            }
        }
        messaging::forget_read(&mut db, arrivals).await?;
        let unrouted: Vec<&Arc<Unrouted>> = arrivals.iter().filter_map(|arrival| arrival.unrouted()).collect();
        if !unrouted.is_empty() {
            unrouted::record(&mut db, &unrouted).await?;
        }
        let told = notices.write(&mut db, now).await?;
        db.commit().await?;

        self.contacts.learn(learned);
        if told {
            self.wakes.webhooks.notify_one();
        }
        if opened.waits {
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
        kept.truncate(given);
        let traced = targets.iter().filter(|(place, _)| **place < given);
        let traced = traced.filter_map(|(place, target)| Some((*place, target.message_id, target.trace?)));
        Ok(Appended { kept, born: born(&rows, &stored, opened.leases, arrivals), traced: traced.collect() })
    }
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

    fn echo(&self) -> Option<&Echo> {
        match self {
            Arrival::Echo(echo) => Some(echo),
            _ => None,
        }
    }

    /// What an item of a channel has; nothing for one that belongs to nobody.
    pub(crate) fn item(&self) -> Option<&Item> {
        match self {
            Arrival::Message(inbound) => Some(&inbound.item),
            Arrival::Status(progress) => Some(&progress.item),
            Arrival::Watermark(watermark) => Some(&watermark.item),
            Arrival::Echo(echo) => Some(&echo.item),
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
            Arrival::Watermark(_) | Arrival::Echo(_) | Arrival::Other(_) | Arrival::Unrouted(_) => false,
        }
    }

    /// A status that is nothing to the flow.
    pub fn is_mere_status(&self) -> bool {
        matches!(self, Arrival::Status(progress) if !progress.for_flow)
    }

    /// A status that neither the flow nor anybody else is told of.
    fn stands_alone(&self, notices: &Notices) -> bool {
        let Arrival::Status(status) = self else { return false };
        let told = [Some(types::MESSAGE_SENT), types::of_status(&status.status)];
        self.is_mere_status() && !told.into_iter().flatten().any(|kind| notices.want(status.item.tenant_id, kind))
    }

    fn unrouted(&self) -> Option<&Arc<Unrouted>> {
        match self {
            Arrival::Unrouted(unrouted) => Some(unrouted),
            _ => None,
        }
    }
}
