//! The flow stage's work: claimed lanes with their events, and the commit of what the flows decided.
//!
//! In: runs of a lane's events in order. Out: run records, next states and outbound messages, in one transaction with
//! the lane's advance. A lane that has been taken over by another owner is left out: nothing of it is written.

mod around;
mod claim;
mod commit;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_telemetry::trace::TraceContext;
use uuid::Uuid;

use crate::Store;
use crate::deliveries::Delivery;
use crate::flow_runs::NO_FAILURES;
use crate::http_calls::NewCall;
use crate::journal::Arrival;
use crate::lanes::{self, Lease, Stage};
use crate::outbound::Outbound;
use crate::timers::TimerChange;

/// Events of one lane that are worked on at once; the rest comes with the next claim.
pub(crate) const EVENTS_AT_ONCE: usize = 16;

/// A lane that belongs to this process from birth, with its first events. [`Store::adopt`] makes it [`Work`].
#[derive(Debug)]
pub struct Born {
    /// Proves the ownership.
    pub lease: Lease,
    /// In order.
    pub events: Vec<BornEvent>,
}

/// An event as it came.
#[derive(Debug)]
pub struct BornEvent {
    /// Its id in the journal.
    pub id: i64,
    /// Whose conversation.
    pub conversation_id: Uuid,
    /// What came.
    pub arrival: Arc<Arrival>,
}

/// An owned lane with its next events.
#[derive(Debug)]
pub struct Work {
    /// Proves the ownership.
    pub lease: Lease,
    /// Events up to this id are done.
    pub done_event: i64,
    /// Former runs of the first event.
    pub attempts: i32,
    /// In order.
    pub events: Vec<Event>,
}

/// An event with what its flow may know.
#[derive(Debug, Clone)]
pub struct Event {
    /// Grows within a lane.
    pub id: i64,
    /// `message`, `status`, ...
    pub kind: String,
    /// The item as it came: JSON text.
    pub raw: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The conversation.
    pub conversation_id: Uuid,
    /// The contact.
    pub contact_id: Uuid,
    /// What is known around it.
    pub around: Around,
    /// The trace that it came with.
    pub trace: Option<TraceContext>,
}

/// The surroundings of a conversation's events.
#[derive(Debug, Clone)]
pub struct Around {
    /// What the last run left.
    pub state: Option<State>,
    /// People have the conversation: its flow is silent.
    pub handed_off: bool,
    /// When the contact wrote last, as far as it is written down.
    pub last_inbound_at: Option<DateTime<Utc>>,
    /// Messages that come so soon after the first reach the flow together; zero: each by itself.
    pub debounce: TimeDelta,
    /// The messages of a burst before this one, oldest first, each as it came.
    pub burst: Vec<String>,
    /// The channel it came by.
    pub channel_id: Uuid,
    /// `whatsapp`, `messenger` or `instagram`.
    pub channel_kind: String,
    /// Meta's id of that number, page or Instagram account.
    pub phone_number_id: String,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// The contact's WhatsApp id.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id, or the id on that page or Instagram account.
    pub user_id: Option<String>,
    /// The contact's profile name.
    pub name: Option<String>,
    /// The contact's username.
    pub username: Option<String>,
    /// The contact's tags, sorted.
    pub tags: Vec<String>,
    /// The tenant's name.
    pub tenant_name: String,
    /// What handles the tenant's events.
    pub flow: Flow,
}

/// State of a conversation and who left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// As the plugin left it.
    pub bytes: Vec<u8>,
    /// `name@version` of the plugin.
    pub plugin: String,
    /// Digest of its component, hex.
    pub digest: String,
}

/// The plugin in charge of a tenant's events.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its name; of a built-in plugin when there is no digest.
    pub name: String,
    /// The active version, hex.
    pub digest: Option<String>,
    /// Which configuration; none means `{}`.
    pub config_id: Option<i64>,
    /// A version on trial, and the percentage of conversations that it gets.
    pub canary: Option<(String, u8)>,
    /// The circuit breaker is open: events wait.
    pub paused: bool,
}

/// The record of one run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// 1 for the first.
    pub attempt: i32,
    /// name@version.
    pub plugin: String,
    /// SHA-256 of the plugin, hex.
    pub digest: String,
    /// `done`, `retry`, or the code of the failure.
    pub result: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// Actions that it decided.
    pub actions: i32,
    /// Fuel burnt.
    pub fuel: i64,
    /// Time taken, in microseconds.
    pub micros: i64,
    /// Most memory held, in bytes.
    pub memory_bytes: i64,
    /// Log lines: JSON text.
    pub logs: Option<String>,
    /// What the run could know besides event, configuration and state: JSON text.
    pub context: Option<String>,
    /// Its configuration.
    pub config_id: Option<i64>,
    /// The state that it was given.
    pub state: Option<Vec<u8>>,
    /// What it decided: JSON text.
    pub outcome: Option<String>,
}

impl RunRecord {
    /// Whether the event was given up: its flow failed or rejected it, nothing takes effect, and it is not run again.
    pub(crate) fn is_given_up(&self) -> bool {
        let result = self.result.as_str();
        !NO_FAILURES.contains(&result) && !matches!(result, "canary-failed" | "paused")
    }
}

/// What happens to the conversation's state.
#[derive(Debug, Clone)]
pub enum NextState {
    /// Nothing.
    Keep,
    /// It is replaced or removed.
    Set(Option<State>),
}

/// A run and what it decided.
#[derive(Debug)]
pub struct Handled {
    /// The event.
    pub event: Event,
    /// The run.
    pub run: RunRecord,
    /// The next state.
    pub state: NextState,
    /// Messages, in order.
    pub messages: Vec<Outbound>,
    /// Timers that are set or cancelled, in order.
    pub timers: Vec<TimerChange>,
    /// HTTP calls to make.
    pub calls: Vec<NewCall>,
    /// All of the contact's tags, when they change.
    pub tags: Option<Vec<String>>,
    /// Why people shall take over.
    pub hand_off: Option<String>,
}

/// What became of a batch of lanes' runs.
#[derive(Debug)]
pub struct Committed {
    /// For each lane: whether it was still owned; if not, nothing of it was written.
    pub owned: Vec<bool>,
    /// Messages whose lanes belong to this process from birth; they are marked `sending`.
    pub born: Vec<Delivery>,
}

/// The runs of one claimed lane, to be committed together.
#[derive(Debug)]
pub struct Advance {
    /// Proves the ownership.
    pub lease: Lease,
    /// The runs, in order.
    pub handled: Vec<Handled>,
    /// Events up to this id are done now.
    pub done_event: i64,
    /// When the first event that is not done is to be run again, and how often it was run.
    pub again: Option<(DateTime<Utc>, i32)>,
    /// It waits because its flow is paused.
    pub is_paused: bool,
}
impl Store {
    /// When the flow stage's next lane is ready, if one waits.
    pub async fn next_event(&self) -> Result<Option<DateTime<Utc>>, crate::Error> {
        Ok(lanes::next_ready(&mut *self.pool.acquire().await?, Stage::Flow).await?)
    }
}
