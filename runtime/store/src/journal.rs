//! The journal: items of webhooks, appended once, before the webhook is answered.
//!
//! In: arrivals, each already routed. Out: whether each was new, and the lanes that belong to this process from birth.
//! One transaction takes many: contacts, lanes, events, inbound messages and the progress of outbound ones, each with
//! one statement for all.

mod debounce;
mod messaging;
mod rows;
mod told;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::messaging::{Echo, Watermark};
use self::rows::{Row, born, insert_events, insert_messages, openings, rows};
use crate::Store;
use crate::channel_facts::Fact;
use crate::consent::Wish;
use crate::contacts::{self, Party, Profile, Resolved, Sighting};
use crate::flow_work::Born;
use crate::identity::{self, Renamed};
use crate::lanes::{self, Births, LaneKey, Stage};
use crate::media::{self, InboundFile};
use crate::pool::Unit;
use crate::statuses::{self, Advanced};
use crate::unrouted::{self, Unrouted};
use crate::webhooks::notices::Notices;
use crate::webhooks::types;

/// An item to keep.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each is alone in an Arc, and messages are the most of them")]
pub enum Arrival {
    /// A contact wrote.
    Message(Inbound),
    /// A sent message made progress.
    Status(Progress),
    /// A contact's preference, or something about a channel.
    Notice(Notice),
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
    /// It was written into a group.
    pub in_group: bool,
    /// The file that it carries, to be fetched.
    pub file: Option<InboundFile>,
    /// It is a word by which people opt out of marketing or come back.
    pub wish: Option<Wish>,
    /// It is a system message that tells of new ids.
    pub renamed: Option<Renamed>,
    /// Its lane waits so long for more, when it is opened by it.
    pub debounce_seconds: i16,
}

/// An item that tells something which is kept beside the journal.
#[derive(Debug)]
pub struct Notice {
    /// The item.
    pub item: Item,
    /// What it tells.
    pub what: What,
}

/// What a notice tells.
#[derive(Debug)]
pub enum What {
    /// A person's preference about marketing, and Meta's words for it.
    Preference(Party, Wish, Option<String>),
    /// Of the number, or its account.
    Fact(Fact),
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
    /// Appends the arrivals in one transaction and wakes the stages that have work now. `births` is by arrival. What they
    /// tell of contacts' ids is carried out before.
    ///
    /// Statuses that nobody is told of stand for themselves: a batch of nothing else needs no transaction around it.
    pub async fn append(&self, arrivals: &[Arc<Arrival>], births: Births<'_>) -> Result<Appended, sqlx::Error> {
        let messages = arrivals.iter().filter_map(|arrival| arrival.message());
        let renamed: Vec<_> =
            messages.filter_map(|message| message.renamed.as_ref().map(|renamed| (message, renamed))).collect();
        if !renamed.is_empty() {
            self.rename(&renamed).await?;
        }
        for is_last in [false, false, false, true] {
            match self.try_append(arrivals, births, is_last).await {
                Ok(Ok(appended)) => return Ok(appended),
                Ok(Err(apart)) => {
                    for (party, at) in apart {
                        self.unite_party(&party, at).await?;
                    }
                }
                Err(error) if identity::is_merged(&error) && !is_last => {}
                Err(error) => return Err(error),
            }
        }
        Err(identity::merged())
    }

