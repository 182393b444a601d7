//! The journal: items of webhooks, appended once, before the webhook is answered.
//!
//! In: arrivals, each already routed. Out: whether each was new, and the lanes that belong to this process from birth.
//! One transaction takes many: contacts, lanes, events, inbound messages and the progress of outbound ones, each with
//! one statement for all.

mod arrivals;
mod debounce;
mod messaging;
mod rows;
mod told;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use uuid::Uuid;

pub use self::arrivals::{Arrival, Inbound, Item, Notice, Progress, What};
pub use self::messaging::{Echo, Watermark};
use self::rows::{Stored, born, hear, insert, rows};
use crate::Store;
use crate::contacts::{self, Party, Resolved, Sighting};
use crate::flow_work::Born;
use crate::identity;
use crate::lanes::Births;
use crate::media;
use crate::statuses::{self, Advanced};
use crate::unrouted::{self, Unrouted};

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

/// What is new by an arrival.
#[derive(Debug)]
pub enum News {
    /// An event: what it came as, its id, its conversation.
    Event(Arc<Arrival>, i64, Option<Uuid>),
    /// A step of an outbound message: the status, and our id of the message.
    Step(Arc<Arrival>, Uuid),
}

/// What became of a batch.
#[derive(Debug)]
pub struct Appended {
    /// In the order of the arrivals.
    pub kept: Vec<Kept>,
    /// Events, then steps of messages, each in the order of the arrivals.
    pub news: Vec<News>,
    /// Lanes that this process owns, with their events. Those of all others wait for a claim.
    pub born: Vec<Born>,
    /// Statuses of messages that have a trace: place in the batch, the message, its trace.
    pub traced: Vec<(usize, Uuid, TraceContext)>,
}

impl Store {
    /// Appends the arrivals in one transaction and wakes the stages that have work now. `births` is by arrival. What they
    /// tell of contacts' ids is carried out before.
    ///
    /// Messages of known contacts that are nothing but that, and statuses that nobody is told of, stand for themselves: a
    /// batch of nothing else needs no transaction around its statements.
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
                Err(error) if identity::is_merged(&error) && !is_last => {
                    self.contacts.forget_parties(arrivals.iter().filter_map(|arrival| arrival.party()));
                }
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
        let parties = arrivals.iter().filter_map(|arrival| arrival.party());
        // Messages or statuses: what one statement has kept, no failure of another may hide.
        let are_alike = arrivals.iter().all(|arrival| arrival.message().is_some())
            || arrivals.iter().all(|arrival| arrival.message().is_none());
        let alone =
            are_alike && arrivals.iter().all(|arrival| arrival.stands_alone(&notices)) && self.contacts.knows(parties);
        let mut db = if alone { self.hot.statements().await? } else { self.hot.transaction().await? };
        let given = arrivals.len();
        let expanded = messaging::expand(&mut db, arrivals).await?;
        let arrivals = &*expanded;
        let progress: Vec<(usize, &Progress)> = arrivals.iter().enumerate().filter_map(|(n, a)| a.status(n)).collect();
        // Each for itself: what becomes of statuses is known at once. Together messages are moved up behind the lanes.
        let advanced = if alone { Some(statuses::advance(&mut db, &progress, now).await?) } else { None };
        let mut targets = match &advanced {
            Some(Advanced { targets, .. }) => targets.clone(),
            None => statuses::find(&mut db, &progress).await?,
        };
        let inbound: Vec<&Inbound> = arrivals.iter().filter_map(|arrival| arrival.message()).collect();
        let spoke = inbound.iter().map(|message| Sighting {
            party: &message.party,
            seen: Some(&message.profile),
            at: Some(message.item.said_at()),
            aside: message.is_aside(),
            dialed: false,
        });
        let named = arrivals.iter().filter(|arrival| arrival.message().is_none()).filter_map(|arrival| {
            let at = arrival.item().map(Item::said_at);
            let dialed = arrival.echo().is_some();
            Some(Sighting { party: arrival.party()?, seen: None, at, aside: false, dialed })
        });
        let sightings: Vec<_> = spoke.chain(named).collect();
        let Resolved { places, learned, apart } =
            contacts::resolve(&mut db, &self.contacts, &self.ambient, &sightings).await?;
        if !apart.is_empty() && !as_they_are {
            return Ok(Err(apart));
        }

        let rows = rows(arrivals, &places, &targets);
        // Each for itself: a flow that has the message finds the window open. Together behind the lanes: a flow's commit has
        // its lane when it comes to the conversation.
        if alone {
            hear(&mut db, &rows, &learned).await?;
        }
        let Stored { opened, events: stored, messages } = insert(&mut db, &self.ambient, &rows, births, now).await?;
        if !alone {
            hear(&mut db, &rows, &learned).await?;
        }
        debounce::hold_back(&mut db, &rows, now).await?;
        let mut kept = vec![Kept::Repeated; arrivals.len()];
        let mut fresh = Vec::new();
        let mut echoes = Vec::new();
        let mut news = Vec::new();
        for row in &rows {
            if let Some(event_id) = stored.get(&row.arrival) {
                kept[row.arrival] = Kept::New;
                let conversation_id = row.place.map(|place| place.conversation_id);
                news.push(News::Event(arrivals[row.arrival].clone(), *event_id, conversation_id));
                if let Some((message, id)) = row.message.zip(messages.get(&row.arrival)) {
                    notices.received(message.item.tenant_id, *id, message.group_id.clone(), message.item.received_at);
                    fresh.push(message);
                }
                let echo = arrivals[row.arrival].echo();
                echoes.extend(echo.and_then(|echo| Some((*event_id, echo, *places.get(&echo.party)?))));
            }
        }
        let files = fresh.iter().filter_map(|message| Some((&message.item, message.file.as_ref()?)));
        let files = media::await_files(&mut db, files.collect()).await?;
        messaging::insert_echoes(&mut db, &self.ambient, &echoes).await?;
        let answered = self.told(&mut db, &rows, &stored, &places, arrivals, &mut notices, now).await?;
        let Advanced { targets: found, fresh: mut steps, hastened } = match advanced {
            Some(advanced) => advanced,
            None => statuses::advance(&mut db, &progress, now).await?,
        };
        // Who waited for the lanes may have found more.
        for (arrival, target) in found {
            targets.entry(arrival).or_insert(target);
        }
        steps.sort_unstable();
        for arrival in steps {
            kept[arrival] = Kept::New;
            if let (Some((_, status)), Some(target)) = (arrivals[arrival].status(arrival), targets.get(&arrival)) {
                target.tell(status, &mut notices);
                news.push(News::Step(arrivals[arrival].clone(), target.message_id));
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
        let born = born(&rows, &stored, opened.leases, arrivals);
        Ok(Ok(Appended { kept, news, born, traced: traced.collect() }))
    }
}
