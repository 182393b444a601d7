//! The commit of runs: records, states, messages and the lanes' advance, all or nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{Advance, Committed, Handled};
use crate::Store;
use crate::contacts::Place;
use crate::decisions::{self, Decisions, Written};
use crate::http_calls::{self, NewCall};
use crate::lanes::{Births, LaneKey};
use crate::outbound::Addressed;
use crate::permission;
use crate::timers::{self, Placed};
use crate::webhooks::notices::Notices;
use crate::webhooks::types;

/// Priority of what flows answer: a contact waits for it.
const ANSWER: i16 = 0;

impl Store {
    /// Commits lanes' runs. `births` is by lane, for the messages that it sends. Runs that keep states and send messages,
    /// as nearly all do, need one statement and no transaction around it.
    pub async fn commit_runs(&self, lanes: &[Arc<Advance>], births: Births<'_>) -> Result<Committed, sqlx::Error> {
        let notices = self.notices();
        if lanes.iter().all(|lane| lane.is_one_statement(&notices))
            && let Some(committed) = self.commit_at_once(lanes, births).await?
        {
            return Ok(committed);
        }
        self.commit_together(lanes, births, notices).await
    }

    /// `None` when a message may not go out, for which more is to be done: nothing is written then.
    async fn commit_at_once(
        &self,
        lanes: &[Arc<Advance>],
        births: Births<'_>,
    ) -> Result<Option<Committed>, sqlx::Error> {
        let mut db = self.hot.statements().await?;
        let messages = messages(lanes, births);
        let decisions = Decisions { lanes, messages: &messages, all_or_nothing: true };
        let written = decisions::write(&mut db, decisions, self.ambient.now(), births.lease).await?;
        db.commit().await?;
        if written.refused {
            return Ok(None);
        }
        self.wake(&written);
        Ok(Some(Committed { owned: written.held, born: written.inserted.born }))
    }

    /// In one transaction.
    async fn commit_together(
        &self,
        lanes: &[Arc<Advance>],
        births: Births<'_>,
        mut notices: Notices,
    ) -> Result<Committed, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.hot.transaction().await?;
        let mut messages = messages(lanes, births);
        let decisions = Decisions { lanes, messages: &messages, all_or_nothing: false };
        let mut written = decisions::write(&mut tx, decisions, now, births.lease).await?;
        messages.retain(|one| one.lane.is_some_and(|place| written.held[place]));
        let owned: Vec<&Arc<Advance>> =
            lanes.iter().zip(&written.held).filter(|(_, held)| **held).map(|(lane, _)| lane).collect();
        written.more |= go_on(&mut tx, &owned, now).await?;
        let dead = permission::bury(&mut tx, &messages, &mut written.inserted, now, births.lease).await?;
        let timers = timers(&owned);
        timers::apply(&mut tx, &timers).await?;
        let calls: Vec<NewCall> =
            owned.iter().flat_map(|lane| &lane.handled).flat_map(|handled| &handled.calls).cloned().collect();
        http_calls::insert(&mut tx, &calls, now).await?;
        tag(&mut tx, &owned).await?;
        owned.iter().for_each(|lane| lane.tell(&mut notices, now));
        dead.iter().for_each(|(tenant_id, id)| notices.message(*tenant_id, *id, types::MESSAGE_DEAD, now));
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        if !timers.is_empty() {
            self.wakes.timers.notify_one();
        }
        if !calls.is_empty() {
            self.wakes.calls.notify_one();
        }
        self.wake(&written);
        Ok(Committed { owned: written.held, born: written.inserted.born })
    }

    fn wake(&self, written: &Written) {
        if written.more {
            self.wakes.flow.notify_one();
        }
        if written.inserted.waits {
            self.wakes.delivery.notify_one();
        }
        if written.inserted.scheduled {
            self.wakes.scheduled.notify_one();
        }
    }
}

/// The messages of all lanes.
fn messages<'a>(lanes: &'a [Arc<Advance>], births: Births<'_>) -> Vec<Addressed<'a>> {
    lanes.iter().enumerate().flat_map(|(place, lane)| lane.outbound(place, births.own(place))).collect()
}

impl Advance {
    /// Its runs decided nothing but states and messages for now, and nobody is to be told of them.
    fn is_one_statement(&self, notices: &Notices) -> bool {
        let tenant_id = self.lease.lane.tenant_id;
        let is_told = |handled: &Handled| {
            handled.run.is_given_up() && notices.want(tenant_id, types::FLOW_FAILED)
                || handled.hand_off.is_some() && notices.want(tenant_id, types::FLOW_HANDED_OFF)
        };
        let is_later = |handled: &Handled| handled.messages.iter().any(|message| message.send_at.is_some());
        let is_more = |handled: &Handled| {
            is_later(handled)
                || !handled.timers.is_empty()
                || !handled.calls.is_empty()
                || handled.tags.is_some()
                || is_told(handled)
        };
        !self.is_paused && !self.handled.iter().any(is_more)
    }

    /// Its messages; `place` is its own.
    fn outbound(&self, place: usize, own: bool) -> impl Iterator<Item = Addressed<'_>> {
        let LaneKey { tenant_id, contact_id } = self.lease.lane;
        self.handled.iter().flat_map(move |handled| {
            let event = &handled.event;
            let to = Place { contact_id, conversation_id: event.conversation_id };
            handled.messages.iter().map(move |message| Addressed {
                tenant_id,
                channel_id: event.around.channel_id,
                place: to,
                wa_id: event.around.wa_id.as_deref(),
                user_id: event.around.user_id.as_deref(),
                message,
                priority: ANSWER,
                own,
                lane: Some(place),
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
