//! `POST .../simulate`: what would this version make of this event?

use axum::Json as Answer;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use hoopoe_flows::trace::Snapshot;
use hoopoe_flows::{Input, simulate};
use hoopoe_plugins::check_config;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::errors::config_invalid;
use super::event::EventBody;
use super::{ForPlugin, TRIALS};
use crate::Api;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field, tenant_not_found};
use crate::json::Json;

/// The contact that writes unless another is given.
const CONTACT: &str = "16505551234";
/// Largest state, in bytes.
const LARGEST_STATE: usize = 64 << 10;

/// What the version is to be run on.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimulateBody {
    /// As for `activate`; the newest upload when absent.
    #[serde(default)]
    digest: Option<String>,
    /// What happens.
    #[schema(example = json!({ "text": "hi" }))]
    event: EventBody,
    /// What the conversation's last run left: `outcome.state.replace` of that run (base64), or any other JSON value for
    /// its text. None when absent.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    state: Option<Value>,
    /// Instead of the plugin's configuration.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// What counts as now; the present when absent.
    #[serde(default)]
    now: Option<DateTime<Utc>>,
    /// 1 for the first run of the event, which it is when absent.
    #[serde(default)]
    attempt: Option<i32>,
    /// Who is at the other end.
    #[serde(default)]
    contact: ContactBody,
}

/// A contact, as far as the plugin is to know it.
#[derive(Deserialize, Default, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContactBody {
    /// Digits; some number when neither this nor `userId` is given.
    #[serde(default)]
    wa_id: Option<String>,
    /// Meta's business-scoped user id.
    #[serde(default)]
    user_id: Option<String>,
    /// Profile name.
    #[serde(default)]
    name: Option<String>,
    /// Without `@`.
    #[serde(default)]
    username: Option<String>,
    /// Tags on the contact.
    #[serde(default)]
    tags: Vec<String>,
}

/// What came of it. Nothing of it takes effect.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatedBody {
    /// The version that ran.
    digest: Option<String>,
    /// What it decided: `actions` and `state`, with the names of the contract; absent after a failure.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Box<RawValue>>,
    /// Why there is no outcome.
    failure: Option<FailureBody>,
    /// Sends of the outcome that Meta would refuse, and why: the run would fail.
    problems: Vec<String>,
    /// `[{"level", "message"}, ...]`.
    #[schema(value_type = Vec<Object>)]
    logs: Value,
    /// Fuel burnt; the same for the same input.
    fuel: u64,
    /// Time taken, in microseconds.
    micros: u64,
    /// Most memory held.
    memory_bytes: usize,
}

/// Why a run has no outcome.
#[derive(Serialize, ToSchema)]
pub struct FailureBody {
    /// For programs: `reject`, `retry`, `panic`, `out-of-fuel`, `unwanted`, ...
    code: &'static str,
    /// For people.
    reason: String,
}

/// Run a version on an event, without any effect. A built-in plugin has no versions: leave `digest` out.
#[utoipa::path(post, path = "/tenants/{id}/plugins/{name}/simulate", tag = "plugins", request_body = SimulateBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = SimulatedBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn run(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Json(body): Json<SimulateBody>,
) -> Result<Answer<SimulatedBody>, ApiError> {
    let now = body.now.unwrap_or_else(|| api.store.ambient.now());
    let chosen = api.library.runnable(tenant_id, &name, body.digest.as_deref()).await?;
    let config = match body.config.map(Value::Object) {
        Some(config) => {
            let schema = chosen.plugin.manifest().config_schema.as_deref();
            let digest = chosen.plugin.digest().to_string();
            check_config(schema, &config).map_err(|violations| config_invalid(&digest, &violations))?;
            config.to_string()
        }
        None => chosen.config,
    };
    let snapshot = snapshot(&api, tenant_id, body.contact).await?;
    let from = snapshot.wa_id.as_deref().or(snapshot.user_id.as_deref()).unwrap_or_default();
    let event = body.event.keep(from, now).map_err(|(field, why)| invalid_field(field, why))?;
    let input = Input {
        tenant_id,
        snapshot,
        ids: [Uuid::nil(); 3],
        event_id: 0,
        kind: event.kind.to_owned(),
        raw: event.raw,
        occurred_at: event.occurred_at,
        now,
        attempt: body.attempt.unwrap_or(1).max(1),
        config,
        state: body.state.map(state).transpose()?.flatten(),
    };
    let _permit = TRIALS.acquire().await.map_err(|_| bad_request("the process is stopping; try again soon"))?;
    let run = simulate(&chosen.plugin, input).await;
    Ok(Answer(SimulatedBody {
        digest: chosen.digest,
        outcome: run.outcome,
        failure: run.failure.map(|(code, reason)| FailureBody { code, reason }),
        problems: run.problems,
        logs: run.logs,
        fuel: run.fuel,
        micros: u64::try_from(run.micros).unwrap_or(u64::MAX),
        memory_bytes: run.memory_bytes,
    }))
}

/// A text is base64, everything else is its own text.
fn state(value: Value) -> Result<Option<Vec<u8>>, ApiError> {
    let bytes = match value {
        Value::Null => return Ok(None),
        Value::String(text) => BASE64.decode(&text).map_err(|error| {
            let advice = "give the base64 of outcome.state.replace, or a JSON object";
            invalid_field("state", format!("it is a text but not base64 ({error}); {advice}"))
        })?,
        other => other.to_string().into_bytes(),
    };
    match bytes.len() {
        size if size > LARGEST_STATE => {
            Err(invalid_field("state", format!("it has {size} bytes; at most {LARGEST_STATE} are allowed")))
        }
        _ => Ok(Some(bytes)),
    }
}

async fn snapshot(api: &Api, tenant_id: Uuid, contact: ContactBody) -> Result<Snapshot, ApiError> {
    let tenant = api.store.tenant(tenant_id).await?.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))?;
    let channel = tenant.channels.into_iter().next();
    let wa_id = match (contact.wa_id, &contact.user_id) {
        (None, None) => Some(CONTACT.to_owned()),
        (wa_id, _) => wa_id,
    };
    let mut tags = contact.tags;
    tags.sort_unstable();
    tags.dedup();
    Ok(Snapshot {
        channel_kind: "whatsapp".to_owned(),
        tenant_name: tenant.name,
        phone_number_id: channel.as_ref().map(|channel| channel.phone_number_id.clone()).unwrap_or_default(),
        display_phone_number: channel.and_then(|channel| channel.display_phone_number),
        wa_id,
        user_id: contact.user_id,
        name: contact.name,
        username: contact.username,
        tags,
        burst: Vec::new(),
    })
}
