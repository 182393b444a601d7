//! Messages on their way out, from the send API or from a flow, into the outbox and their contact's lane.
//!
//! The partial unique index on tenant and idempotency key decides, in the same statement that inserts, whether a
//! message is new. A message that opens its lane may belong to this process at once: it is committed as `sending`. One
//! whose time is to come is only kept ([`crate::scheduled`]).

mod addressed;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::PgConnection;
use uuid::Uuid;

pub(crate) use self::addressed::{Addressed, first_of_lanes, insert};
use crate::Store;
use crate::contacts::{self, Party, Resolved, Sighting};
use crate::deliveries::Delivery;
use crate::identity;
use crate::lanes::Births;
use crate::permission::{self, Refusal};

/// A message to send.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Our id of it, greater than those of earlier messages: the order within the lane.
    pub id: Uuid,
    /// Meta's type.
    pub kind: String,
    /// What people read in a list.
    pub body: Option<String>,
    /// The Graph API message without recipient and callback data: a JSON object.
    pub payload: String,
    /// Unique per tenant.
    pub idempotency_key: Option<String>,
    /// The event that it answers.
    pub event_id: Option<i64>,
    /// Not sent before this moment; as soon as possible when absent or past.
    pub send_at: Option<DateTime<Utc>>,
    /// Not sent after this moment; the stage's own rule when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Requests at the most; the stage's own rule when absent.
    pub max_attempts: Option<i32>,
    /// Not for contacts that have opted out of marketing.
    pub marketing: bool,
    /// It is held against Meta's window: neither a template nor a read mark, and not known to be within it.
    pub free_form: bool,
    /// The trace of what queues it.
    pub trace: Option<TraceContext>,
}

/// What became of messages that were to be queued.
#[derive(Debug, Default)]
pub(crate) struct Inserted {
    /// Those that were new.
    pub new: HashSet<Uuid>,
    /// Those that this process sends now.
    pub born: Vec<Delivery>,
    /// Some wait for a claim.
    pub waits: bool,
    /// Some wait for their time.
    pub scheduled: bool,
}

/// A request of the send API.
#[derive(Debug)]
pub struct SendRequest {
    /// To whom, by which number.
    pub party: Party,
    /// What.
    pub message: Outbound,
    /// 1 for a single send, 2 for one of many.
    pub priority: i16,
}

/// What became of a batch of requests.
#[derive(Debug)]
pub struct Enqueued {
    /// In the order of the requests.
    pub queued: Vec<Queued>,
    /// Messages whose lanes belong to this process from birth; they are marked `sending`.
    pub born: Vec<Delivery>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queued {
    /// It is queued.
    New {
        /// When.
        created_at: DateTime<Utc>,
    },
    /// Its idempotency key was used before.
    Repeated {
        /// The message that used it first.
        first: Uuid,
    },
    /// The tenant's template for messages outside of the window is queued in its place.
    Replaced {
        /// When.
        created_at: DateTime<Utc>,
    },
    /// It is free-form, and the contact wrote too long ago: nothing is queued.
    OutsideWindow {
        /// When, to a minute.
        last_inbound_at: Option<DateTime<Utc>>,
    },
    /// It is marketing, and the contact has opted out: nothing is queued.
    OptedOut {
        /// When.
        since: Option<DateTime<Utc>>,
    },
}

impl Inserted {
    /// Together with what another insert came to.
    pub fn add(&mut self, other: Inserted) {
        self.new.extend(other.new);
        self.born.extend(other.born);
        self.waits |= other.waits;
        self.scheduled |= other.scheduled;
    }
}

impl Store {
    /// Queues the requests, each wholly or not at all. `births` is by request. Requests for now to contacts that are known
    /// need one statement, and no transaction around it. What is queued in place of a request is queued after that. Tried
    /// again, it finds what it has kept.
    pub async fn enqueue(&self, requests: &[Arc<SendRequest>], births: Births<'_>) -> Result<Enqueued, sqlx::Error> {
        let enqueued = self.try_enqueue(requests, births).await;
        if enqueued.as_ref().is_err_and(identity::is_merged) {
            self.contacts.forget_parties(requests.iter().map(|request| &request.party));
            return self.try_enqueue(requests, births).await;
        }
        enqueued
    }

