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

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, Path, Query, State as Shared},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use crate::{
    directory::{Directory, Grant, Known},
    fault::Fault,
    graph::{bearer, error, status_code},
    line::Line,
    state::State,
};

/// Numbers on one page, when the request asks for no other number.
const PAGE: usize = 25;

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

async fn exchange(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
) -> Response {
    scripted(&state, &line, "oauth", || {
        let get = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let (app, secret) = (get("client_id"), get("client_secret"));
        if app.is_empty() || state.secret_of(app).is_none() {
            return error(400, 101, "Error validating application. Cannot get application info", None);
        }
        if state.secret_of(app).as_deref() != Some(secret) {
            return error(400, 1, "Error validating client secret.", None);
        }
        let mut directory = state.directory();
        let code = get("code");
        match directory.codes.get(code).cloned() {
            None => error(400, 100, "Invalid verification code format.", None),
            Some(None) => error(400, 100, "This authorization code has been used.", None),
            Some(Some(grant)) if state.app_of(&grant) != app => {
                error(400, 100, "This authorization code was issued for another application.", None)
            }
            Some(Some(grant)) => {
                directory.codes.insert(code.to_owned(), None);
                let token = grant.token.clone();
                directory.grants.insert(token.clone(), grant);
                Json(json!({ "access_token": token, "token_type": "bearer" })).into_response()
            }
        }
    })
}

async fn debug_token(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    scripted(&state, &line, "debug_token", || {
        let Some(input) = parameters.get("input_token").filter(|token| !token.is_empty()) else {
            return error(400, 100, "The parameter input_token is required", None);
        };
        let viewer = parameters.get("access_token").cloned().or_else(|| bearer(&headers));
        // `<app id>|<app secret>` is an app's own token.
        let viewing_app = match viewer.as_deref().map(|viewer| (viewer, viewer.split_once('|'))) {
            Some((_, Some((app, secret)))) if state.secret_of(app).as_deref() == Some(secret) => app.to_owned(),
            Some((viewer, None)) if state.takes(viewer) => state.app_of(&grant_of(&state.directory(), viewer)),
            _ => return error(401, 190, "Invalid OAuth access token - Cannot parse access token", None),
        };
        let grant = grant_of(&state.directory(), input);
        let app_id = state.app_of(&grant);
        if !state.takes(input) {
            let why = json!({ "code": 190, "message": "Error validating access token: The session has been invalidated \
                because the user changed their password or Facebook has changed the session for security reasons.",
                "subcode": 460 });
            return Json(json!({ "data": { "app_id": app_id, "error": why, "expires_at": grant.expires_at,
                "is_valid": false, "scopes": [] } }))
            .into_response();
        }
        if viewing_app != app_id {
            return error(400, 100, "The App_id in the input_token did not match the Viewing App", None);
        }
        let granular: Vec<Value> = grant
            .scopes
            .iter()
            .map(|scope| match grant.accounts.is_empty() {
                true => json!({ "scope": scope }),
                false => json!({ "scope": scope, "target_ids": grant.accounts }),
            })
            .collect();
        Json(json!({ "data": {
            "app_id": app_id, "type": "SYSTEM_USER", "application": "Simulated", "is_valid": true,
            "expires_at": grant.expires_at, "data_access_expires_at": grant.data_access_expires_at,
            "issued_at": 1_767_225_600, "scopes": grant.scopes, "granular_scopes": granular, "user_id": "100",
        } }))
        .into_response()
    })
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

async fn phone_numbers(
    Shared(state): Shared<Arc<State>>,
    Path((_, waba_id)): Path<(String, String)>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    scripted(&state, &line, "phone_numbers", || {
        if let Err(refusal) = account(&state, &headers, &waba_id) {
            return *refusal;
        }
        let limit = parameters.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE).clamp(1, 100);
        let after = parameters.get("after").map(String::as_str).unwrap_or_default();
        let fields = parameters.get("fields").map(String::as_str).unwrap_or_default();
        let directory = state.directory();
        let rest: Vec<_> =
            directory.numbers_of(&waba_id).into_iter().filter(|known| known.number.id.as_str() > after).collect();
        let page = &rest[..limit.min(rest.len())];
        let mut answer = json!({ "data": page.iter().map(|known| shown(known, fields)).collect::<Vec<_>>() });
        if let Some(last) = page.last() {
            answer["paging"] = json!({ "cursors": { "before": page[0].number.id, "after": last.number.id } });
            if rest.len() > page.len() {
                answer["paging"]["next"] = json!("https://graph.facebook.com/next");
            }
        }
        Json(answer).into_response()
    })
}

