//! A run without effect: what would this version make of this event?

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_plugins::send_content;
use hoopoe_sandbox::contract::{Action, Outcome, SendContent};
use hoopoe_sandbox::{Owner, Plugin};
use hoopoe_store::flow_work::{Around, Event, Flow};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::trace::Snapshot;
use crate::{event, record, trace};

/// What the run is given.
#[derive(Debug, Clone)]
pub struct Input {
    /// Whose plugin it is.
    pub tenant_id: Uuid,
    /// What the plugin may know of tenant, channel and contact.
    pub snapshot: Snapshot,
    /// Ids of conversation, contact and channel; any will do.
    pub ids: [Uuid; 3],
    /// Seeds the run.
    pub event_id: i64,
    /// `message`, `status`, `timer`, `http-response` or another kind.
    pub kind: String,
    /// The event as the journal keeps it: JSON text.
    pub raw: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What counts as now.
    pub now: DateTime<Utc>,
    /// 1 for the first.
    pub attempt: i32,
    /// The configuration: JSON text.
    pub config: String,
    /// What the conversation's last run left.
    pub state: Option<Vec<u8>>,
}

/// What came of it.
#[derive(Debug)]
pub struct Simulated {
    /// What the plugin decided, as [`trace::outcome`] writes it.
    pub outcome: Option<Box<RawValue>>,
    /// Why there is no outcome: a stable code, and the reason. `unwanted` when the manifest does not ask for such
    /// events.
    pub failure: Option<(&'static str, String)>,
    /// Sends that would be refused, and why.
    pub problems: Vec<String>,
    /// `[{"level", "message"}, ...]`.
    pub logs: Value,
    /// Fuel burnt.
    pub fuel: u64,
    /// Time taken, in microseconds.
    pub micros: u128,
    /// Most memory held, in bytes.
    pub memory_bytes: usize,
}

/// Runs the plugin on the input, and does nothing with the outcome.
pub async fn simulate(plugin: &Plugin, input: Input) -> Simulated {
    let Input { tenant_id, attempt, config, state, .. } = &input;
    let (tenant_id, attempt, config, state) = (*tenant_id, *attempt, config.clone(), state.clone());
    let event = stored(input);
    if !event::wants(plugin, &event.kind) {
        let reason = format!("the manifest does not ask for events of the kind {}", event.kind);
        return Simulated {
            outcome: None,
            failure: Some(("unwanted", reason)),
            problems: Vec::new(),
            logs: Value::Array(Vec::new()),
            fuel: 0,
            micros: 0,
            memory_bytes: 0,
        };
    }
    let (context, input) = event::contract(tenant_id, &event, attempt, &config);
    let run = plugin.on_event(Owner(tenant_id.as_u128()), context, input, state).await;
    let logs = record::logs(&run.logs, run.logs_cut);
    let (outcome, failure, problems) = match &run.result {
        // The text is JSON that was just written.
        Ok(outcome) => (RawValue::from_string(trace::outcome(outcome)).ok(), None, problems(outcome)),
        Err(failure) => (None, Some((failure.code(), failure.to_string())), Vec::new()),
    };
    let (fuel, micros, memory_bytes) = (run.fuel, run.elapsed.as_micros(), run.memory_bytes);
    Simulated { outcome, failure, problems, logs, fuel, micros, memory_bytes }
}

fn stored(input: Input) -> Event {
    let [conversation_id, contact_id, channel_id] = input.ids;
    let Snapshot {
        channel_kind,
        tenant_name,
        phone_number_id,
        display_phone_number,
        wa_id,
        user_id,
        name,
        username,
        tags,
        burst,
    } = input.snapshot;
    Event {
        id: input.event_id,
        kind: input.kind,
        raw: input.raw,
        occurred_at: input.occurred_at,
        received_at: input.now,
        conversation_id,
        contact_id,
        around: Around {
            state: None,
            handed_off: false,
            last_inbound_at: None,
            debounce: TimeDelta::zero(),
            burst,
            channel_id,
            channel_kind,
            phone_number_id,
            display_phone_number,
            wa_id,
            user_id,
            name,
            username,
            tags,
            tenant_name,
            flow: Flow { name: String::new(), digest: None, config_id: None, canary: None, paused: false },
        },
        trace: None,
    }
}

/// Stored templates are looked up only when they are sent.
fn problems(outcome: &Outcome) -> Vec<String> {
    let sends = outcome.actions.iter().enumerate().filter_map(|(place, action)| match action {
        Action::Send(send) if !matches!(send.content, SendContent::Stored(_)) => Some((place, send)),
        _ => None,
    });
    let problem = |(place, send): (usize, &hoopoe_sandbox::contract::Send)| {
        let content = send_content(&send.content);
        let payload =
            content.and_then(|content| content.payload(send.reply_to.as_deref()).map_err(|error| error.to_string()));
        payload.err().map(|reason| format!("actions[{place}].{reason}"))
    };
    sends.filter_map(problem).collect()
}

/// An event of an unknown contact.
#[cfg(test)]
pub(crate) fn sample(kind: &str, channel_kind: &str, raw: &str) -> Event {
    let now = DateTime::UNIX_EPOCH;
    let snapshot = Snapshot {
        channel_kind: channel_kind.to_owned(),
        tenant_name: "Acme".to_owned(),
        phone_number_id: "106540352242922".to_owned(),
        display_phone_number: None,
        wa_id: None,
        user_id: None,
        name: None,
        username: None,
        tags: Vec::new(),
        burst: Vec::new(),
    };
    stored(Input {
        tenant_id: Uuid::nil(),
        snapshot,
        ids: [Uuid::nil(); 3],
        event_id: 1,
        kind: kind.to_owned(),
        raw: raw.to_owned(),
        occurred_at: now,
        now,
        attempt: 1,
        config: "{}".to_owned(),
        state: None,
    })
}
