//! What is sent on Messenger and Instagram.
//!
//! In: a payload in WhatsApp's format, which is what flows and the REST API make ([`crate::outbound`]), or a raw one in
//! the format of these platforms. Out: a payload `{"type": ..., "messenger": {...}}` that is kept until it is sent, or the
//! first field that the platform would refuse, with what to do instead: [`payload`]. At the send its requests:
//! [`requests`]. Limits: the Send API reference and the Instagram messaging guide; in characters, but for Instagram's
//! texts, which are counted in bytes.

mod actions;
mod raw;

use serde_json::{Map, Value, json};

use super::Platform;
use crate::outbound::{Invalid, length};

/// The member of a payload that holds what is posted.
pub(crate) const MEMBER: &str = "messenger";

/// Why a message is sent; Meta wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It answers what the person wrote.
    Response,
    /// It comes by itself, within 24 hours of what the person wrote.
    Update,
}

/// The payload for this platform, from one in WhatsApp's format or a raw one.
pub fn payload(platform: Platform, purpose: Purpose, payload: &Value) -> Result<Value, Invalid> {
    let kind = payload.get("type").and_then(Value::as_str).unwrap_or_default();
    let content = payload.get(kind).unwrap_or(&Value::Null);
    let message = match kind {
        MEMBER => return raw::payload(platform, purpose, content, payload.pointer("/context/message_id")),
        "read" => return Ok(actions::read(content)),
        "reaction" => return actions::reaction(platform, content),
        "text" => json!({ "text": text(platform, "text.body", words(content, "body"))? }),
        "image" | "video" | "audio" | "document" => file(platform, kind, content)?,
        "interactive" => interactive(platform, content)?,
        "template" => {
            return Err(Invalid::new(
                kind,
                format!(
                    "is a template of WhatsApp, which {} does not have; {}",
                    platform.name(),
                    "send a text within 24 hours of the person's last message, later only people may answer, by payload with a tag"
                ),
            ));
        }
        "sticker" => return Err(refused(platform, kind, "send it as an image")),
        "location" => return Err(refused(platform, kind, "send a text with a link to a map")),
        "contacts" => return Err(refused(platform, kind, "send a text with name and number")),
        _ => {
            let advice = "send it as payload in the format of the Send API, {\"message\": {...}}";
            return Err(refused(platform, kind, advice));
        }
    };
    let mut post = Map::new();
    post.insert("messaging_type".to_owned(), json!(purpose.word()));
    post.insert("message".to_owned(), message);
    if let Some(id) = payload.pointer("/context/message_id") {
        post.insert("reply_to".to_owned(), json!({ "mid": id }));
    }
    Ok(stored(kind, Value::Object(post)))
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Purpose::Response => "RESPONSE",
            Purpose::Update => "UPDATE",
        }
    }
}

/// Refuses a payload that only Messenger and Instagram take; for channels of WhatsApp.
pub fn refuse(payload: &Value) -> Result<(), Invalid> {
    if payload.get("type").and_then(Value::as_str) == Some(MEMBER) {
        let what = "is in the format of Messenger and Instagram and cannot go out by a WhatsApp number; name a channel of \
                    theirs in from, or give an object with type";
        return Err(Invalid::new("payload", what));
    }
    Ok(())
}

/// Whether a raw payload is in the format of these platforms: `message` or `sender_action`, and no `type`.
pub(crate) fn is_raw(object: &Map<String, Value>) -> bool {
    !object.contains_key("type") && (object.contains_key("message") || object.contains_key("sender_action"))
}

/// Whether a payload is made of sender actions. Such a request may be repeated, and is answered without a message id.
pub fn is_action(payload: &Value) -> bool {
    payload.get(MEMBER).is_some_and(|post| post.get("actions").is_some())
}

/// The bodies to post, one after the other. `callback_data`, at most 1000 characters, comes back in the echo of the
/// message as `metadata`.
pub fn requests(payload: &Value, person: &str, callback_data: &str) -> Vec<String> {
    let post = payload.get(MEMBER).cloned().unwrap_or_default();
    let complete = |mut body: Value| {
        body["recipient"] = json!({ "id": person });
        if let Some(Value::Object(message)) = body.get_mut("message") {
            message.insert("metadata".to_owned(), json!(callback_data));
        }
        body.to_string()
    };
    match post.get("actions").and_then(Value::as_array) {
        Some(actions) => actions.iter().cloned().map(complete).collect(),
        None => vec![complete(post)],
    }
}

