//! One lane's events through their plugin, in order, each seeing the state that the one before it left.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_sandbox::contract::{EventKind, NextState as Next};
use hoopoe_sandbox::{Failure, Level, LogLine, Plugin, Run};
use hoopoe_store::ambient::Ambient;
use hoopoe_store::flow_work::{Advance, Event, Handled, NextState, RunRecord, Work};
use hoopoe_store::outbound::Outbound;
use uuid::Uuid;

use crate::plugins::Plugins;
use crate::{Settings, actions, event};

/// Pause of an event whose plugin is not on this node, or for which the sandbox had no room.
const NOT_NOW: TimeDelta = TimeDelta::seconds(2);
/// Longest pause between two runs of an event.
const LONGEST: TimeDelta = TimeDelta::minutes(10);

/// What to do after an event.
enum After {
    GoOn(Handled),
    /// The event stays first in its lane. `counted` runs are recorded and limited.
    Again {
        at: DateTime<Utc>,
        counted: Option<Handled>,
    },
}

pub(crate) async fn lane(work: Work, plugins: &Plugins, settings: &Settings, ambient: &Ambient) -> Advance {
    let tenant_id = work.lease.lane.tenant_id;
    let mut advance = Advance { lease: work.lease, handled: Vec::new(), done_event: work.done_event, again: None };
    let mut attempts = work.attempts;
    // States that earlier events of this claim left; a contact has one conversation per channel.
    let mut states: HashMap<Uuid, Option<Vec<u8>>> = HashMap::new();
    for event in work.events {
        let state = states.get(&event.conversation_id).unwrap_or(&event.state).clone();
        let id = event.id;
        match one(tenant_id, event, state.as_deref(), attempts + 1, plugins, settings, ambient).await {
            After::GoOn(handled) => {
                if let NextState::Set(state) = &handled.state {
                    states.insert(handled.event.conversation_id, state.clone());
                }
                advance.handled.push(handled);
                advance.done_event = id;
                attempts = 0;
            }
            After::Again { at, counted } => {
                attempts += i32::from(counted.is_some());
                advance.handled.extend(counted);
                advance.again = Some((at, attempts));
                break;
            }
        }
    }
    advance
}

async fn one(
    tenant_id: Uuid,
    event: Event,
    state: Option<&[u8]>,
    attempt: i32,
    plugins: &Plugins,
    settings: &Settings,
    ambient: &Ambient,
) -> After {
    let span = (tenant_id, event.id);
    let Some(plugin) = plugins.get(&event.flow) else {
        tracing::error!(tenant = %span.0, event = span.1, plugin = event.flow, "the plugin is not on this node");
        return After::Again { at: ambient.now() + NOT_NOW, counted: None };
    };
    if !wants(plugin, &event) {
        return After::GoOn(unwanted(plugin, event, attempt));
    }
    let (context, input) = event::contract(tenant_id, &event, attempt);
    let mut run = plugin.on_event(&context, &input, state).await;
    let outcome = match std::mem::replace(&mut run.result, Err(Failure::Internal(String::new()))) {
        Ok(outcome) => actions::messages(&outcome.actions, tenant_id, &event, ambient)
            .map(|messages| (messages, outcome.actions.len(), outcome.state))
            .map_err(|failure| (failure.code, failure.reason)),
        Err(Failure::Busy) => return After::Again { at: ambient.now() + NOT_NOW, counted: None },
        Err(Failure::Retry(reason)) if attempt <= settings.retries => {
            tracing::info!(tenant = %span.0, event = span.1, attempt, reason, "the flow asks for a retry");
            let handled = record(plugin, event, attempt, &run, ("retry", Some(reason)), 0);
            return After::Again { at: ambient.now() + backoff(attempt), counted: Some(handled) };
        }
        Err(Failure::Retry(reason)) => Err(("retries-exhausted", reason)),
        Err(failure) => Err((failure.code(), failure.to_string())),
    };
    match outcome {
        Ok((messages, actions, next)) => {
            tracing::debug!(tenant = %span.0, event = span.1, fuel = run.fuel, actions, "flow ran");
            let mut handled = record(plugin, event, attempt, &run, ("done", None), actions);
            handled.messages = messages;
            handled.state = match next {
                Next::Keep => NextState::Keep,
                Next::Replace(state) => NextState::Set(Some(state)),
                Next::Clear => NextState::Set(None),
            };
            After::GoOn(handled)
        }
        Err((code, reason)) => {
            tracing::warn!(tenant = %span.0, event = span.1, attempt, code, reason, "the flow failed");
            After::GoOn(record(plugin, event, attempt, &run, (code, Some(reason)), 0))
        }
    }
}

fn wants(plugin: &Plugin, event: &Event) -> bool {
    let kind = match event.kind.as_str() {
        "message" => EventKind::Message,
        "status" => EventKind::Status,
        _ => EventKind::Other,
    };
    plugin.manifest().events.contains(&kind)
}

/// 2, 4, 8, ... seconds.
fn backoff(attempt: i32) -> TimeDelta {
    TimeDelta::seconds(1 << attempt.clamp(1, 16)).min(LONGEST)
}

fn record(
    plugin: &Plugin,
    event: Event,
    attempt: i32,
    run: &Run,
    (result, reason): (&str, Option<String>),
    actions: usize,
) -> Handled {
    let manifest = plugin.manifest();
    let run = RunRecord {
        attempt,
        plugin: format!("{}@{}", manifest.name, manifest.version),
        digest: plugin.digest().to_string(),
        result: result.to_owned(),
        reason: reason.map(|reason| reason.replace('\0', "\u{fffd}")),
        actions: i32::try_from(actions).unwrap_or(i32::MAX),
        fuel: i64::try_from(run.fuel).unwrap_or(i64::MAX),
        micros: i64::try_from(run.elapsed.as_micros()).unwrap_or(i64::MAX),
        memory_bytes: i64::try_from(run.memory_bytes).unwrap_or(i64::MAX),
        logs: (!run.logs.is_empty()).then(|| logs(&run.logs, run.logs_cut)),
    };
    Handled { event, run, state: NextState::Keep, messages: Vec::<Outbound>::new() }
}

fn unwanted(plugin: &Plugin, event: Event, attempt: i32) -> Handled {
    let nothing = Run {
        result: Err(Failure::Internal(String::new())),
        fuel: 0,
        elapsed: std::time::Duration::ZERO,
        memory_bytes: 0,
        logs: Vec::new(),
        logs_cut: false,
    };
    record(plugin, event, attempt, &nothing, ("unwanted", None), 0)
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn logs(lines: &[LogLine], cut: bool) -> String {
    let mut lines: Vec<_> =
        lines.iter().map(|line| serde_json::json!({ "level": level(line.level), "message": line.message })).collect();
    if cut {
        lines.push(serde_json::json!({ "level": "warn", "message": "further lines were cut" }));
    }
    serde_json::Value::Array(lines).to_string()
}
