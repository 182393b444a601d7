//! What Meta checks of a send on Messenger or Instagram, written from the Send API reference.

use serde_json::{Map, Value};

use super::{Refusal, Send};
use crate::direct::{Platform, Sent};

const MEMBERS: [&str; 8] =
    ["recipient", "messaging_type", "message", "sender_action", "payload", "tag", "notification_type", "reply_to"];

/// A send that is in order.
pub(crate) enum Request {
    Send(Send),
    /// `mark_seen`, `typing_on`, ...
    Action {
        person: String,
        action: String,
    },
}

/// Whether a body is such a send.
pub(crate) fn is_one(body: &Value) -> bool {
    body["messaging_product"].is_null() && body["recipient"].is_object()
}

/// Reads a send to somebody who wrote to this page or account.
pub(crate) fn request(body: &Value, home: impl Fn(&str) -> Option<(Platform, String)>) -> Result<Request, Refusal> {
    known("", body, &MEMBERS)?;
    let person = body["recipient"]["id"].as_str().filter(|id| !id.is_empty());
    let person = person.ok_or_else(|| invalid("recipient.id", "must be given"))?;
    let (platform, home) = home(person).ok_or_else(|| Refusal {
        subcode: Some(2_018_001),
        ..Refusal::invalid(format!("No matching user found: {person}"))
    })?;
    if !body["sender_action"].is_null() {
        return action(platform, body).map(|action| Request::Action { person: person.to_owned(), action });
    }
    let kinds = ["RESPONSE", "UPDATE", "MESSAGE_TAG"];
    let kind = body["messaging_type"].as_str().unwrap_or_default();
    if platform == Platform::Messenger && !kinds.contains(&kind) {
        return Err(invalid("messaging_type", &format!("must be one of {}", kinds.join(", "))));
    }
    if (kind == "MESSAGE_TAG") == body["tag"].is_null() {
        return Err(invalid("tag", "must be given with messaging_type MESSAGE_TAG, and only then"));
    }
    if !body["reply_to"].is_null() && !body["reply_to"]["mid"].is_string() {
        return Err(invalid("reply_to.mid", "must be a string"));
    }
    let message = &body["message"];
    check(platform, message)?;
    let text = message["text"].as_str().or_else(|| message["attachment"]["payload"]["text"].as_str());
    Ok(Request::Send(Send {
        to: person.to_owned(),
        callback_data: message["metadata"].as_str().map(str::to_owned),
        text: text.map(str::to_owned),
        direct: Some(Sent { platform, home, message: message.clone() }),
    }))
}

fn action(platform: Platform, body: &Value) -> Result<String, Refusal> {
    if !body["message"].is_null() {
        return Err(Refusal::invalid("Cannot send both message and state at the same time.".to_owned()));
    }
    let action = body["sender_action"].as_str().unwrap_or_default();
    match (action, platform) {
        ("mark_seen" | "typing_on" | "typing_off", _) => {}
        ("react" | "unreact", Platform::Instagram) if body["payload"]["message_id"].is_string() => {}
        _ => return Err(invalid("sender_action", "is not known here")),
    }
    Ok(action.to_owned())
}

fn check(platform: Platform, message: &Value) -> Result<(), Refusal> {
    if !message.is_object() {
        return Err(invalid("message", "must be an object"));
    }
    known("message.", message, &["text", "attachment", "attachments", "quick_replies", "metadata"])?;
    length("message.metadata", &message["metadata"], 0, 1000)?;
    let attached = !message["attachment"].is_null() || !message["attachments"].is_null();
    match (&message["text"], attached) {
        (Value::String(text), false) => {
            let (length, limit) = match platform {
                Platform::Messenger => (text.chars().count(), 2000),
                Platform::Instagram => (text.len(), 1000),
            };
            if !(1..=limit).contains(&length) {
                return Err(invalid("message.text", &format!("must be from 1 to {limit} long")));
            }
        }
        (Value::Null, true) => attachment(&message["attachment"])?,
        _ => return Err(invalid("message", "must have either text or attachment")),
    }
    if message["quick_replies"].is_null() {
        return Ok(());
    }
    let replies = list("message.quick_replies", &message["quick_replies"], 13)?;
    replies.iter().try_for_each(|reply| {
        known("quick_replies.", reply, &["content_type", "title", "payload", "image_url"])?;
        match reply["content_type"].as_str() {
            Some("text") => {
                length("quick_replies.title", &reply["title"], 1, 20)?;
                length("quick_replies.payload", &reply["payload"], 0, 1000)
            }
            Some("user_phone_number" | "user_email") => Ok(()),
            _ => Err(invalid("quick_replies.content_type", "is not known")),
        }
    })
}