fn stored(kind: &str, post: Value) -> Value {
    json!({ "type": kind, MEMBER: post })
}

fn refused(platform: Platform, field: &str, advice: &str) -> Invalid {
    Invalid::new(field, format!("is not possible on {}; {advice}", platform.name()))
}

fn words<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A text within the platform's limit.
fn text<'a>(platform: Platform, field: &str, text: &'a str) -> Result<&'a str, Invalid> {
    let (length, limit, unit) = match platform {
        Platform::Messenger => (text.chars().count(), 2000, "characters"),
        Platform::Instagram => (text.len(), 1000, "bytes"),
    };
    if text.trim().is_empty() {
        return Err(Invalid::new(field, format!("is empty; give 1 to {limit} {unit}")));
    }
    if length > limit {
        let name = platform.name();
        return Err(Invalid::new(
            field,
            format!("has {length} {unit}, {name}'s limit is {limit}; shorten it or send several messages"),
        ));
    }
    Ok(text)
}

fn file(platform: Platform, kind: &str, content: &Value) -> Result<Value, Invalid> {
    for (name, advice) in [
        ("caption", "send a text of its own"),
        ("filename", "leave it out: the name in the link is shown"),
        ("voice", "leave it out"),
    ] {
        if content.get(name).is_some_and(|value| !value.is_null() && *value != json!(false)) {
            return Err(refused(platform, &format!("{kind}.{name}"), advice));
        }
    }
    let word = if kind == "document" { "file" } else { kind };
    let payload = match (content.get("id"), content.get("link")) {
        (Some(id), _) => json!({ "attachment_id": id }),
        (None, link) => json!({ "url": link }),
    };
    Ok(json!({ "attachment": { "type": word, "payload": payload } }))
}

fn interactive(platform: Platform, content: &Value) -> Result<Value, Invalid> {
    for (name, advice) in
        [("header", "put it into the body, or send a message of its own"), ("footer", "put it into the body")]
    {
        if content.get(name).is_some() {
            return Err(refused(platform, &format!("interactive.{name}"), advice));
        }
    }
    let body = content.get("body").map(|body| words(body, "text")).unwrap_or_default();
    let action = content.get("action").unwrap_or(&Value::Null);
    match words(content, "type") {
        "button" => {
            let body = text(platform, "interactive.body.text", body)?;
            let buttons = action.get("buttons").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let replies = buttons.iter().map(|button| button.get("reply").unwrap_or(&Value::Null)).map(quick_reply);
            Ok(json!({ "text": body, "quick_replies": replies.collect::<Vec<_>>() }))
        }
        "list" => {
            let body = text(platform, "interactive.body.text", body)?;
            Ok(json!({ "text": body, "quick_replies": rows(platform, action)? }))
        }
        "cta_url" => {
            length("interactive.body.text", body, 1, 640)?;
            let link = action.get("parameters").unwrap_or(&Value::Null);
            let button = json!({ "type": "web_url", "url": words(link, "url"), "title": words(link, "display_text") });
            let payload = json!({ "template_type": "button", "text": body, "buttons": [button] });
            Ok(json!({ "attachment": { "type": "template", "payload": payload } }))
        }
        other => Err(refused(
            platform,
            &format!("interactive.type {other}"),
            "send button, list or cta_url, or a payload in the format of the Send API",
        )),
    }
}

/// The rows of a list, as quick replies, which have a title and nothing else.
fn rows(platform: Platform, action: &Value) -> Result<Vec<Value>, Invalid> {
    let sections = action.get("sections").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut replies = Vec::new();
    for (number, section) in sections.iter().enumerate() {
        let at = format!("interactive.action.sections[{number}]");
        if section.get("title").is_some() {
            return Err(refused(platform, &format!("{at}.title"), "give one section without a title"));
        }
        let rows = section.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (number, row) in rows.iter().enumerate() {
            let at = format!("{at}.rows[{number}]");
            if row.get("description").is_some() {
                return Err(refused(platform, &format!("{at}.description"), "leave it out, or put it into the body"));
            }
            length(&format!("{at}.title"), words(row, "title"), 1, 20)?;
            replies.push(quick_reply(row));
        }
    }
    Ok(replies)
}

fn quick_reply(choice: &Value) -> Value {
    json!({ "content_type": "text", "title": words(choice, "title"), "payload": words(choice, "id") })
}
