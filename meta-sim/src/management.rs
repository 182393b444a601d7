//! The Graph API besides messages: tokens, business accounts, numbers.
//!
//! | route below `/{version}` | what |
//! |---|---|
//! | `GET /oauth/access_token` | a code of the dialog becomes a token, once |
//! | `GET /debug_token` | what a token permits |
//! | `GET`, `POST /{waba}/subscribed_apps` | which apps get the account's webhooks |
//! | `GET /{waba}/phone_numbers` | its numbers, in pages |
//! | `POST /{number}/register` | with a PIN of 6 digits |
//! | `GET /{number}/whatsapp_business_profile` | what users see |
//! | `GET /{number}` | its fields |
//!
//! Each call can be made to fail by its name: `oauth`, `debug_token`, `subscribed_apps`, `phone_numbers`, `register`,
//! `profile`, `number`.

mod numbers;
mod tokens;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Query, State as Shared},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

pub(crate) use self::numbers::number;
use self::numbers::{phone_numbers, profile, register};
use self::tokens::{debug_token, exchange};
use crate::{
    directory::{Directory, Grant, Known},
    fault::Fault,
    graph::{bearer, error, status_code},
    line::Line,
    state::State,
};

/// Meta's answer to who may not.
type Refused = Box<Response>;
type Parameters = Query<HashMap<String, String>>;

pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/{version}/oauth/access_token", get(exchange))
        .route("/{version}/debug_token", get(debug_token))
        .route("/{version}/{phone_number_id}/subscribed_apps", get(subscriptions).post(subscribe))
        .route("/{version}/{phone_number_id}/phone_numbers", get(phone_numbers))
        .route("/{version}/{phone_number_id}/register", post(register))
        .route("/{version}/{phone_number_id}/whatsapp_business_profile", get(profile))
}

/// Counts the call, and meets the fault that is scripted for its name. A fault that accepts does the work first.
fn scripted(state: &State, line: &Line, name: &'static str, work: impl FnOnce() -> Response) -> Response {
    *state.directory().calls.entry(name).or_default() += 1;
    let fault = state.script().take_for(name);
    match fault {
        None => work(),
        Some(Fault::GraphError { http_status, code, title }) => {
            error(http_status, code, &title, Some("Failed on request of the simulator's script"))
        }
        Some(Fault::ServerError(status)) => (status_code(status), "Sorry, something went wrong.").into_response(),
        Some(Fault::TooManyRequests) => (status_code(429), "Too Many Requests").into_response(),
        Some(Fault::ResetAfterBody) => {
            let answer = work();
            line.cut();
            answer
        }
        Some(_) => {
            line.cut();
            status_code(502).into_response()
        }
    }
}

/// The grant of a token; one that nobody has described permits all.
fn grant_of(directory: &Directory, token: &str) -> Grant {
    directory.grants.get(token).cloned().unwrap_or_else(|| Grant::new(token))
}

/// The bearer's grant, when it permits `scope` for the account, or Meta's refusal.
fn permitted(state: &State, headers: &HeaderMap, scope: &str, waba_id: &str) -> Result<Grant, Refused> {
    let token = bearer(headers).filter(|token| state.takes(token));
    let Some(token) = token else {
        return Err(Box::new(error(401, 190, "Invalid OAuth access token - Cannot parse access token", None)));
    };
    let grant = grant_of(&state.directory(), &token);
    let covers = grant.accounts.is_empty() || grant.accounts.iter().any(|account| account == waba_id);
    if !covers {
        return Err(Box::new(missing_object(waba_id)));
    }
    if !grant.scopes.iter().any(|name| name == scope) {
        return Err(Box::new(error(403, 200, &format!("Permissions error: requires {scope}"), None)));
    }
    Ok(grant)
}

fn missing_object(id: &str) -> Response {
    let title = format!(
        "Unsupported request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or does \
         not support this operation"
    );
    error(400, 100, &title, None)
}

/// The account exists, and the token may manage it.
fn account(state: &State, headers: &HeaderMap, waba_id: &str) -> Result<Grant, Refused> {
    let grant = permitted(state, headers, "whatsapp_business_management", waba_id)?;
    let exists = !state.directory().numbers_of(waba_id).is_empty();
    if exists { Ok(grant) } else { Err(Box::new(missing_object(waba_id))) }
}

/// The number exists, and the token permits this for its account.
fn number_for(state: &State, headers: &HeaderMap, scope: &str, id: &str) -> Result<Known, Refused> {
    if bearer(headers).is_none_or(|token| !state.takes(&token)) {
        return Err(Box::new(error(401, 190, "Invalid OAuth access token - Cannot parse access token", None)));
    }
    let known = state.directory().numbers.get(id).cloned().ok_or_else(|| Box::new(missing_object(id)))?;
    permitted(state, headers, scope, &known.number.waba_id)?;
    Ok(known)
}

async fn subscribe(
    Shared(state): Shared<Arc<State>>,
    Path((_, waba_id)): Path<(String, String)>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
) -> Response {
    scripted(&state, &line, "subscribed_apps", || match account(&state, &headers, &waba_id) {
        Ok(grant) => {
            let app = state.app_of(&grant);
            state.directory().subscriptions.insert((waba_id, app));
            Json(json!({ "success": true })).into_response()
        }
        Err(refusal) => *refusal,
    })
}

async fn subscriptions(
    Shared(state): Shared<Arc<State>>,
    Path((_, waba_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = account(&state, &headers, &waba_id) {
        return *refusal;
    }
    let directory = state.directory();
    let of_account = directory.subscriptions.iter().filter(|(account, _)| *account == waba_id);
    let apps: Vec<Value> = of_account.map(|(_, app)| json!({ "whatsapp_business_api_data": { "id": app } })).collect();
    Json(json!({ "data": apps })).into_response()
}
