//! What a flow decided, as messages to send: each is checked against Meta's limits before anything takes effect.

use hoopoe_protocol::outbound::{self, Button, Content, Media, Row, Section, Source};
use hoopoe_sandbox::contract::{Action, MediaSource, Send, SendContent, SendMedia};
use hoopoe_store::ambient::Ambient;
use hoopoe_store::flow_work::Event;
use hoopoe_store::outbound::Outbound;
use serde_json::Value;
use uuid::Uuid;

/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

/// Why an outcome cannot be carried out; nothing of it takes effect.
#[derive(Debug)]
pub(crate) struct Refused {
    pub code: &'static str,
    pub reason: String,
}

/// The messages of an outcome, in order.
pub(crate) fn messages(
    actions: &[Action],
    tenant_id: Uuid,
    event: &Event,
    ambient: &Ambient,
) -> Result<Vec<Outbound>, Refused> {
    let messages = actions.iter().enumerate().map(|(place, action)| match action {
        Action::Send(send) => message(send, place, event, ambient),
        other => {
            let name = name(other);
            tracing::debug!(tenant = %tenant_id, event = event.id, action = name, "unsupported action");
            Err(Refused {
                code: "unsupported-action",
                reason: format!("actions[{place}]: this host cannot carry out {name}; it can carry out send"),
            })
        }
    });
    messages.collect()
}

fn message(send: &Send, place: usize, event: &Event, ambient: &Ambient) -> Result<Outbound, Refused> {
    let invalid = |reason: String| Refused { code: "invalid-action", reason: format!("actions[{place}].{reason}") };
    let content = content(&send.content).map_err(&invalid)?;
    let payload = content.payload(send.reply_to.as_deref()).map_err(|error| invalid(error.to_string()))?;
    let key = match &send.idempotency_key {
        Some(key) if (1..=LONGEST_KEY).contains(&key.chars().count()) && !key.contains('\0') => key.clone(),
        Some(key) => {
            let length = key.chars().count();
            return Err(invalid(format!(
                "idempotency-key: it has {length} characters; give it 1 to {LONGEST_KEY}, none of them NUL"
            )));
        }
        // The same for every run of this event: a repeated run repeats nothing.
        None => format!("flow:{}:{place}", event.id),
    };
    Ok(Outbound {
        id: ambient.id(),
        kind: payload.get("type").and_then(Value::as_str).unwrap_or("unknown").to_owned(),
        body: outbound::text_of(&payload),
        payload: payload.to_string(),
        idempotency_key: Some(key),
        event_id: Some(event.id),
    })
}

fn content(content: &SendContent) -> Result<Content, String> {
    Ok(match content {
        SendContent::Text(text) => Content::Text { body: text.body.clone(), preview_url: text.preview_url },
        SendContent::Image(file) => Content::Image(media(file)),
        SendContent::Video(file) => Content::Video(media(file)),
        SendContent::Audio(file) => Content::Audio(media(file)),
        SendContent::Document(file) => Content::Document(media(file)),
        SendContent::Sticker(file) => Content::Sticker(media(file)),
        SendContent::Location(place) => Content::Location {
            latitude: place.latitude,
            longitude: place.longitude,
            name: place.name.clone(),
            address: place.address.clone(),
        },
        SendContent::Reaction(reaction) => {
            Content::Reaction { message_id: reaction.message_id.clone(), emoji: reaction.emoji.clone() }
        }
        SendContent::Buttons(buttons) => Content::Buttons {
            body: buttons.body.clone(),
            header: buttons.header.clone(),
            footer: buttons.footer.clone(),
            buttons: buttons
                .buttons
                .iter()
                .map(|button| Button { id: button.id.clone(), title: button.title.clone() })
                .collect(),
        },
        SendContent::List(list) => Content::List {
            body: list.body.clone(),
            header: list.header.clone(),
            footer: list.footer.clone(),
            button: list.button.clone(),
            sections: list
                .sections
                .iter()
                .map(|section| Section {
                    title: section.title.clone(),
                    rows: section
                        .rows
                        .iter()
                        .map(|row| Row {
                            id: row.id.clone(),
                            title: row.title.clone(),
                            description: row.description.clone(),
                        })
                        .collect(),
                })
                .collect(),
        },
        SendContent::Template(template) => Content::Template {
            name: template.name.clone(),
            language: template.language.clone(),
            components: serde_json::from_str(&template.components)
                .map_err(|error| format!("template.components: not JSON: {error}"))?,
        },
        SendContent::Raw(json) => match serde_json::from_str(json) {
            Ok(Value::Object(object)) => Content::Raw(object),
            Ok(_) => return Err("raw: not a JSON object".to_owned()),
            Err(error) => return Err(format!("raw: not JSON: {error}")),
        },
    })
}

fn media(file: &SendMedia) -> Media {
    let source = match &file.source {
        MediaSource::Id(id) => Source::Id(id.clone()),
        MediaSource::Link(link) => Source::Link(link.clone()),
    };
    Media { source, caption: file.caption.clone(), filename: file.filename.clone() }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Send(_) => "send",
        Action::MarkRead(_) => "mark-read",
        Action::HttpRequest(_) => "http-request",
        Action::Schedule(_) => "schedule",
        Action::Cancel(_) => "cancel",
        Action::HandOff(_) => "hand-off",
        Action::Tag(_) => "tag",
    }
}
