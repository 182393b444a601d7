//! What was decided, in rows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::composite::composite;
use crate::flow_work::{Advance, NextState, State};
use crate::outbound::Addressed;
use crate::traces;

/// A message.
#[derive(sqlx::Encode)]
pub(super) struct NewMessage<'a> {
    tenant_id: Uuid,
    id: Uuid,
    conversation_id: Uuid,
    contact_id: Uuid,
    channel_id: Uuid,
    kind: &'a str,
    body: Option<&'a str>,
    payload: &'a str,
    idempotency_key: Option<&'a str>,
    event_id: Option<i64>,
    send_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    max_attempts: Option<i32>,
    traceparent: Option<String>,
    marketing: bool,
    free_form: bool,
    own: bool,
    priority: i16,
    is_later: bool,
    lane: i32,
}
composite!(NewMessage<'_>, "new_message");

impl<'a> NewMessage<'a> {
    pub fn of(one: &'a Addressed<'_>, now: DateTime<Utc>) -> Self {
        let message = one.message;
        Self {
            tenant_id: one.tenant_id,
            id: message.id,
            conversation_id: one.place.conversation_id,
            contact_id: one.place.contact_id,
            channel_id: one.channel_id,
            kind: &message.kind,
            body: message.body.as_deref(),
            payload: &message.payload,
            idempotency_key: message.idempotency_key.as_deref(),
            event_id: message.event_id,
            send_at: message.send_at,
            expires_at: message.expires_at,
            max_attempts: message.max_attempts,
            traceparent: traces::write(message.trace),
            marketing: message.marketing,
            free_form: message.free_form,
            own: one.own,
            priority: one.priority,
            is_later: one.is_later(now),
            lane: one.lane.map_or(0, number),
        }
    }
}

/// The number of the lane at this place, from 1. Nobody has 2^31 lanes in one batch.
fn number(place: usize) -> i32 {
    i32::try_from(place + 1).unwrap_or(i32::MAX)
}

/// The place of the lane with this number.
pub(super) fn place(number: i32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

/// The end of a flow's lane.
#[derive(sqlx::Encode)]
pub(super) struct LaneEnd {
    lane: i32,
    tenant_id: Uuid,
    contact_id: Uuid,
    token: i64,
    touched: i32,
    more: bool,
    again: Option<DateTime<Utc>>,
    attempts: i32,
    done_event: i64,
}
composite!(LaneEnd, "lane_end");

impl LaneEnd {
    /// In the order of the lanes' keys, in which all lock them.
    pub fn all(lanes: &[Arc<Advance>]) -> Vec<Self> {
        let end = |(place, lane): (usize, &Arc<Advance>)| Self {
            lane: number(place),
            tenant_id: lane.lease.lane.tenant_id,
            contact_id: lane.lease.lane.contact_id,
            token: lane.lease.token,
            touched: lane.lease.touched,
            more: lane.lease.more,
            again: lane.again.map(|(at, _)| at),
            attempts: lane.again.map_or(0, |(_, attempts)| attempts),
            done_event: lane.done_event,
        };
        let mut ends: Vec<Self> = lanes.iter().enumerate().map(end).collect();
        ends.sort_unstable_by_key(|end| (end.tenant_id, end.contact_id));
        ends
    }
}

/// The record of a run.
#[derive(sqlx::Encode)]
pub(super) struct NewRun<'a> {
    lane: i32,
    tenant_id: Uuid,
    event_id: i64,
    attempt: i32,
    plugin: &'a str,
    digest: &'a str,
    result: &'a str,
    reason: Option<&'a str>,
    actions: i32,
    fuel: i64,
    micros: i64,
    memory_bytes: i64,
    logs: Option<&'a str>,
    conversation_id: Uuid,
    context: Option<&'a str>,
    config_id: Option<i64>,
    state: Option<&'a [u8]>,
    outcome: Option<&'a str>,
}
composite!(NewRun<'_>, "new_run");

impl<'a> NewRun<'a> {
    pub fn all(lanes: &'a [Arc<Advance>]) -> Vec<Self> {
        let runs = lanes.iter().enumerate().flat_map(|(place, lane)| {
            lane.handled.iter().map(move |handled| {
                let run = &handled.run;
                Self {
                    lane: number(place),
                    tenant_id: lane.lease.lane.tenant_id,
                    event_id: handled.event.id,
                    attempt: run.attempt,
                    plugin: &run.plugin,
                    digest: &run.digest,
                    result: &run.result,
                    reason: run.reason.as_deref(),
                    actions: run.actions,
                    fuel: run.fuel,
                    micros: run.micros,
                    memory_bytes: run.memory_bytes,
                    logs: run.logs.as_deref(),
                    conversation_id: handled.event.conversation_id,
                    context: run.context.as_deref(),
                    config_id: run.config_id,
                    state: run.state.as_deref(),
                    outcome: run.outcome.as_deref(),
                }
            })
        });
        runs.collect()
    }
}

/// What a conversation is left with: its last state counts, and its first hand-off.
#[derive(sqlx::Encode)]
pub(super) struct Left<'a> {
    lane: i32,
    tenant_id: Uuid,
    conversation_id: Uuid,
    changed: bool,
    state: Option<&'a [u8]>,
    plugin: Option<&'a str>,
    digest: Option<&'a str>,
    hand_off: Option<&'a str>,
}
composite!(Left<'_>, "next_state");

impl<'a> Left<'a> {
    /// In the order of the conversations' keys, in which they are locked.
    pub fn all(lanes: &'a [Arc<Advance>]) -> Vec<Self> {
        let mut all: Vec<Self> =
            lanes.iter().enumerate().flat_map(|(place, lane)| Self::of_lane(number(place), lane)).collect();
        all.sort_unstable_by_key(|next| (next.tenant_id, next.conversation_id));
        all
    }

    /// The conversations that change. A lane has one for each channel: few.
    fn of_lane(lane: i32, advance: &'a Advance) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for handled in &advance.handled {
            let (changed, hand_off) = (matches!(handled.state, NextState::Set(_)), handled.hand_off.as_deref());
            if !changed && hand_off.is_none() {
                continue;
            }
            let conversation_id = handled.event.conversation_id;
            let known = all.iter().position(|next| next.conversation_id == conversation_id);
            let place = known.unwrap_or_else(|| {
                all.push(Self {
                    lane,
                    tenant_id: advance.lease.lane.tenant_id,
                    conversation_id,
                    changed: false,
                    state: None,
                    plugin: None,
                    digest: None,
                    hand_off: None,
                });
                all.len() - 1
            });
            let next = &mut all[place];
            if let NextState::Set(state) = &handled.state {
                next.set(state.as_ref());
            }
            next.hand_off = next.hand_off.or(hand_off);
        }
        all
    }

    fn set(&mut self, state: Option<&'a State>) {
        self.changed = true;
        self.state = state.map(|state| state.bytes.as_slice());
        self.plugin = state.map(|state| state.plugin.as_str());
        self.digest = state.map(|state| state.digest.as_str());
    }
}
