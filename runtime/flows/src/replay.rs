//! Recorded runs once more: by the same version, which has to decide the same to the byte, or by another, to see what
//! it would do differently. Nothing takes effect.

use hoopoe_plugins::Library;
use hoopoe_store::Store;
use hoopoe_store::flow_work::State;
use hoopoe_store::replays::RecordedRun;
pub use hoopoe_store::replays::Selection;
use serde_json::Value;
use uuid::Uuid;

use crate::choice::{self, Unavailable};
use crate::simulate::{Input, simulate};
use crate::trace::Snapshot;

/// What to replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The tenant's plugin, or a built-in one.
    pub plugin: String,
    /// The version that runs; none for a built-in plugin.
    pub digest: Option<String>,
    /// Which events.
    pub selection: Selection,
    /// Most runs, 1 to 1,000.
    pub limit: i64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Runs that were repeated.
    pub runs: usize,
    /// Of these, decided the same, byte for byte.
    pub identical: usize,
    /// Of these, decided differently.
    pub differing: Vec<Difference>,
    /// Runs that another plugin made, or that could not be read.
    pub skipped: usize,
    /// The last event that was looked at; more may come after it.
    pub last_event_id: Option<i64>,
}

/// A run that was decided differently.
#[derive(Debug)]
pub struct Difference {
    /// The event.
    pub event_id: i64,
    /// The run.
    pub attempt: i32,
    /// name@version that made the recorded run.
    pub recorded_by: String,
    /// The recorded outcome, or `{"failure": code}`.
    pub recorded: Value,
    /// What the replay decided, or `{"failure": code, "reason": ...}`.
    pub replayed: Value,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The version that is to run.
    #[error(transparent)]
    Plugin(#[from] hoopoe_plugins::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] hoopoe_store::Error),
}

/// Repeats recorded runs of the plugin. The context, the configuration and the state are those of the recorded run;
/// state that another version left goes through `migrate-state`.
pub async fn replay(store: &Store, library: &Library, tenant_id: Uuid, asked: &Replay) -> Result<Report, ReplayError> {
    let plugin = library.flow(tenant_id, &asked.plugin, asked.digest.as_deref()).await?;
    let recorded = store.recorded_runs(tenant_id, asked.selection, 0, asked.limit).await?;
    let mut report = Report { last_event_id: recorded.last().map(|run| run.event_id), ..Report::default() };
    for run in recorded {
        let (former, _) = run.plugin.split_once('@').unwrap_or((&run.plugin, ""));
        let snapshot = serde_json::from_str::<Snapshot>(&run.context);
        let (true, Ok(snapshot)) = (former == plugin.manifest().name, snapshot) else {
            report.skipped += 1;
            continue;
        };
        let state =
            run.state.clone().map(|bytes| State { bytes, plugin: run.plugin.clone(), digest: run.digest.clone() });
        let chosen = match choice::fit(library, tenant_id, &asked.plugin, plugin.clone(), state.as_ref()).await {
            Ok(chosen) if chosen.note.is_none() => chosen,
            Ok(chosen) => {
                let reason = chosen.note.unwrap_or_default();
                differ(&mut report, &run, failure("migration-failed", &reason));
                continue;
            }
            Err(Unavailable::State(reason) | Unavailable::Canary { reason, .. }) => {
                differ(&mut report, &run, failure("migration-failed", &reason));
                continue;
            }
            Err(Unavailable::Now(error)) => return Err(error.into()),
        };
        let config = store.plugin_config(tenant_id, run.config_id).await?;
        let simulated = simulate(&chosen.plugin, input(tenant_id, &run, snapshot, config, chosen.state)).await;
        report.runs += 1;
        let same = match (&run.outcome, &simulated.outcome, &simulated.failure) {
            (Some(recorded), Some(outcome), _) => recorded == outcome.get(),
            (None, None, Some((code, _))) => code_of(&run) == *code,
            _ => false,
        };
        if same {
            report.identical += 1;
            continue;
        }
        let replayed = match (simulated.outcome, simulated.failure) {
            (Some(outcome), _) => serde_json::from_str(outcome.get()).unwrap_or_default(),
            (None, Some((code, reason))) => failure(code, &reason),
            (None, None) => Value::Null,
        };
        report.differing.push(difference(&run, replayed));
    }
    Ok(report)
}

fn input(tenant_id: Uuid, run: &RecordedRun, snapshot: Snapshot, config: String, state: Option<Vec<u8>>) -> Input {
    Input {
        tenant_id,
        snapshot,
        ids: [run.conversation_id, run.contact_id, run.channel_id],
        event_id: run.event_id,
        kind: run.kind.clone(),
        raw: run.raw.clone(),
        occurred_at: run.occurred_at,
        now: run.received_at,
        attempt: run.attempt,
        config,
        state,
    }
}

/// The plugin's own failure: what the host made of it (given up, paused, on trial) is not the plugin's doing.
fn code_of(run: &RecordedRun) -> &str {
    match run.result.as_str() {
        "retries-exhausted" => "retry",
        code => code,
    }
}

fn differ(report: &mut Report, run: &RecordedRun, replayed: Value) {
    report.runs += 1;
    report.differing.push(difference(run, replayed));
}

fn difference(run: &RecordedRun, replayed: Value) -> Difference {
    let recorded = match &run.outcome {
        Some(outcome) => serde_json::from_str(outcome).unwrap_or_default(),
        None => serde_json::json!({ "failure": run.result }),
    };
    Difference { event_id: run.event_id, attempt: run.attempt, recorded_by: run.plugin.clone(), recorded, replayed }
}

fn failure(code: &str, reason: &str) -> Value {
    serde_json::json!({ "failure": code, "reason": reason })
}
