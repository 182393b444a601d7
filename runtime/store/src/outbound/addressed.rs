//! Messages with their way, into the outbox.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Inserted, Outbound};
use crate::contacts::Place;
use crate::decisions::{self, Decisions};
use crate::deliveries::{Delivery, Waiting};
use crate::lanes::{LaneKey, Lease};
use crate::messenger::person;
use crate::scheduled::Scheduled;

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
    /// The place of the flow's lane that it is written with.
    pub lane: Option<usize>,
}

/// Inserts messages that are new and may go out ([`decisions::write`]).
pub(crate) async fn insert(
    db: &mut PgConnection,
    messages: &[Addressed<'_>],
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Inserted, sqlx::Error> {
    let decisions = Decisions { lanes: &[], messages, all_or_nothing: false };
    Ok(decisions::write(db, decisions, now, lease).await?.inserted)
}

impl Addressed<'_> {
    /// The lane that it goes out by.
    pub fn key(&self) -> LaneKey {
        LaneKey { tenant_id: self.tenant_id, contact_id: self.place.contact_id }
    }

    /// Its time is to come.
    pub fn is_later(&self, now: DateTime<Utc>) -> bool {
        self.message.send_at.is_some_and(|at| at > now)
    }

    /// With its time, if it has one.
    pub fn scheduled(&self) -> Option<Scheduled> {
        let message = Waiting { lane: self.key(), message_id: self.message.id, channel_id: self.channel_id };
        Some(Scheduled { message, send_at: self.message.send_at?, priority: self.priority })
    }
}

/// The first message of each owned lane; the lease remembers whether there are more.
pub(crate) fn first_of_lanes(
    out: &[&Addressed<'_>],
    leases: &HashMap<LaneKey, Lease>,
    now: DateTime<Utc>,
    time: TimeDelta,
) -> Vec<Delivery> {
    let mut born: Vec<Delivery> = Vec::with_capacity(leases.len());
    let mut places: HashMap<LaneKey, usize> = HashMap::with_capacity(leases.len());
    for one in out {
        let Some(lease) = leases.get(&one.key()) else { continue };
        if let Some(place) = places.get(&one.key()) {
            born[*place].lease.more = true;
            continue;
        }
        places.insert(one.key(), born.len());
        born.push(Delivery {
            lease: *lease,
            until: now + time,
            message_id: one.message.id,
            channel_id: one.channel_id,
            priority: one.priority,
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
