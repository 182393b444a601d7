//! `POST .../replay`: what would this version have made of what happened?

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use hoopoe_flows::{Difference, Replay, ReplayError, Selection, replay};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ForPlugin, TRIALS};
use crate::Api;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field};
use crate::json::Json;

/// Runs that are repeated, unless asked otherwise, and at the most.
const RUNS: i64 = 100;
const MOST_RUNS: i64 = 1000;

/// What to repeat: `eventId`, `conversationId`, or `from` and `to`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayBody {
    /// As for `activate`; the newest upload when absent.
    #[serde(default)]
    digest: Option<String>,
    /// The runs of this event.
    #[serde(default)]
    event_id: Option<i64>,
    /// The runs of this conversation.
    #[serde(default)]
    conversation_id: Option<Uuid>,
    /// The runs of events that came at this moment or later.
    #[serde(default)]
    from: Option<DateTime<Utc>>,
    /// The runs of events that came before this moment; now when absent.
    #[serde(default)]
    to: Option<DateTime<Utc>>,
    /// Most runs, the oldest first: 1 to 1000; 100 when absent.
    #[serde(default)]
    limit: Option<i64>,
}

/// What came of it. Nothing of it takes effect.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedBody {
    /// The version that ran.
    digest: Option<String>,
    /// Recorded runs that were repeated.
    runs: usize,
    /// Of these, decided the same, byte for byte.
    identical: usize,
    /// Decided differently.
    differing: Vec<DifferenceBody>,
    /// Runs that another plugin made, or whose record cannot be read.
    skipped: usize,
    /// The last event that was looked at; when `limit` was reached, more may come after it.
    last_event_id: Option<i64>,
}

/// A run that was decided differently.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceBody {
    /// The event.
    event_id: i64,
    /// Which of its runs.
    attempt: i32,
    /// name@version that made the recorded run.
    recorded_by: String,
    /// The recorded outcome, or `{"failure": code}`.
    #[schema(value_type = Object)]
    recorded: Value,
    /// What this version decides, or `{"failure": code, "reason": ...}`.
    #[schema(value_type = Object)]
    replayed: Value,
}

/// Run a version over recorded events, with the context, configuration and state that each run had, and show where it
/// decides differently. The version that made a run decides the same again, byte for byte.
#[utoipa::path(post, path = "/tenants/{id}/plugins/{name}/replay", tag = "plugins", request_body = ReplayBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = ReplayedBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn run(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Json(body): Json<ReplayBody>,
) -> Result<Answer<ReplayedBody>, ApiError> {
    let limit = body.limit.unwrap_or(RUNS);
    if !(1..=MOST_RUNS).contains(&limit) {
        return Err(invalid_field("limit", format!("it is {limit}; give it 1 to {MOST_RUNS}")));
    }
    let selection = match (body.event_id, body.conversation_id, body.from, body.to) {
        (Some(event), None, None, None) => Selection::Event(event),
        (None, Some(conversation), None, None) => Selection::Conversation(conversation),
        (None, None, Some(from), to) => {
            // The later end is excluded: what came just now is meant too.
            let to = to.unwrap_or_else(|| api.store.ambient.now() + chrono::TimeDelta::seconds(1));
            if to <= from {
                return Err(invalid_field("to", "it is not after from"));
            }
            Selection::Period(from, to)
        }
        _ => return Err(bad_request("give one of eventId, conversationId, or from with to")),
    };
    let chosen = api.library.runnable(tenant_id, &name, body.digest.as_deref()).await?;
    let wanted = Replay { plugin: name, digest: chosen.digest.clone(), selection, limit };
    let _permit = TRIALS.acquire().await.map_err(|_| bad_request("the process is stopping; try again soon"))?;
    let report = replay(&api.store, &api.library, tenant_id, &wanted).await.map_err(|error| match error {
        ReplayError::Plugin(error) => ApiError::from(error),
        ReplayError::Store(error) => error.into(),
    })?;
    Ok(Answer(ReplayedBody {
        digest: chosen.digest,
        runs: report.runs,
        identical: report.identical,
        differing: report.differing.into_iter().map(DifferenceBody::from).collect(),
        skipped: report.skipped,
        last_event_id: report.last_event_id,
    }))
}

impl From<Difference> for DifferenceBody {
    fn from(difference: Difference) -> Self {
        let Difference { event_id, attempt, recorded_by, recorded, replayed } = difference;
        Self { event_id, attempt, recorded_by, recorded, replayed }
    }
}