    /// Gives the parties that are to be united first, unless they are taken `as_they_are`.
    async fn try_append(
        &self,
        arrivals: &[Arc<Arrival>],
        births: Births<'_>,
        as_they_are: bool,
    ) -> Result<Result<Appended, Vec<(Party, DateTime<Utc>)>>, sqlx::Error> {
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
        let spoke = inbound.iter().map(|message| Sighting {
            party: &message.party,
            seen: Some((&message.profile, message.item.occurred_at.min(message.item.received_at))),
            aside: message.is_aside(),
        });
        let wished = arrivals.iter().filter_map(|arrival| arrival.preference());
        let echoed = arrivals.iter().filter_map(|arrival| arrival.echo()).map(|echo| &echo.party);
        let named = wished.chain(echoed).map(|party| Sighting { party, seen: None, aside: false });
        let sightings: Vec<_> = spoke.chain(named).collect();
        let Resolved { places, learned, apart } =
            contacts::resolve(&mut db, &self.contacts, &self.ambient, &sightings).await?;
        if !apart.is_empty() && !as_they_are {
            return Ok(Err(apart));
        }

        let rows = rows(arrivals, &places, &targets);
        let opened = lanes::open(&mut db, Stage::Flow, openings(&rows, births), now, births.lease).await?;
        debounce::hold_back(&mut db, &rows, now).await?;
        let stored = insert_events(&mut db, &rows).await?;
        self.check_merged(&mut db, &rows, &stored).await?;
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
        let inserted = insert_messages(&mut db, &self.ambient, &fresh, &learned).await?;
        for ((_, message, _), id) in fresh.iter().zip(inserted) {
            notices.message(message.item.tenant_id, id, types::MESSAGE_RECEIVED, message.item.received_at);
        }
        let files = fresh.iter().filter_map(|(_, message, _)| Some((&message.item, message.file.as_ref()?)));
        let files = media::await_files(&mut db, files.collect()).await?;
        messaging::insert_echoes(&mut db, &self.ambient, &echoes).await?;
        let answered = self.told(&mut db, &rows, &stored, &places, arrivals, &mut notices, now).await?;
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
        if files {
            self.wakes.media.notify_one();
        }
        if opened.waits {
            self.wakes.flow.notify_one();
        }
        if hastened || answered {
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
        Ok(Ok(Appended { kept, born: born(&rows, &stored, opened.leases, arrivals), traced: traced.collect() }))
    }

    /// Fails when events were left out because their contacts have been merged into others: those are looked up anew.
    async fn check_merged(
        &self,
        db: &mut PgConnection,
        rows: &[Row<'_>],
        stored: &HashMap<usize, i64>,
    ) -> Result<(), sqlx::Error> {
        let left_out: Vec<LaneKey> =
            rows.iter().filter(|row| !stored.contains_key(&row.arrival)).filter_map(Row::lane).collect();
        if left_out.is_empty() {
            return Ok(());
        }
        let merged = identity::merged_among(db, &left_out).await?;
        if merged.is_empty() {
            return Ok(());
        }
        self.contacts.forget_contacts(&merged);
        Err(identity::merged())
    }
}

impl Inbound {
    /// An opt-out is for nobody to answer but us: the flow does not see it.
    fn is_for_flow(&self) -> bool {
        self.wish != Some(Wish::OptOut)
    }

    /// The contact did not write to us alone: Meta tells it of the contact, or it stands in a group. It opens no window.
    fn is_aside(&self) -> bool {
        self.kind == "system" || self.in_group
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
            Arrival::Notice(notice) => Some(&notice.item),
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
            Arrival::Message(message) => message.is_for_flow(),
            Arrival::Status(progress) => progress.for_flow,
            Arrival::Notice(_)
            | Arrival::Watermark(_)
            | Arrival::Echo(_)
            | Arrival::Other(_)
            | Arrival::Unrouted(_) => false,
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

    /// Whose preference it is.
    fn preference(&self) -> Option<&Party> {
        match self {
            Arrival::Notice(Notice { what: What::Preference(party, ..), .. }) => Some(party),
            _ => None,
        }
    }

    /// Whether its lane may belong to this process from birth: it does not wait for more.
    pub fn is_for_flow_at_once(&self) -> bool {
        let waits = self.message().is_some_and(|message| message.debounce_seconds > 0);
        self.is_for_flow() && !waits
    }

    fn unrouted(&self) -> Option<&Arc<Unrouted>> {
        match self {
            Arrival::Unrouted(unrouted) => Some(unrouted),
            _ => None,
        }
    }
}
