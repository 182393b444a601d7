//! Templates: `GET`, `POST` and `DELETE /{version}/{waba_id}/message_templates`, and what the simulator's Meta decides
//! about them.
//!
//! A template that was created here is sent only while it is approved; one that the simulator does not know passes, so
//! that tests may make names up.

use std::{collections::BTreeMap, collections::HashMap, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State as Shared},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    Delivery,
    check::Refusal,
    graph, sim,
    state::{State, now_ms},
};

const CATEGORIES: [&str; 3] = ["AUTHENTICATION", "MARKETING", "UTILITY"];
const COMPONENTS: [&str; 6] = ["HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER"];

/// By account, name and language.
type Key = (String, String, String);

#[derive(Default)]
pub(crate) struct Templates {
    known: BTreeMap<Key, Value>,
    count: u64,
}

impl Templates {
    /// What is wrong with a message that is sent with a template of these.
    pub(crate) fn check(&self, template: &Value) -> Result<(), Refusal> {
        let fits = |key: &Key| template["name"] == *key.1 && template["language"]["code"] == *key.2;
        let Some(known) = self.known.iter().find(|(key, _)| fits(key)).map(|(_, known)| known) else { return Ok(()) };
        let (code, title) = match known["status"].as_str().unwrap_or_default() {
            "APPROVED" => return Ok(()),
            "PAUSED" => (132_015, "Template is Paused"),
            "DISABLED" => (132_016, "Template is Disabled"),
            _ => (132_001, "Template does not exist"),
        };
        Err(Refusal { code, subcode: None, title, details: format!("{} is {}", template["name"], known["status"]) })
    }

    /// Puts a template there, whatever it says, in this status.
    pub(crate) fn put(&mut self, account: &str, mut template: Value, status: &str) -> String {
        self.count += 1;
        let id = (6_000_000_000_000 + self.count).to_string();
        template["id"] = json!(id);
        template["status"] = json!(status);
        let word = |name: &str| template[name].as_str().unwrap_or_default().to_owned();
        self.known.insert((account.to_owned(), word("name"), word("language")), template);
        id
    }

    /// Changes fields of a template. Gives it, when there is such.
    pub(crate) fn change(&mut self, account: &str, name: &str, language: &str, fields: &Value) -> Option<Value> {
        let known = self.known.get_mut(&(account.to_owned(), name.to_owned(), language.to_owned()))?;
        for (name, value) in fields.as_object()? {
            known[name] = value.clone();
        }
        Some(known.clone())
    }

    pub(crate) fn remove(&mut self, account: &str, name: &str, id: Option<&str>) -> usize {
        let before = self.known.len();
        self.known.retain(|key, known| key.0 != account || key.1 != name || id.is_some_and(|id| known["id"] != id));
        before - self.known.len()
    }

    pub(crate) fn of(&self, account: &str) -> Vec<Value> {
        self.known.iter().filter(|(key, _)| key.0 == account).map(|(_, known)| known.clone()).collect()
    }
}

/// Meta decides about a template: its status is another one, and a webhook tells so.
pub(crate) async fn judge(
    state: &State,
    account: &str,
    (name, language): (&str, &str),
    event: &str,
    reason: &str,
) -> Delivery {
    let changed = state.templates().change(account, name, language, &json!({ "status": event }));
    let id = changed.map_or(json!(1), |template| template["id"].clone());
    let value = json!({ "event": event, "message_template_id": id, "message_template_name": name,
        "message_template_language": language, "reason": reason, "message_template_category": "UTILITY" });
    sim::tell(state, account, "message_template_status_update", value, (now_ms() / 1000) as i64).await
}

pub(crate) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path((version, account)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let most = state.option(|options| options.template_page);
    let limit = query.get("limit").and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(25).clamp(1, most);
    let from = query.get("after").and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
    let all = state.templates().of(&account);
    let fields: Vec<&str> = query.get("fields").map_or(vec!["id", "name"], |fields| fields.split(',').collect());
    let shown = |known: &Value| {
        let kept = fields.iter().filter(|field| !known[**field].is_null());
        Value::Object(kept.map(|field| ((*field).to_owned(), known[*field].clone())).collect())
    };
    let page: Vec<Value> = all.iter().skip(from).take(limit).map(shown).collect();
    let end = from + page.len();
    let mut paging = json!({ "cursors": { "before": from.to_string(), "after": end.to_string() } });
    if end < all.len() {
        paging["next"] = json!(format!("https://graph.facebook.com/{version}/{account}/message_templates?after={end}"));
    }
    Json(json!({ "data": page, "paging": paging })).into_response()
}

pub(crate) async fn create(
    Shared(state): Shared<Arc<State>>,
    Path((_version, account)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let template: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut templates = state.templates();
    if let Err(details) = submitted(&template) {
        return graph::error(400, 100, "Invalid parameter", Some(&details));
    }
    let taken = |known: &Value| known["name"] == template["name"] && known["language"] == template["language"];
    if templates.of(&account).iter().any(taken) {
        return graph::error(
            400,
            100,
            "Invalid parameter",
            Some("There is already content for this name and language"),
        );
    }
    let category = template["category"].clone();
    let id = templates.put(&account, template, "PENDING");
    Json(json!({ "id": id, "status": "PENDING", "category": category })).into_response()
}

/// What Meta would say is wrong with a new template.
fn submitted(template: &Value) -> Result<(), String> {
    let name = template["name"].as_str().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=512).contains(&name.len()) || !name.bytes().all(plain) {
        return Err("Param name must be 1 to 512 lower case letters, digits and underscores".to_owned());
    }
    if !template["language"].as_str().is_some_and(|language| (2..=6).contains(&language.len())) {
        return Err("Param language is required".to_owned());
    }
    if !CATEGORIES.iter().any(|category| template["category"] == *category) {
        return Err(format!("Param category must be one of {{{}}}", CATEGORIES.join(", ")));
    }
    let components = template["components"].as_array().ok_or("Param components must be a list")?;
    for component in components {
        let kind = component["type"].as_str().unwrap_or_default().to_uppercase();
        if !COMPONENTS.contains(&kind.as_str()) {
            return Err(format!("Param components.type must be one of {{{}}}", COMPONENTS.join(", ")));
        }
        let text = component["text"].as_str().unwrap_or_default();
        if kind == "BODY" && text.contains("{{") && component["example"].is_null() {
            return Err("BODY has variables; an example of each is required".to_owned());
        }
        if text.chars().count() > 1024 {
            return Err(format!("{kind} is too long"));
        }
    }
    let bodies = components.iter().filter(|it| it["type"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("body")));
    if bodies.count() == 1 { Ok(()) } else { Err("Exactly one component must be of type BODY".to_owned()) }
}

pub(crate) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Path((_version, account)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let Some(name) = query.get("name") else {
        return graph::error(400, 100, "Invalid parameter", Some("The parameter name is required"));
    };
    match state.templates().remove(&account, name, query.get("hsm_id").map(String::as_str)) {
        0 => graph::error(404, 100, "Invalid parameter", Some("Message template was not found")),
        _ => Json(json!({ "success": true })).into_response(),
    }
}
