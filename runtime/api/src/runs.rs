//! `GET /tenants/{id}/runs` and `GET /tenants/{id}/runs/{eventId}`: what flows did, and what it cost.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use hoopoe_store::flow_runs::{Filter, Place, Run, RunDetail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field, not_found};
use crate::{Api, page};

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only of the plugin with this name in its manifest, or of `name@version`.
    plugin: Option<String>,
    /// Only of this conversation.
    conversation: Option<Uuid>,
    /// `done`, `retry`, the code of a failure, or `failed` for all that failed.
    result: Option<String>,
    /// Only behind this place: the page before gave it as `next`.
    before: Option<String>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// A run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunBody {
    /// The event.
    event_id: i64,
    /// 1 for the first run of the event.
    attempt: i32,
    /// Its conversation.
    conversation_id: Option<Uuid>,
    /// name@version of the plugin.
    plugin: String,
    /// SHA-256 of its component.
    digest: String,
    /// `done`, `retry`, or the code of the failure.
    result: String,
    /// Why it failed.
    reason: Option<String>,
    /// How many actions it decided.
    actions: i32,
    /// Fuel burnt.
    fuel: i64,
    /// Time taken, in microseconds.
    micros: i64,
    /// Most memory held.
    memory_bytes: i64,
    /// When it was committed.
    at: DateTime<Utc>,
}

/// A run with all that it was given and gave.
#[derive(Serialize, ToSchema)]
pub struct RunDetailBody {
    #[serde(flatten)]
    run: RunBody,
    /// Kind of the event.
    kind: String,
    /// What it knew besides event, configuration and state.
    context: Option<Value>,
    /// The configuration that it had.
    config: Option<Value>,
    /// The state that it was given, in base64.
    state: Option<String>,
    /// What it decided: `actions` and `state`, with the names of the contract.
    outcome: Option<Value>,
    /// `[{"level", "message"}, ...]`.
    logs: Option<Value>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
pub struct RunPage {
    /// Newest first.
    runs: Vec<RunBody>,
    /// For `before`, when there may be more.
    next: Option<String>,
}

/// The runs of an event.
#[derive(Serialize, ToSchema)]
pub struct EventRuns {
    /// First attempt first.
    runs: Vec<RunDetailBody>,
}

/// A tenant's runs, newest first. They are kept for `RUN_RETENTION`.
#[utoipa::path(get, path = "/tenants/{id}/runs", tag = "runs",
    params(("id" = Uuid, Path, description = "The tenant"), ListQuery), security(("bearer" = [])),
    responses((status = 200, body = RunPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<RunPage>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(query.limit)?;
    let before = query.before.as_deref().map(read_place).transpose()?;
    let filter =
        Filter { plugin: query.plugin, conversation_id: query.conversation, result: query.result, before, limit };
    let runs = api.store.runs(tenant_id, &filter).await?;
    let full = i64::try_from(runs.len()).is_ok_and(|found| found == limit);
    let next = runs.last().filter(|_| full).map(|run| written(run.place()));
    Ok(Json(RunPage { runs: runs.into_iter().map(RunBody::from).collect(), next }))
}

/// The runs of one event, with all that they were given and gave.
#[utoipa::path(get, path = "/tenants/{id}/runs/{eventId}", tag = "runs",
    params(("id" = Uuid, Path, description = "The tenant"), ("eventId" = i64, Path, description = "The event")),
    security(("bearer" = [])),
    responses((status = 200, body = EventRuns), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<Json<EventRuns>, ApiError> {
    let event = ids.1;
    let missing = || not_found(format!("the tenant has no runs of an event {event}; they are kept for a time only"));
    let id: i64 = event.parse().map_err(|_| missing())?;
    let runs = api.store.event_runs(tenant_id, id).await?;
    if runs.is_empty() {
        return Err(missing());
    }
    Ok(Json(EventRuns { runs: runs.into_iter().map(RunDetailBody::from).collect() }))
}

/// A place in the list: microseconds, event and attempt.
fn written(place: Place) -> String {
    format!("{}-{}-{}", place.at.timestamp_micros(), place.event_id, place.attempt)
}

fn read_place(text: &str) -> Result<Place, ApiError> {
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().and_then(|part| part.parse::<i64>().ok());
    let place = match (part(), part(), part()) {
        (Some(micros), Some(event_id), Some(attempt)) => DateTime::from_timestamp_micros(micros)
            .zip(i32::try_from(attempt).ok())
            .map(|(at, attempt)| Place { at, event_id, attempt }),
        _ => None,
    };
    place.ok_or_else(|| invalid_field("before", "it is no place in the list; give the next of the page before"))
}

impl From<Run> for RunBody {
    fn from(run: Run) -> Self {
        Self {
            event_id: run.event_id,
            attempt: run.attempt,
            conversation_id: run.conversation_id,
            plugin: run.plugin,
            digest: run.digest,
            result: run.result,
            reason: run.reason,
            actions: run.actions,
            fuel: run.fuel,
            micros: run.micros,
            memory_bytes: run.memory_bytes,
            at: run.at,
        }
    }
}

impl From<RunDetail> for RunDetailBody {
    fn from(detail: RunDetail) -> Self {
        Self {
            run: detail.run.into(),
            kind: detail.kind,
            context: detail.context,
            config: detail.config,
            state: detail.state.map(|state| BASE64.encode(state)),
            outcome: detail.outcome,
            logs: detail.logs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let at = DateTime::from_timestamp_micros(1_767_225_600_123_456).expect("in range");
        let place = Place { at, event_id: 42, attempt: 3 };
        assert_eq!(read_place(&written(place)).ok(), Some(place));
        for text in ["", "1", "1-2", "1-2-", "1-2-3-4", "a-b-c", "1-2-99999999999", "99999999999999999999-1-1"] {
            assert!(read_place(text).is_err(), "{text}");
        }
    }
}
