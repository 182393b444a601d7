//! What a flow decided, as what is to be done: each action is checked against its limits before anything takes effect.

mod messages;

use chrono::{DateTime, TimeDelta};
use hoopoe_outcalls::request;
use hoopoe_sandbox::contract::{Action, HttpRequest, Schedule, Tag};
use hoopoe_store::flow_work::Event;
use hoopoe_store::http_calls::NewCall;
use hoopoe_store::lanes::LaneKey;
use hoopoe_store::outbound::Outbound;
use hoopoe_store::timers::TimerChange;
use uuid::Uuid;

use crate::lane::Lane;
use crate::run::Runner;

/// Longest name of a timer, in characters.
const LONGEST_TIMER: usize = 100;
/// Largest payload of a timer, in bytes.
const LARGEST_PAYLOAD: usize = 4 << 10;
/// Timers of one conversation at once.
const TIMERS: usize = 100;
/// The furthest a timer may lie ahead.
const FURTHEST: TimeDelta = TimeDelta::days(400);
/// Longest tag, in characters, and most tags of a contact.
const LONGEST_TAG: usize = 64;
const TAGS: usize = 64;
/// Longest reason of a hand-off, in characters.
const LONGEST_REASON: usize = 1000;

/// Timers, answers and statuses of one contact within [`CHAIN_TIME`]. When there are more, an outcome for one of them may
/// not lead to further ones: a flow that answers its own doings would never end.
const CHAIN: i64 = 60;
const CHAIN_TIME: TimeDelta = TimeDelta::minutes(1);
/// Events that are looked at for that; messages among them are not counted.
const CHAIN_LATEST: i64 = 4 * CHAIN;

/// Why an outcome is not carried out; nothing of it takes effect.
pub(crate) enum Refused {
    /// It breaks a limit, or refers to what is not there.
    Invalid { code: &'static str, reason: String },
    /// What it needs cannot be had at the moment.
    Later(String),
}

/// An outcome, ready to be committed.
pub(crate) struct Decisions {
    pub tenant_id: Uuid,
    pub messages: Vec<Outbound>,
    pub timers: Vec<TimerChange>,
    pub calls: Vec<NewCall>,
    pub tags: Option<Vec<String>>,
    pub hand_off: Option<String>,
}

impl Runner {
    /// Checks the actions in order. `event` is the one that they answer, `lane` what those before it have changed.
    pub(crate) async fn decide(
        &self,
        actions: &[Action],
        tenant_id: Uuid,
        event: &Event,
        lane: &Lane,
    ) -> Result<Decisions, Refused> {
        let mut all = Decisions {
            tenant_id,
            messages: Vec::new(),
            timers: Vec::new(),
            calls: Vec::new(),
            tags: None,
            hand_off: None,
        };
        for (place, action) in actions.iter().enumerate() {
            match action {
                Action::Send(send) => all.messages.push(self.message(send, place, tenant_id, event).await?),
                Action::Schedule(timer) => all.timers.push(self.timer(timer).map_err(invalid(place))?),
                Action::Cancel(name) => {
                    let name = bounded("cancel", name, 1, LONGEST_TIMER).map_err(invalid(place))?;
                    all.timers.push(TimerChange::Cancel(name));
                }
                Action::HttpRequest(request) => {
                    all.calls.push(self.call(request, tenant_id, event).map_err(invalid(place))?);
                }
                Action::Tag(change) => {
                    let tags = all.tags.take().unwrap_or_else(|| event.around.tags.clone());
                    all.tags = Some(tag(tags, change).map_err(invalid(place))?);
                }
                Action::HandOff(reason) => {
                    all.hand_off = Some(bounded("hand-off", reason, 0, LONGEST_REASON).map_err(invalid(place))?);
                }
                Action::MarkRead(read) => {
                    all.messages.push(self.read_mark(read, place, event).map_err(invalid(place))?)
                }
            }
        }
        if all.timers.iter().any(|change| matches!(change, TimerChange::Set { .. })) {
            let changes = lane.timers(event.conversation_id).iter().chain(&all.timers);
            self.count_timers(changes, tenant_id, event).await?;
        }
        if continues(&all, event) {
            self.check_chain(tenant_id, event).await?;
        }
        Ok(all)
    }

    /// By the times at which events came, so that a backlog is judged like events that are handled at once.
    async fn check_chain(&self, tenant_id: Uuid, event: &Event) -> Result<(), Refused> {
        let lane = LaneKey { tenant_id, contact_id: event.contact_id };
        let since = event.received_at - CHAIN_TIME;
        let count = self.store.consequences(lane, event.id, since, CHAIN_LATEST).await;
        let count = count.map_err(|error| Refused::Later(error.to_string()))?;
        if count > CHAIN {
            let reason = format!(
                "the flow has made {count} events for itself within a minute and goes on; {CHAIN} are allowed: let a \
                 timer wait for a minute or more before the next"
            );
            return Err(Refused::Invalid { code: "chain-limit", reason });
        }
        Ok(())
    }

