//! The control API under `/_sim/`: what tests do in the process, for everybody else.
//!
//! | route | what |
//! |---|---|
//! | `GET /_sim/health` | `{"ok": true}` |
//! | `GET /_sim/stats` | all counters |
//! | `GET /_sim/accepted?to=&text=&limit=` | how many, and the last of them (100 unless said) |
//! | `POST /_sim/inbound` | posts messages from a user: see [`inbound::InboundOrder`] |
//! | `POST /_sim/direct` | posts what a person did on Messenger or Instagram: see [`inbound::DirectOrder`] |
//! | `POST /_sim/faults`, `DELETE /_sim/faults` | scripts a fault: see [`faults::FaultOrder`]; clears them |
//! | `POST /_sim/templates` | decides about a template: see [`Judgement`] |
//! | `POST /_sim/config` | changes settings: see [`Config`] |
//! | `POST /_sim/codes` | a code of the signup dialog: `{"code", "grant"}`, see [`Grant`] |
//! | `POST /_sim/numbers` | a number of a business account: see [`BusinessNumber`] |
//! | `POST /_sim/grants`, `DELETE /_sim/grants/{token}` | describes a token; takes it no more |
//! | `POST /_sim/reset` | forgets records, counts and faults |

mod faults;
mod inbound;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State as Shared},
    http::StatusCode,
    routing::{delete, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use self::faults::{add_fault, clear_faults};
use self::inbound::{direct, inbound};
use crate::{
    Accepted, BusinessNumber, Grant, Stats,
    state::{State, now_ms},
    templates,
};

type Refused = (StatusCode, Json<Value>);

fn refused(message: impl std::fmt::Display) -> Refused {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": "Bad Request", "message": message.to_string() })))
}

pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/_sim/health", get(async || Json(json!({ "ok": true }))))
        .route("/_sim/stats", get(stats))
        .route("/_sim/accepted", get(accepted))
        .route("/_sim/inbound", post(inbound))
        .route("/_sim/direct", post(direct))
        .route("/_sim/faults", post(add_fault).delete(clear_faults))
        .route("/_sim/templates", post(judge_template))
        .route("/_sim/config", post(configure))
        .route("/_sim/codes", post(offer_code))
        .route("/_sim/numbers", post(add_number))
        .route("/_sim/grants", post(add_grant))
        .route("/_sim/grants/{token}", delete(revoke))
        .route("/_sim/reset", post(reset))
}

async fn stats(Shared(state): Shared<Arc<State>>) -> Json<Stats> {
    Json(state.stats())
}

#[derive(Deserialize)]
struct Filter {
    to: Option<String>,
    text: Option<String>,
    limit: Option<usize>,
}

async fn accepted(Shared(state): Shared<Arc<State>>, Query(filter): Query<Filter>) -> Json<Value> {
    let ledger = state.ledger();
    let fits = |message: &&Accepted| {
        filter.to.as_ref().is_none_or(|to| *to == message.to)
            && filter.text.as_ref().is_none_or(|text| message.text.as_ref() == Some(text))
    };
    let found: Vec<_> = ledger.accepted().iter().filter(fits).collect();
    // With both given the count is exact also beyond the records that are kept.
    let count = match (&filter.to, &filter.text) {
        (Some(to), Some(text)) => ledger.times(to, Some(text)),
        (None, None) => state.stats().accepted,
        _ => found.len() as u64,
    };
    let first = found.len().saturating_sub(filter.limit.unwrap_or(100));
    let messages: Vec<Value> = found[first..].iter().map(|message| show(message)).collect();
    Json(json!({ "count": count, "messages": messages }))
}

fn show(message: &Accepted) -> Value {
    json!({
        "seq": message.seq,
        "id": message.wamid,
        "phone_number_id": message.phone_number_id,
        "to": message.to,
        "callback_data": message.callback_data,
        "text": message.text,
        "body": message.body,
        "at": now_ms().saturating_sub(message.at.elapsed().as_millis() as u64),
    })
}

fn one() -> u32 {
    1
}

/// `event` becomes the status of a template, and a webhook tells so: `APPROVED`, `REJECTED`, `PAUSED`, ...
#[derive(Deserialize)]
struct Judgement {
    /// The account; that of the settings when absent.
    waba_id: Option<String>,
    name: String,
    language: String,
    event: String,
    reason: Option<String>,
}

async fn judge_template(Shared(state): Shared<Arc<State>>, Json(it): Json<Judgement>) -> Json<Value> {
    let account = it.waba_id.unwrap_or_else(|| state.option(|options| options.waba_id.clone()));
    let reason = it.reason.as_deref().unwrap_or("NONE");
    let delivery = templates::judge(&state, &account, (&it.name, &it.language), &it.event, reason).await;
    Json(json!({ "delivery": delivery }))
}

/// Settings to change; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    latency_ms: Option<u64>,
    status_delay_ms: Option<u64>,
    webhook_url: Option<String>,
    app_secret: Option<String>,
    statuses: Option<Vec<String>>,
    status_repeats: Option<u32>,
}

async fn configure(Shared(state): Shared<Arc<State>>, Json(config): Json<Config>) -> Json<Value> {
    state.configure(|options| {
        if let Some(ms) = config.latency_ms {
            options.latency = Duration::from_millis(ms);
        }
        if let Some(ms) = config.status_delay_ms {
            options.status_delay = Duration::from_millis(ms);
        }
        options.webhook_url = config.webhook_url.or_else(|| options.webhook_url.take());
        if let Some(secret) = config.app_secret {
            options.app_secret = secret;
        }
        if let Some(statuses) = config.statuses {
            options.statuses = statuses;
        }
        if let Some(repeats) = config.status_repeats {
            options.status_repeats = repeats;
        }
    });
    Json(json!({ "ok": true }))
}

/// A code that can be exchanged once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeOrder {
    code: String,
    grant: Grant,
}

async fn offer_code(Shared(state): Shared<Arc<State>>, Json(order): Json<CodeOrder>) -> Json<Value> {
    state.directory().codes.insert(order.code, Some(order.grant));
    Json(json!({ "ok": true }))
}

async fn add_number(Shared(state): Shared<Arc<State>>, Json(number): Json<BusinessNumber>) -> Json<Value> {
    state.directory().add_number(number);
    Json(json!({ "ok": true }))
}

async fn add_grant(Shared(state): Shared<Arc<State>>, Json(grant): Json<Grant>) -> Json<Value> {
    state.directory().grants.insert(grant.token.clone(), grant);
    Json(json!({ "ok": true }))
}

async fn revoke(Shared(state): Shared<Arc<State>>, Path(token): Path<String>) -> Json<Value> {
    state.directory().revoked.insert(token);
    Json(json!({ "ok": true }))
}

async fn reset(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    state.reset();
    Json(json!({ "ok": true }))
}
