//! The commit of runs: records, states, messages and the lanes' advance, in one transaction.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Advance, Committed, Event, Handled, NextState, RunRecord, State};
use crate::Store;
use crate::contacts::Place;
use crate::http_calls::{self, NewCall};
use crate::lanes::{self, Births, Closing, LaneKey, Stage};
use crate::outbound::{self, Addressed};
use crate::permission;
use crate::timers::{self, Placed};
use crate::webhooks::notices::Notices;
use crate::webhooks::types;

/// Priority of what flows answer: a contact waits for it.
const ANSWER: i16 = 0;
impl Store {
    /// Commits lanes' runs in one transaction. `births` is by lane, for the messages that it sends.
    pub async fn commit_runs(&self, lanes: &[Arc<Advance>], births: Births<'_>) -> Result<Committed, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.hot.begin().await?;
        let finished = lanes::finish(&mut tx, Stage::Flow, lanes.iter().map(|lane| lane.closing()), now).await?;
        let is_held = |advance: &Advance| finished.held.contains(&advance.lease.lane);
        let owned: Vec<&Arc<Advance>> = lanes.iter().filter(|advance| is_held(advance)).collect();
        let resumed = go_on(&mut tx, &owned, now).await?;
        record(&mut tx, &owned, now).await?;
        keep_states(&mut tx, &owned, now).await?;
        let outbound: Vec<Addressed<'_>> = lanes
            .iter()
            .enumerate()
            .filter(|(_, advance)| is_held(advance))
            .flat_map(|(place, advance)| advance.outbound(births.own(place)))
            .collect();
        let mut queued = outbound::insert(&mut tx, &outbound, now, births.lease).await?;
        let dead = permission::bury(&mut tx, &outbound, &mut queued, now, births.lease).await?;
        let timers = timers(&owned);
        timers::apply(&mut tx, &timers).await?;
        let calls: Vec<NewCall> =
            owned.iter().flat_map(|lane| &lane.handled).flat_map(|handled| &handled.calls).cloned().collect();
        http_calls::insert(&mut tx, &calls, now).await?;
        tag(&mut tx, &owned).await?;
        let mut notices = self.notices();
        owned.iter().for_each(|lane| lane.tell(&mut notices, now));
        dead.iter().for_each(|(tenant_id, id)| notices.message(*tenant_id, *id, types::MESSAGE_DEAD, now));
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        if finished.more || resumed {
            self.wakes.flow.notify_one();
        }
        if queued.waits {
            self.wakes.delivery.notify_one();
        }
        if !timers.is_empty() {
            self.wakes.timers.notify_one();
        }
        if !calls.is_empty() {
            self.wakes.calls.notify_one();
        }
        Ok(Committed { owned: lanes.iter().map(|advance| is_held(advance)).collect(), born: queued.born })
    }
}

impl Advance {
    fn outbound(&self, own: bool) -> impl Iterator<Item = Addressed<'_>> {
        let LaneKey { tenant_id, contact_id } = self.lease.lane;
        self.handled.iter().flat_map(move |handled| {
            let event = &handled.event;
            let place = Place { contact_id, conversation_id: event.conversation_id };
            handled.messages.iter().map(move |message| Addressed {
                tenant_id,
                channel_id: event.around.channel_id,
                place,
                wa_id: event.around.wa_id.as_deref(),
                user_id: event.around.user_id.as_deref(),
                message,
                priority: ANSWER,
                own,
            })
        })
    }

    /// Tells of runs that failed, and of conversations that people are to take over.
    fn tell(&self, notices: &mut Notices, now: DateTime<Utc>) {
        let LaneKey { tenant_id, contact_id } = self.lease.lane;
        for Handled { event, run, hand_off, .. } in &self.handled {
            let conversation_id = event.conversation_id;
            if run.is_given_up() {
                let cause = format!("{}/{}", event.id, run.attempt);
                notices.other(tenant_id, types::FLOW_FAILED, &cause, now, || {
                    json!({
                        "eventId": event.id, "attempt": run.attempt, "plugin": run.plugin, "digest": run.digest,
                        "result": run.result, "reason": run.reason, "conversationId": conversation_id,
                        "contactId": contact_id,
                    })
                });
            }
            if let Some(reason) = hand_off {
                notices.other(tenant_id, types::FLOW_HANDED_OFF, &event.id.to_string(), now, || {
                    let by = "flow";
                    json!({ "conversationId": conversation_id, "contactId": contact_id, "reason": reason, "by": by })
                });
            }
        }
    }

    fn closing(&self) -> Closing {
        Closing { lease: self.lease, done_event: Some(self.done_event), again: self.again }
    }
}