    async fn try_enqueue(&self, requests: &[Arc<SendRequest>], births: Births<'_>) -> Result<Enqueued, sqlx::Error> {
        let now = self.ambient.now();
        let is_later = |request: &Arc<SendRequest>| request.message.send_at.is_some_and(|at| at > now);
        let alone = !requests.iter().any(is_later) && self.contacts.knows(requests.iter().map(|it| &it.party));
        let mut db = if alone { self.hot.statements().await? } else { self.hot.transaction().await? };
        let sightings: Vec<_> = requests
            .iter()
            .map(|request| Sighting { party: &request.party, seen: None, at: None, aside: false, dialed: true })
            .collect();
        let Resolved { places, learned, .. } =
            contacts::resolve(&mut db, &self.contacts, &self.ambient, &sightings).await?;
        let addressed: Vec<Addressed<'_>> = requests
            .iter()
            .enumerate()
            .filter_map(|(number, request)| {
                let place = *places.get(&request.party)?;
                let Party { tenant_id, channel_id, wa_id, user_id } = &request.party;
                Some(Addressed {
                    tenant_id: *tenant_id,
                    channel_id: *channel_id,
                    place,
                    wa_id: wa_id.as_deref(),
                    user_id: user_id.as_deref(),
                    message: &request.message,
                    priority: request.priority,
                    own: births.own(number),
                    lane: None,
                })
            })
            .collect();
        let mut inserted = insert(&mut db, &addressed, now, births.lease).await?;
        let not_new = addressed.iter().filter(|one| !inserted.new.contains(&one.message.id));
        let there = there_already(&mut db, not_new).await?;
        let refused = permission::left_out(&addressed, &inserted.new, &there);
        let refusals = if refused.is_empty() { HashMap::new() } else { permission::judge(&mut db, &refused).await? };
        let replaced: Vec<(Outbound, &Addressed<'_>)> = refused
            .iter()
            .filter_map(|one| Some((refusals.get(&one.message.id)?.replacement(one.message)?, *one)))
            .collect();
        let replacing: Vec<Addressed<'_>> =
            replaced.iter().map(|(message, one)| Addressed { message, ..(*one).clone() }).collect();
        inserted.add(insert(&mut db, &replacing, now, births.lease).await?);
        let Inserted { new, born, waits, scheduled } = inserted;
        db.commit().await?;
        self.contacts.learn(learned);
        if waits {
            self.wakes.delivery.notify_one();
        }
        if scheduled {
            self.wakes.scheduled.notify_one();
        }
        let queued = requests.iter().map(|request| {
            let is_new = new.contains(&request.message.id);
            let other = there.get(&request.message.id).filter(|there| **there != request.message.id);
            match (other, refusals.get(&request.message.id)) {
                (Some(first), _) if !is_new => Queued::Repeated { first: *first },
                (_, None) => Queued::New { created_at: now },
                (_, Some(_)) if is_new => Queued::Replaced { created_at: now },
                (_, Some(Refusal::OutsideWindow { last_inbound_at, .. })) => {
                    Queued::OutsideWindow { last_inbound_at: *last_inbound_at }
                }
                (_, Some(Refusal::OptedOut { since })) => Queued::OptedOut { since: *since },
            }
        });
        Ok(Enqueued { queued: queued.collect(), born })
    }
}

/// The messages that are there in place of these, by these: those that hold their keys, and they themselves, when a try
/// before this one has kept them.
pub(crate) async fn there_already<'a>(
    db: &mut PgConnection,
    refused: impl Iterator<Item = &'a Addressed<'a>>,
) -> Result<HashMap<Uuid, Uuid>, sqlx::Error> {
    let refused: Vec<&Addressed<'_>> = refused.collect();
    if refused.is_empty() {
        return Ok(HashMap::new());
    }
    // Index messages_idempotency_key, primary key.
    let rows = sqlx::query!(
        r#"select k.id as "id!", m.id as "there!"
           from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, id, key)
           cross join lateral (
               (select id from messages where tenant_id = k.tenant_id and idempotency_key = k.key limit 1)
               union all
               (select id from messages where tenant_id = k.tenant_id and id = k.id limit 1)
               limit 1
           ) as m"#,
        &refused.iter().map(|one| one.tenant_id).collect::<Vec<_>>(),
        &refused.iter().map(|one| one.message.id).collect::<Vec<_>>(),
        &refused.iter().map(|one| one.message.idempotency_key.clone()).collect::<Vec<_>>() as &[Option<String>]
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.there)).collect())
}