fn attachment(it: &Value) -> Result<(), Refusal> {
    known("attachment.", it, &["type", "payload"])?;
    let payload = &it["payload"];
    match it["type"].as_str() {
        Some("image" | "video" | "audio" | "file") => {
            known("attachment.payload.", payload, &["url", "attachment_id", "is_reusable"])?;
            let url = payload["url"].as_str().filter(|url| url.starts_with("http"));
            match (url, payload["attachment_id"].as_str()) {
                (Some(_), None) | (None, Some(_)) => Ok(()),
                _ => Err(invalid("attachment.payload", "must have either url or attachment_id")),
            }
        }
        Some("template") => template(payload),
        _ => Err(invalid("attachment.type", "is not known")),
    }
}

fn template(payload: &Value) -> Result<(), Refusal> {
    match payload["template_type"].as_str() {
        Some("button") => {
            length("payload.text", &payload["text"], 1, 640)?;
            buttons(&payload["buttons"])
        }
        Some("generic") => list("payload.elements", &payload["elements"], 10)?.iter().try_for_each(|element| {
            length("elements.title", &element["title"], 1, 80)?;
            length("elements.subtitle", &element["subtitle"], 0, 80)?;
            if element["buttons"].is_null() { Ok(()) } else { buttons(&element["buttons"]) }
        }),
        Some(_) => Ok(()),
        None => Err(invalid("payload.template_type", "must be given")),
    }
}

fn buttons(buttons: &Value) -> Result<(), Refusal> {
    list("buttons", buttons, 3)?.iter().try_for_each(|button| {
        length("buttons.title", &button["title"], 1, 20)?;
        match button["type"].as_str() {
            Some("web_url") if button["url"].is_string() => Ok(()),
            Some("postback") => length("buttons.payload", &button["payload"], 1, 1000),
            Some("phone_number") => length("buttons.payload", &button["payload"], 1, 20),
            _ => Err(invalid("buttons.type", "is not known, or lacks its url")),
        }
    })
}

fn known(path: &str, value: &Value, names: &[&str]) -> Result<(), Refusal> {
    let none = Map::new();
    let object = value.as_object().unwrap_or(&none);
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(Refusal::invalid(format!("Invalid keys \"{path}{name}\" were found in param"))),
        None => Ok(()),
    }
}

fn list<'a>(path: &str, value: &'a Value, most: usize) -> Result<&'a [Value], Refusal> {
    let list = value.as_array().filter(|list| (1..=most).contains(&list.len()));
    list.map(Vec::as_slice).ok_or_else(|| invalid(path, &format!("must be a list of 1 to {most}")))
}

/// Null stands for nothing, which is too short only where something is needed.
fn length(path: &str, value: &Value, least: usize, most: usize) -> Result<(), Refusal> {
    let length = match value {
        Value::Null => 0,
        Value::String(text) => text.chars().count(),
        _ => return Err(invalid(path, "must be a string")),
    };
    if (least..=most).contains(&length) {
        Ok(())
    } else {
        Err(invalid(path, &format!("must have {least} to {most} characters")))
    }
}

fn invalid(path: &str, what: &str) -> Refusal {
    Refusal::invalid(format!("Param {path} {what}"))
}
