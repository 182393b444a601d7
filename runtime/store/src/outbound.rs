//! Messages on their way out, from the send API or from a flow, into the outbox and their contact's lane.
//!
//! The partial unique index on tenant and idempotency key decides, in the same statement that inserts, whether a
//! message is new.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::contacts::{self, Party, Place, Sighting};
use crate::lanes::{self, LaneKey, Stage};

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
}

/// A message with its way.
#[derive(Debug)]
pub(crate) struct Addressed<'a> {
    pub tenant_id: Uuid,
    pub channel_id: Uuid,
    pub place: Place,
    pub message: &'a Outbound,
}

/// A request of the send API.
#[derive(Debug)]
pub struct SendRequest {
    /// To whom, by which number.
    pub party: Party,
    /// What.
    pub message: Outbound,
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
}

impl Store {
    /// Queues the requests in one transaction; results in their order.
    pub async fn enqueue(&self, requests: &[Arc<SendRequest>]) -> Result<Vec<Queued>, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let sightings: Vec<_> = requests.iter().map(|request| Sighting { party: &request.party, seen: None }).collect();
        let (places, learned) = contacts::resolve(&mut tx, &self.contacts, &self.ambient, &sightings).await?;
        let addressed: Vec<Addressed<'_>> = requests
            .iter()
            .filter_map(|request| {
                let place = *places.get(&request.party)?;
                let Party { tenant_id, channel_id, .. } = request.party;
                Some(Addressed { tenant_id, channel_id, place, message: &request.message })
            })
            .collect();
        let new = insert(&mut tx, &addressed, now).await?;
        let taken = first_with(&mut tx, addressed.iter().filter(|one| !new.contains(&one.message.id))).await?;
        tx.commit().await?;
        self.contacts.learn(learned);
        self.wakes.delivery.notify_one();
        Ok(requests
            .iter()
            .map(|request| {
                let key = (request.party.tenant_id, request.message.idempotency_key.clone().unwrap_or_default());
                match taken.get(&key) {
                    Some(first) if !new.contains(&request.message.id) => Queued::Repeated { first: *first },
                    _ => Queued::New { created_at: now },
                }
            })
            .collect())
    }
}

/// Inserts messages, outbox rows and lanes; gives the ids of those that were new.
pub(crate) async fn insert(
    db: &mut PgConnection,
    messages: &[Addressed<'_>],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let lane = |one: &Addressed<'_>| LaneKey { tenant_id: one.tenant_id, contact_id: one.place.contact_id };
    lanes::open(db, Stage::Delivery, messages.iter().map(lane), now).await?;
    let ids = sqlx::query_scalar!(
        "insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, payload,
                               idempotency_key, event_id, created_at, updated_at)
         select tenant_id, id, conversation_id, 'OUT', 'queued', kind, body, payload::json, idempotency_key, event_id,
                $9, $9
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
              as k (tenant_id, id, conversation_id, kind, body, payload, idempotency_key, event_id)
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
        now
    )
    .fetch_all(&mut *db)
    .await?;
    let new: HashSet<Uuid> = ids.into_iter().collect();
    let out: Vec<&Addressed<'_>> = messages.iter().filter(|one| new.contains(&one.message.id)).collect();
    sqlx::query!(
        "insert into outbox (tenant_id, contact_id, message_id, channel_id)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])",
        &out.iter().map(|one| one.tenant_id).collect::<Vec<_>>(),
        &out.iter().map(|one| one.place.contact_id).collect::<Vec<_>>(),
        &out.iter().map(|one| one.message.id).collect::<Vec<_>>(),
        &out.iter().map(|one| one.channel_id).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(new)
}

/// The messages that hold the keys of these, by tenant and key.
async fn first_with<'a>(
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
           join messages m on m.tenant_id = k.tenant_id and m.idempotency_key = k.key"#,
        &tenants,
        &keys
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.key), row.id)).collect())
}
