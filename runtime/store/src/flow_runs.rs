//! The records of runs, as the API shows them and as they are removed.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, Store};

/// Results of runs that are no failures: the flow did its part, or had none. (`docs/operations/alerts.yaml` names them
/// as well.)
pub const NO_FAILURES: [&str; 5] = ["done", "retry", "unwanted", "handed-off", "joined"];

/// One run of a flow.
#[derive(Debug, Clone)]
pub struct Run {
    /// The event.
    pub event_id: i64,
    /// 1 for the first run of the event.
    pub attempt: i32,
    /// Its conversation.
    pub conversation_id: Option<Uuid>,
    /// name@version of the plugin.
    pub plugin: String,
    /// SHA-256 of its component, hex.
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
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// A run with all that it was given and gave.
#[derive(Debug, Clone)]
pub struct RunDetail {
    /// What a list shows.
    pub run: Run,
    /// Kind of the event.
    pub kind: String,
    /// The configuration that it had: JSON text. `None` when it had none, or when it was not recorded.
    pub config: Option<Value>,
    /// What it knew besides event, configuration and state.
    pub context: Option<Value>,
    /// The state that it was given.
    pub state: Option<Vec<u8>>,
    /// What it decided.
    pub outcome: Option<Value>,
    /// Lines that it logged.
    pub logs: Option<Value>,
}

/// The place of a run in the list: newest first, and within a moment by event and attempt, the greater first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// The event.
    pub event_id: i64,
    /// The attempt.
    pub attempt: i32,
}

impl Run {
    /// Where it is in the list.
    pub fn place(&self) -> Place {
        Place { at: self.at, event_id: self.event_id, attempt: self.attempt }
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of the plugin with this name, or `name@version`.
    pub plugin: Option<String>,
    /// Only of this conversation.
    pub conversation_id: Option<Uuid>,
    /// Only with this result; `failed` stands for all but [`NO_FAILURES`].
    pub result: Option<String>,
    /// Only behind this place.
    pub before: Option<Place>,
    /// At the most.
    pub limit: i64,
}

impl Store {
    /// A page of a tenant's runs, newest first.
    pub async fn runs(&self, tenant_id: Uuid, filter: &Filter) -> Result<Vec<Run>, Error> {
        let last = Place { at: DateTime::<Utc>::MAX_UTC, event_id: i64::MAX, attempt: i32::MAX };
        let before = filter.before.unwrap_or(last);
        // Beyond what a timestamptz can hold.
        let at = before.at.min(DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default());
        // Index flow_runs_at; rows of one moment are sorted.
        let runs = sqlx::query_as!(
            Run,
            "select event_id, attempt, conversation_id, plugin, digest, result, reason, actions, fuel, micros,
                    memory_bytes, at
             from flow_runs
             where tenant_id = $1 and at <= $2
               and (at < $2 or event_id < $3 or (event_id = $3 and attempt < $4))
               and ($5::text is null or plugin = $5 or starts_with(plugin, $5 || '@'))
               and ($6::uuid is null or conversation_id = $6)
               and ($7::text is null or result = $7
                    or ($7 = 'failed' and result <> all ($9)))
             order by at desc, event_id desc, attempt desc limit $8",
            tenant_id,
            at,
            before.event_id,
            before.attempt,
            filter.plugin,
            filter.conversation_id,
            filter.result,
            filter.limit,
            &NO_FAILURES.map(str::to_owned)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(runs)
    }

    /// The runs of an event, first attempt first.
    pub async fn event_runs(&self, tenant_id: Uuid, event_id: i64) -> Result<Vec<RunDetail>, Error> {
        // Primary keys.
        let rows = sqlx::query!(
            r#"select r.event_id, r.attempt, r.conversation_id, r.plugin, r.digest, r.result, r.reason, r.actions,
                      r.fuel, r.micros, r.memory_bytes, r.at, e.kind,
                      (select c.config from plugin_configs c
                       where c.tenant_id = r.tenant_id and c.id = r.config_id) as "config: Value",
                      r.context as "context: Value", r.state, r.outcome as "outcome: Value", r.logs as "logs: Value"
               from flow_runs r
               join events e on e.tenant_id = r.tenant_id and e.id = r.event_id
               where r.tenant_id = $1 and r.event_id = $2 order by r.attempt"#,
            tenant_id,
            event_id
        )
        .fetch_all(&self.pool)
        .await?;
        let details = rows.into_iter().map(|row| RunDetail {
            run: Run {
                event_id: row.event_id,
                attempt: row.attempt,
                conversation_id: row.conversation_id,
                plugin: row.plugin,
                digest: row.digest,
                result: row.result,
                reason: row.reason,
                actions: row.actions,
                fuel: row.fuel,
                micros: row.micros,
                memory_bytes: row.memory_bytes,
                at: row.at,
            },
            kind: row.kind,
            config: row.config,
            context: row.context,
            state: row.state,
            outcome: row.outcome,
            logs: row.logs,
        });
        Ok(details.collect())
    }

    /// Removes up to `limit` of a tenant's runs that were committed before this moment, the oldest first. Gives how
    /// many; fewer than `limit` when none is left.
    pub async fn delete_runs_before(&self, tenant_id: Uuid, before: DateTime<Utc>, limit: i64) -> Result<u64, Error> {
        // Index flow_runs_at, then the rows' places, which hold: a run is never updated.
        let deleted = sqlx::query!(
            "delete from flow_runs where tenant_id = $1 and ctid = any (array(
                 select ctid from flow_runs where tenant_id = $1 and at < $2 order by at limit $3 for update skip locked
             ))",
            tenant_id,
            before,
            limit
        )
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected())
    }
}
