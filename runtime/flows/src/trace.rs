//! What is kept of a run so that it can be looked at and repeated: the context that it had, and its outcome, as JSON.
//!
//! The outcome is written with the names of the contract, the same text for the same outcome: replays compare it byte
//! for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hoopoe_sandbox::contract::{
    Action, HttpRequest, MediaSource, NextState, Outcome, Schedule, Send, SendContent, SendMedia,
};
use hoopoe_store::flow_work::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a run could know besides its event, configuration and state, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// `whatsapp`, `messenger` or `instagram`.
    #[serde(default = "whatsapp", skip_serializing_if = "is_whatsapp")]
    pub channel_kind: String,
    /// The tenant's name.
    pub tenant_name: String,
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// The number as people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_phone_number: Option<String>,
    /// The contact's WhatsApp id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The contact's profile name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The contact's username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The contact's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The messages of a burst before the event, each as Meta sent it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub burst: Vec<String>,
}

impl Snapshot {
    pub(crate) fn of(event: &Event) -> Self {
        Snapshot {
            channel_kind: event.around.channel_kind.clone(),
            tenant_name: event.around.tenant_name.clone(),
            phone_number_id: event.around.phone_number_id.clone(),
            display_phone_number: event.around.display_phone_number.clone(),
            wa_id: event.around.wa_id.clone(),
            user_id: event.around.user_id.clone(),
            name: event.around.name.clone(),
            username: event.around.username.clone(),
            tags: event.around.tags.clone(),
            burst: event.around.burst.clone(),
        }
    }
}

fn whatsapp() -> String {
    "whatsapp".to_owned()
}

fn is_whatsapp(kind: &str) -> bool {
    kind == "whatsapp"
}

/// An outcome as JSON text.
pub fn outcome(outcome: &Outcome) -> String {
    let state = match &outcome.state {
        NextState::Keep => json!("keep"),
        NextState::Clear => json!("clear"),
        NextState::Replace(state) => json!({ "replace": BASE64.encode(state) }),
    };
    json!({ "actions": outcome.actions.iter().map(action).collect::<Vec<_>>(), "state": state }).to_string()
}

fn action(action: &Action) -> Value {
    match action {
        Action::Send(send) => json!({ "send": self::send(send) }),
        Action::MarkRead(read) => json!({ "mark-read": { "message-id": read.message_id, "typing": read.typing } }),
        Action::HttpRequest(request) => json!({ "http-request": http_request(request) }),
        Action::Schedule(Schedule { name, due, payload }) => {
            json!({ "schedule": { "name": name, "due": due, "payload": payload } })
        }
        Action::Cancel(name) => json!({ "cancel": name }),
        Action::HandOff(reason) => json!({ "hand-off": reason }),
        Action::Tag(tag) => json!({ "tag": { "name": tag.name, "present": tag.present } }),
    }
}

fn send(send: &Send) -> Value {
    let mut value = json!({ "content": content(&send.content) });
    if let Value::Object(object) = &mut value {
        put(object, "reply-to", send.reply_to.as_deref());
        put(object, "idempotency-key", send.idempotency_key.as_deref());
    }
    value
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

fn http_request(request: &HttpRequest) -> Value {
    json!({
        "name": request.name, "method": request.method, "url": request.url, "headers": request.headers,
        "body": String::from_utf8(request.body.clone()).map_or_else(
            |_| json!({ "base64": BASE64.encode(&request.body) }), Value::String),
        "timeout-ms": request.timeout_ms,
    })
}

fn content(content: &SendContent) -> Value {
    match content {
        SendContent::Text(text) => json!({ "text": { "body": text.body, "preview-url": text.preview_url } }),
        SendContent::Image(file) => json!({ "image": media(file) }),
        SendContent::Video(file) => json!({ "video": media(file) }),
        SendContent::Audio(file) => json!({ "audio": media(file) }),
        SendContent::Document(file) => json!({ "document": media(file) }),
        SendContent::Sticker(file) => json!({ "sticker": media(file) }),
        SendContent::Location(place) => json!({ "location": {
            "latitude": place.latitude, "longitude": place.longitude, "name": place.name, "address": place.address,
        } }),
        SendContent::Reaction(reaction) => {
            json!({ "reaction": { "message-id": reaction.message_id, "emoji": reaction.emoji } })
        }
        SendContent::Buttons(message) => json!({ "buttons": {
            "body": message.body, "header": message.header, "footer": message.footer,
            "buttons": message.buttons.iter()
                .map(|button| json!({ "id": button.id, "title": button.title })).collect::<Vec<_>>(),
        } }),
        SendContent::List(list) => {
            let sections = list.sections.iter().map(|section| {
                let rows = section.rows.iter();
                let rows = rows.map(|row| json!({ "id": row.id, "title": row.title, "description": row.description }));
                json!({ "title": section.title, "rows": rows.collect::<Vec<_>>() })
            });
            json!({ "list": {
                "body": list.body, "header": list.header, "footer": list.footer, "button": list.button,
                "sections": sections.collect::<Vec<_>>(),
            } })
        }
        SendContent::Template(template) => json!({ "template": {
            "name": template.name, "language": template.language, "components": template.components,
        } }),
        SendContent::Stored(template) => json!({ "stored": {
            "key": template.key, "language": template.language, "variables": template.variables,
        } }),
        SendContent::Raw(raw) => json!({ "raw": raw }),
    }
}

fn media(file: &SendMedia) -> Value {
    let source = match &file.source {
        MediaSource::Id(id) => json!({ "id": id }),
        MediaSource::Link(link) => json!({ "link": link }),
    };
    json!({ "source": source, "caption": file.caption, "filename": file.filename })
}

#[cfg(test)]
mod tests {
    use hoopoe_sandbox::contract::{SendText, StoredTemplate, Tag};

    use super::*;

    #[test]
    fn an_outcome_is_written_with_the_contracts_names() {
        let text = SendContent::Text(SendText { body: "hi".to_owned(), preview_url: false });
        let stored = StoredTemplate {
            key: "welcome".to_owned(),
            language: None,
            variables: vec![("name".to_owned(), "Ada".to_owned())],
        };
        let written = outcome(&Outcome {
            actions: vec![
                Action::Send(Send { content: text, reply_to: None, idempotency_key: Some("k".to_owned()) }),
                Action::Send(Send {
                    content: SendContent::Stored(stored),
                    reply_to: Some("wamid.1".to_owned()),
                    idempotency_key: None,
                }),
                Action::Tag(Tag { name: "vip".to_owned(), present: true }),
                Action::Cancel("t".to_owned()),
            ],
            state: NextState::Replace(b"{}".to_vec()),
        });
        let read: Value = serde_json::from_str(&written).expect("it is JSON");
        assert_eq!(
            read,
            json!({
                "actions": [
                    {"send": {"content": {"text": {"body": "hi", "preview-url": false}}, "idempotency-key": "k"}},
                    {"send": {"content": {"stored": {
                        "key": "welcome", "language": null, "variables": [["name", "Ada"]]
                    }}, "reply-to": "wamid.1"}},
                    {"tag": {"name": "vip", "present": true}},
                    {"cancel": "t"},
                ],
                "state": {"replace": "e30="},
            })
        );
    }
}
