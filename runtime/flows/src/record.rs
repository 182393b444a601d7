//! The record of a run.

use hoopoe_sandbox::{Level, LogLine, Plugin, Run};
use hoopoe_store::flow_work::{Event, Handled, NextState, RunRecord};

use crate::choice::Chosen;
use crate::trace::Snapshot;

/// A run without effect, yet. Without a plugin or a run: an event that was settled without them.
pub(crate) fn record(
    plugin: Option<&Plugin>,
    event: Event,
    attempt: i32,
    run: Option<(&Run, &Chosen)>,
    (result, reason): (&str, Option<String>),
) -> Handled {
    let context = run.and_then(|_| serde_json::to_string(&Snapshot::of(&event)).ok());
    let (ran, chosen) = (run.map(|(run, _)| run), run.map(|(_, chosen)| chosen));
    let record = RunRecord {
        attempt,
        plugin: plugin.map_or_else(
            || event.around.flow.name.clone(),
            |plugin| format!("{}@{}", plugin.manifest().name, plugin.manifest().version),
        ),
        digest: plugin.map(|plugin| plugin.digest().to_string()).unwrap_or_default(),
        result: result.to_owned(),
        reason: reason.map(|reason| reason.replace('\0', "\u{fffd}")),
        actions: 0,
        fuel: ran.map_or(0, |run| i64::try_from(run.fuel).unwrap_or(i64::MAX)),
        micros: ran.map_or(0, |run| i64::try_from(run.elapsed.as_micros()).unwrap_or(i64::MAX)),
        memory_bytes: ran.map_or(0, |run| i64::try_from(run.memory_bytes).unwrap_or(i64::MAX)),
        logs: ran.filter(|run| !run.logs.is_empty()).map(|run| logs(&run.logs, run.logs_cut).to_string()),
        context,
        config_id: event.around.flow.config_id,
        state: chosen.and_then(|chosen| chosen.state.clone()),
        outcome: None,
    };
    Handled {
        event,
        run: record,
        state: NextState::Keep,
        messages: Vec::new(),
        timers: Vec::new(),
        calls: Vec::new(),
        tags: None,
        hand_off: None,
    }
}

/// Log lines as JSON: `[{"level", "message"}, ...]`.
pub(crate) fn logs(lines: &[LogLine], cut: bool) -> serde_json::Value {
    let line = |line: &LogLine| serde_json::json!({ "level": level(line.level), "message": line.message });
    let mut lines: Vec<_> = lines.iter().map(line).collect();
    if cut {
        lines.push(serde_json::json!({ "level": "warn", "message": "further lines were cut" }));
    }
    lines.into()
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