async fn register(
    Shared(state): Shared<Arc<State>>,
    Path((_, id)): Path<(String, String)>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    scripted(&state, &line, "register", || {
        if let Err(refusal) = number_for(&state, &headers, "whatsapp_business_management", &id) {
            return *refusal;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&body) else {
            return error(400, 100, "Invalid parameter", Some("The body is not JSON"));
        };
        if body["messaging_product"] != "whatsapp" {
            return error(400, 100, "The parameter messaging_product is required.", None);
        }
        let pin = body["pin"].as_str().unwrap_or_default();
        if pin.len() != 6 || !pin.bytes().all(|byte| byte.is_ascii_digit()) {
            return error(400, 100, "Param pin must be 6 digits", None);
        }
        let mut directory = state.directory();
        let Some(known) = directory.numbers.get_mut(&id) else { return missing_object(&id) };
        if known.number.pin.as_deref().is_some_and(|set| set != pin) {
            return error(400, 133_005, "Two-step verification PIN mismatch", None);
        }
        known.number.pin = Some(pin.to_owned());
        known.registrations += 1;
        Json(json!({ "success": true })).into_response()
    })
}

async fn profile(
    Shared(state): Shared<Arc<State>>,
    Path((_, id)): Path<(String, String)>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    scripted(&state, &line, "profile", || {
        match number_for(&state, &headers, "whatsapp_business_messaging", &id) {
            Err(refusal) => *refusal,
            Ok(known) => {
                let all = json!({
                    "about": format!("{} writes back", known.number.verified_name), "address": "1 Hacker Way",
                    "description": "Succulents and more", "email": "shrub@example.com", "vertical": "RETAIL",
                    "websites": ["https://www.example.com/"], "messaging_product": "whatsapp",
                });
                // Meta gives what is asked for.
                let fields = parameters.get("fields").map(String::as_str).unwrap_or_default();
                let mut item = chosen(&all, fields);
                item.insert("messaging_product".to_owned(), json!("whatsapp"));
                Json(json!({ "data": [item] })).into_response()
            }
        }
    })
}

/// Of `GET /{version}/{id}`, see `node`.
pub(crate) async fn number(
    Shared(state): Shared<Arc<State>>,
    Path((_, id)): Path<(String, String)>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    scripted(&state, &line, "number", || {
        let fields = parameters.get("fields").map(String::as_str).unwrap_or_default();
        match number_for(&state, &headers, "whatsapp_business_management", &id) {
            Ok(known) => Json(shown(&known, fields)).into_response(),
            Err(refusal) => *refusal,
        }
    })
}

/// The fields that are asked for, and the id, which always comes.
fn shown(known: &Known, fields: &str) -> Value {
    let number = &known.number;
    let is_registered = known.registrations > 0;
    let all = json!({
        "id": number.id,
        "display_phone_number": number.display,
        "verified_name": number.verified_name,
        "name_status": "APPROVED",
        "quality_rating": number.quality,
        "throughput": { "level": "STANDARD" },
        "messaging_limit_tier": "TIER_1K",
        "code_verification_status": "VERIFIED",
        "platform_type": if is_registered { "CLOUD_API" } else { "NOT_APPLICABLE" },
        "status": if is_registered { "CONNECTED" } else { "PENDING" },
    });
    let usual = "display_phone_number,verified_name,quality_rating,code_verification_status";
    let mut item = chosen(&all, if fields.is_empty() { usual } else { fields });
    item.insert("id".to_owned(), json!(number.id));
    Value::Object(item)
}

fn chosen(all: &Value, fields: &str) -> Map<String, Value> {
    let fields = fields.split(',').map(str::trim);
    fields.filter_map(|name| Some((name.to_owned(), all.get(name)?.clone()))).collect()
}