    fn timer(&self, timer: &Schedule) -> Result<TimerChange, String> {
        let name = bounded("schedule.name", &timer.name, 1, LONGEST_TIMER)?;
        if timer.payload.len() > LARGEST_PAYLOAD || timer.payload.contains('\0') {
            let size = timer.payload.len();
            return Err(format!("schedule.payload: it has {size} bytes; at most {LARGEST_PAYLOAD}, none of them NUL"));
        }
        let furthest = self.now() + FURTHEST;
        let due_at = i64::try_from(timer.due).ok().and_then(DateTime::from_timestamp_millis);
        let due_at = due_at.filter(|due| *due <= furthest).ok_or_else(|| {
            format!(
                "schedule.due: {} is more than {} days ahead; milliseconds are meant",
                timer.due,
                FURTHEST.num_days()
            )
        })?;
        Ok(TimerChange::Set { name, id: self.store.ambient.id(), due_at, payload: timer.payload.clone() })
    }

    /// Only the lane's owner sets timers: nobody else adds one between this look and the commit.
    async fn count_timers<'a>(
        &self,
        changes: impl Iterator<Item = &'a TimerChange>,
        tenant_id: Uuid,
        event: &Event,
    ) -> Result<(), Refused> {
        let known = self.store.timer_names(tenant_id, event.conversation_id).await;
        let known = known.map_err(|error| Refused::Later(error.to_string()))?;
        let mut names: std::collections::HashSet<&str> = known.iter().map(String::as_str).collect();
        for change in changes {
            match change {
                TimerChange::Set { name, .. } => names.insert(name),
                TimerChange::Cancel(name) => names.remove(name.as_str()),
            };
        }
        if names.len() > TIMERS {
            let reason = format!("schedule: the conversation would have {} timers; {TIMERS} are allowed", names.len());
            return Err(Refused::Invalid { code: "too-many-timers", reason });
        }
        Ok(())
    }

    fn call(&self, asked: &HttpRequest, tenant_id: Uuid, event: &Event) -> Result<NewCall, String> {
        let request = request::Request {
            method: asked.method.clone(),
            url: asked.url.clone(),
            headers: asked.headers.clone(),
            body: asked.body.clone(),
            timeout_ms: asked.timeout_ms,
        };
        Ok(NewCall {
            id: self.store.ambient.id(),
            tenant_id,
            conversation_id: event.conversation_id,
            contact_id: event.contact_id,
            channel_id: event.around.channel_id,
            plugin: event.around.flow.digest.is_some().then(|| event.around.flow.name.clone()),
            name: bounded("http-request.name", &asked.name, 1, LONGEST_TIMER)?,
            request: request.encode().map_err(|error| format!("http-request.{error}"))?,
        })
    }
}

/// Whether an event that is a consequence of the flow's decisions leads to further ones soon.
fn continues(decisions: &Decisions, event: &Event) -> bool {
    let soon = event.received_at + CHAIN_TIME;
    let is_soon = |change: &TimerChange| matches!(change, TimerChange::Set { due_at, .. } if *due_at < soon);
    let asks = !decisions.calls.is_empty() || decisions.timers.iter().any(is_soon);
    match event.kind.as_str() {
        "timer" | "http-response" => asks,
        // A message has statuses of its own.
        "status" => asks || !decisions.messages.is_empty(),
        _ => false,
    }
}

fn invalid(place: usize) -> impl Fn(String) -> Refused {
    move |reason| Refused::Invalid { code: "invalid-action", reason: format!("actions[{place}].{reason}") }
}

/// A text of `least` to `most` characters that Postgres can keep.
fn bounded(field: &str, text: &str, least: usize, most: usize) -> Result<String, String> {
    let length = text.chars().count();
    if (least..=most).contains(&length) && !text.contains('\0') {
        return Ok(text.to_owned());
    }
    Err(format!("{field}: it has {length} characters; give it {least} to {most}, none of them NUL"))
}

fn tag(mut tags: Vec<String>, change: &Tag) -> Result<Vec<String>, String> {
    let name = bounded("tag.name", &change.name, 1, LONGEST_TAG)?;
    match (tags.binary_search(&name), change.present) {
        (Err(place), true) => tags.insert(place, name),
        (Ok(place), false) => drop(tags.remove(place)),
        _ => {}
    }
    if tags.len() > TAGS {
        return Err(format!("tag: the contact would have {} tags; {TAGS} are allowed", tags.len()));
    }
    Ok(tags)
}
