//! Messages on their way out, from the send API or from a flow, into the outbox and their contact's lane.
//!
//! The partial unique index on tenant and idempotency key decides, in the same statement that inserts, whether a
//! message is new. A message that opens its lane may belong to this process at once: it is committed as `sending`. One
//! whose time is to come is only kept ([`scheduled`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::contacts::{self, Party, Place, Resolved, Sighting};
use crate::deliveries::{Delivery, Waiting};
use crate::identity;
use crate::lanes::{self, Births, LaneKey, Lease, Opened, Opening, Stage};
use crate::messenger::person;
use crate::permission::{self, Refusal};
use crate::scheduled::{self, Scheduled};
use crate::traces;

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

/// A message with its way.
#[derive(Debug, Clone)]
pub(crate) struct Addressed<'a> {
    pub tenant_id: Uuid,
    pub channel_id: Uuid,
    pub place: Place,
    pub wa_id: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub message: &'a Outbound,
    /// The smaller, the sooner.
    pub priority: i16,
    /// This process is to send it, when nothing waits before it.
    pub own: bool,
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
    /// Queues the requests in one transaction. `births` is by request.
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
        let mut tx = self.hot.begin().await?;
        let sightings: Vec<_> =
            requests.iter().map(|request| Sighting { party: &request.party, seen: None, aside: false }).collect();
        let Resolved { places, learned, .. } =
            contacts::resolve(&mut tx, &self.contacts, &self.ambient, &sightings).await?;
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
                })
            })
            .collect();
        let mut inserted = insert(&mut tx, &addressed, now, births.lease).await?;
        let taken = first_with(&mut tx, addressed.iter().filter(|one| !inserted.new.contains(&one.message.id))).await?;
        let refused = permission::left_out(&addressed, &inserted.new, &taken);
        let refusals = if refused.is_empty() { HashMap::new() } else { permission::judge(&mut tx, &refused).await? };
        let replaced: Vec<(Outbound, &Addressed<'_>)> = refused
            .iter()
            .filter_map(|one| Some((refusals.get(&one.message.id)?.replacement(one.message)?, *one)))
            .collect();
        let replacing: Vec<Addressed<'_>> =
            replaced.iter().map(|(message, one)| Addressed { message, ..(*one).clone() }).collect();
        inserted.add(insert(&mut tx, &replacing, now, births.lease).await?);
        let Inserted { new, born, waits, scheduled } = inserted;
        tx.commit().await?;
        self.contacts.learn(learned);
        if waits {
            self.wakes.delivery.notify_one();
        }
        if scheduled {
            self.wakes.scheduled.notify_one();
        }
        let queued = requests.iter().map(|request| {
            let key = (request.party.tenant_id, request.message.idempotency_key.clone().unwrap_or_default());
            let is_new = new.contains(&request.message.id);
            match (taken.get(&key), refusals.get(&request.message.id)) {
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

/// Inserts messages that are new and may go out, with their outbox rows and lanes; those whose time is to come get
/// neither. See [`permission`] for what may not.
pub(crate) async fn insert(
    db: &mut PgConnection,
    messages: &[Addressed<'_>],
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Inserted, sqlx::Error> {
    if messages.is_empty() {
        return Ok(Inserted::default());
    }
    let ids = sqlx::query_scalar!(
        "insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, payload,
                               idempotency_key, event_id, send_at, expires_at, max_attempts, traceparent, marketing,
                               created_at, updated_at)
         select tenant_id, id, conversation_id, 'OUT', 'queued', kind, body, payload::json, idempotency_key, event_id,
                send_at, expires_at, max_attempts, traceparent, marketing, $13, $13
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                     $9::timestamptz[], $10::timestamptz[], $11::int[], $12::text[], $14::bool[], $15::bool[])
              as k (tenant_id, id, conversation_id, kind, body, payload, idempotency_key, event_id, send_at,
                    expires_at, max_attempts, traceparent, marketing, free_form)
         where not (k.marketing or k.free_form)
            or coalesce((select not (k.free_form and t.outside_window <> 'pass' and cv.last_inbound_at <= $16)
                                and not (k.marketing and ct.opted_out)
                         from conversations cv
                         join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = cv.contact_id
                         join tenants t on t.id = cv.tenant_id
                         where cv.tenant_id = k.tenant_id and cv.id = k.conversation_id limit 1), true)
         on conflict (tenant_id, idempotency_key) where idempotency_key is not null do nothing
         returning id",
        &messages.iter().map(|one| one.tenant_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.place.conversation_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.kind.clone()).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.body.clone()).collect::<Vec<_>>() as &[Option<String>],
        &messages.iter().map(|one| one.message.payload.clone()).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.idempotency_key.clone()).collect::<Vec<_>>() as &[Option<String>],
        &messages.iter().map(|one| one.message.event_id).collect::<Vec<_>>() as &[Option<i64>],
        &messages.iter().map(|one| one.message.send_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &messages.iter().map(|one| one.message.expires_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &messages.iter().map(|one| one.message.max_attempts).collect::<Vec<_>>() as &[Option<i32>],
        &traces::column(messages.iter().map(|one| one.message.trace)) as &[Option<String>],
        now,
        &messages.iter().map(|one| one.message.marketing).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.free_form).collect::<Vec<_>>(),
        permission::window_start(now)
    )
    .fetch_all(&mut *db)
    .await?;
    let new: HashSet<Uuid> = ids.into_iter().collect();
    let (later, out): (Vec<&Addressed<'_>>, Vec<&Addressed<'_>>) =
        messages.iter().filter(|one| new.contains(&one.message.id)).partition(|one| one.is_later(now));
    let later: Vec<Scheduled> = later.iter().filter_map(|one| one.scheduled()).collect();
    scheduled::keep(db, &later).await?;
    if out.is_empty() {
        return Ok(Inserted { new, scheduled: !later.is_empty(), ..Inserted::default() });
    }
    let openings = out.iter().map(|one| Opening { key: one.lane(), own: one.own, priority: one.priority });
    let Opened { leases, waits } = lanes::open(db, Stage::Delivery, openings, now, lease).await?;
    let born = first_of_lanes(&out, &leases, now, lease);
    let now_sending: HashSet<Uuid> = born.iter().map(|delivery| delivery.message_id).collect();
    let sending: Vec<bool> = out.iter().map(|one| now_sending.contains(&one.message.id)).collect();
    let added = sqlx::query!(
        "insert into outbox (tenant_id, contact_id, message_id, channel_id, state, attempts, sending_at)
         select tenant_id, contact_id, message_id, channel_id, case when sending then 'sending' else 'queued' end,
                case when sending then 1 else 0 end, case when sending then $6::timestamptz end
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bool[])
              with ordinality as k (tenant_id, contact_id, message_id, channel_id, sending, place)
         where not exists (select from merged_contacts g where g.tenant_id = k.tenant_id and g.contact_id = k.contact_id)
         order by place",
        &out.iter().map(|one| one.tenant_id).collect::<Vec<_>>(),
        &out.iter().map(|one| one.place.contact_id).collect::<Vec<_>>(),
        &out.iter().map(|one| one.message.id).collect::<Vec<_>>(),
        &out.iter().map(|one| one.channel_id).collect::<Vec<_>>(),
        &sending,
        now
    )
    .execute(db)
    .await?;
    if added.rows_affected() < out.len() as u64 {
        return Err(identity::merged());
    }
    Ok(Inserted { new, born, waits, scheduled: !later.is_empty() })
}

impl Addressed<'_> {
    fn lane(&self) -> LaneKey {
        LaneKey { tenant_id: self.tenant_id, contact_id: self.place.contact_id }
    }

    fn is_later(&self, now: DateTime<Utc>) -> bool {
        self.message.send_at.is_some_and(|at| at > now)
    }

    fn scheduled(&self) -> Option<Scheduled> {
        let message = Waiting { lane: self.lane(), message_id: self.message.id, channel_id: self.channel_id };
        Some(Scheduled { message, send_at: self.message.send_at?, priority: self.priority })
    }
}

/// The first message of each owned lane; the lease remembers whether there are more.
fn first_of_lanes(
    out: &[&Addressed<'_>],
    leases: &HashMap<LaneKey, Lease>,
    now: DateTime<Utc>,
    time: TimeDelta,
) -> Vec<Delivery> {
    let mut born: Vec<Delivery> = Vec::with_capacity(leases.len());
    let mut places: HashMap<LaneKey, usize> = HashMap::with_capacity(leases.len());
    for one in out {
        let Some(lease) = leases.get(&one.lane()) else { continue };
        if let Some(place) = places.get(&one.lane()) {
            born[*place].lease.more = true;
            continue;
        }
        places.insert(one.lane(), born.len());
        born.push(Delivery {
            lease: *lease,
            until: now + time,
            message_id: one.message.id,
            channel_id: one.channel_id,
            wa_id: one.wa_id.map(str::to_owned),
            user_id: one.user_id.map(|id| person(id).to_owned()),
            payload: one.message.payload.clone(),
            attempt: 1,
            due_at: now,
            expires_at: one.message.expires_at,
            max_attempts: one.message.max_attempts,
            opted_out: false,
            trace: one.message.trace,
        });
    }
    born
}

/// The messages that hold the keys of these, by tenant and key.
pub(crate) async fn first_with<'a>(
    db: &mut PgConnection,
    refused: impl Iterator<Item = &'a Addressed<'a>>,
) -> Result<HashMap<(Uuid, String), Uuid>, sqlx::Error> {
    let (tenants, keys): (Vec<Uuid>, Vec<String>) =
        refused.filter_map(|one| Some((one.tenant_id, one.message.idempotency_key.clone()?))).unzip();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select m.tenant_id, m.idempotency_key as "key!", m.id
           from unnest($1::uuid[], $2::text[]) as k (tenant_id, key)
           cross join lateral (
               select tenant_id, idempotency_key, id from messages
               where tenant_id = k.tenant_id and idempotency_key = k.key limit 1
           ) as m"#,
        &tenants,
        &keys
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.key), row.id)).collect())
}