fn timers<'a>(lanes: &[&'a Arc<Advance>]) -> Vec<Placed<'a>> {
    let changes = lanes.iter().flat_map(|lane| {
        let LaneKey { tenant_id, contact_id } = lane.lease.lane;
        lane.handled.iter().flat_map(move |handled| {
            let (conversation_id, channel_id) = (handled.event.conversation_id, handled.event.around.channel_id);
            handled.timers.iter().map(move |change| Placed {
                tenant_id,
                contact_id,
                conversation_id,
                channel_id,
                change,
            })
        })
    });
    changes.collect()
}

/// Makes lanes ready that were to wait for a flow that is not paused any more: whoever ended that, or put another one in
/// charge, has passed them over, because they had an owner then.
async fn go_on(db: &mut PgConnection, lanes: &[&Arc<Advance>], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let waiting: Vec<LaneKey> = lanes.iter().filter(|lane| lane.is_paused).map(|lane| lane.lease.lane).collect();
    if waiting.is_empty() {
        return Ok(false);
    }
    // Primary keys, row by row. The lanes are locked: what changes from here on finds them without an owner.
    let resumed = sqlx::query!(
        "update lanes l set ready_at = $3
         from (select k.tenant_id, k.contact_id, 0::smallint as stage
               from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
               cross join lateral (select from tenants where id = k.tenant_id and flow_paused_at is null limit 1) as t
               offset 0) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage
           and l.lease_token < 1",
        &waiting.iter().map(|lane| lane.tenant_id).collect::<Vec<_>>(),
        &waiting.iter().map(|lane| lane.contact_id).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(resumed.rows_affected() > 0)
}

async fn record(db: &mut PgConnection, lanes: &[&Arc<Advance>], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let runs: Vec<(Uuid, &Event, &RunRecord)> = lanes
        .iter()
        .flat_map(|lane| lane.handled.iter().map(|h| (lane.lease.lane.tenant_id, &h.event, &h.run)))
        .collect();
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into flow_runs (tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros,
                                memory_bytes, logs, conversation_id, context, config_id, state, outcome, at)
         select tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros, memory_bytes,
                logs::json, conversation_id, context::json, config_id, state, outcome::json, $18
         from unnest($1::uuid[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
                     $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::uuid[], $14::text[],
                     $15::bigint[], $16::bytea[], $17::text[])
              as k (tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros, memory_bytes,
                    logs, conversation_id, context, config_id, state, outcome)
         on conflict (tenant_id, event_id, attempt) do update set
             plugin = excluded.plugin, digest = excluded.digest, result = excluded.result, reason = excluded.reason,
             actions = excluded.actions, fuel = excluded.fuel, micros = excluded.micros,
             memory_bytes = excluded.memory_bytes, logs = excluded.logs, context = excluded.context,
             config_id = excluded.config_id, state = excluded.state, outcome = excluded.outcome, at = excluded.at
         where flow_runs.result in ('retry', 'canary-failed', 'paused')",
        &runs.iter().map(|(tenant, _, _)| *tenant).collect::<Vec<_>>(),
        &runs.iter().map(|(_, event, _)| event.id).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.attempt).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.plugin.clone()).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.digest.clone()).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.result.clone()).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        &runs.iter().map(|(_, _, run)| run.actions).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.fuel).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.micros).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.memory_bytes).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.logs.clone()).collect::<Vec<_>>() as &[Option<String>],
        &runs.iter().map(|(_, event, _)| event.conversation_id).collect::<Vec<_>>(),
        &runs.iter().map(|(_, _, run)| run.context.clone()).collect::<Vec<_>>() as &[Option<String>],
        &runs.iter().map(|(_, _, run)| run.config_id).collect::<Vec<_>>() as &[Option<i64>],
        &runs.iter().map(|(_, _, run)| run.state.clone()).collect::<Vec<_>>() as &[Option<Vec<u8>>],
        &runs.iter().map(|(_, _, run)| run.outcome.clone()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last state of each conversation counts, and its first hand-off.
async fn keep_states(db: &mut PgConnection, lanes: &[&Arc<Advance>], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    struct Last<'a> {
        tenant_id: Uuid,
        conversation_id: Uuid,
        state: Option<&'a Option<State>>,
        hand_off: Option<&'a str>,
    }
    let mut conversations: Vec<Last<'_>> = Vec::new();
    for lane in lanes {
        let start = conversations.len();
        for handled in &lane.handled {
            let (tenant_id, conversation_id) = (lane.lease.lane.tenant_id, handled.event.conversation_id);
            // A lane has one conversation per channel: few.
            let known = conversations[start..].iter().position(|last| last.conversation_id == conversation_id);
            let place = known.map_or(conversations.len(), |known| start + known);
            if known.is_none() {
                conversations.push(Last { tenant_id, conversation_id, state: None, hand_off: None });
            }
            let last = &mut conversations[place];
            if let NextState::Set(state) = &handled.state {
                last.state = Some(state);
            }
            last.hand_off = last.hand_off.or(handled.hand_off.as_deref());
        }
    }
    conversations.retain(|last| last.state.is_some() || last.hand_off.is_some());
    if conversations.is_empty() {
        return Ok(());
    }
    let left = |last: &Last<'_>| last.state.and_then(Option::as_ref).cloned();
    sqlx::query!(
        "update conversations c set
             state = case when k.changed then k.state else c.state end,
             state_plugin = case when k.changed then k.plugin else c.state_plugin end,
             state_digest = case when k.changed then k.digest else c.state_digest end,
             handed_off_at = case when k.hand_off is null then c.handed_off_at else coalesce(c.handed_off_at, $8) end,
             handed_off_reason = coalesce(k.hand_off, c.handed_off_reason)
         from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bytea[], $5::text[], $6::text[], $7::text[])
              as k (tenant_id, id, changed, state, plugin, digest, hand_off)
         where c.tenant_id = any (array[k.tenant_id]) and c.id = k.id",
        &conversations.iter().map(|last| last.tenant_id).collect::<Vec<_>>(),
        &conversations.iter().map(|last| last.conversation_id).collect::<Vec<_>>(),
        &conversations.iter().map(|last| last.state.is_some()).collect::<Vec<_>>(),
        &conversations.iter().map(|last| left(last).map(|state| state.bytes)).collect::<Vec<_>>()
            as &[Option<Vec<u8>>],
        &conversations.iter().map(|last| left(last).map(|state| state.plugin)).collect::<Vec<_>>()
            as &[Option<String>],
        &conversations.iter().map(|last| left(last).map(|state| state.digest)).collect::<Vec<_>>()
            as &[Option<String>],
        &conversations.iter().map(|last| last.hand_off.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last set of tags of each contact counts.
async fn tag(db: &mut PgConnection, lanes: &[&Arc<Advance>]) -> Result<(), sqlx::Error> {
    let changed: Vec<(LaneKey, String)> = lanes
        .iter()
        .filter_map(|lane| {
            let tags = lane.handled.iter().rev().find_map(|handled| handled.tags.as_ref())?;
            Some((lane.lease.lane, serde_json::Value::from(tags.clone()).to_string()))
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    // Arrays of arrays have to be rectangular in Postgres: the tags travel as JSON.
    sqlx::query!(
        "update contacts c set tags = array(select json_array_elements_text(k.tags::json))
         from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, id, tags)
         where c.tenant_id = any (array[k.tenant_id]) and c.id = k.id",
        &changed.iter().map(|(lane, _)| lane.tenant_id).collect::<Vec<_>>(),
        &changed.iter().map(|(lane, _)| lane.contact_id).collect::<Vec<_>>(),
        &changed.iter().map(|(_, tags)| tags.clone()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
