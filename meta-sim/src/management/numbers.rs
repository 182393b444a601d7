//! The numbers of business accounts.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, Path, Query, State as Shared},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{Parameters, account, missing_object, number_for, scripted};
use crate::{directory::Known, graph::error, line::Line, state::State};

/// Numbers on one page, when the request asks for no other number.
const PAGE: usize = 25;

pub(super) async fn phone_numbers(
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

pub(super) async fn register(
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

pub(super) async fn profile(
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
