//! A stored event as the contract's context and event.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use hoopoe_protocol::message::{self, Content as In};
use hoopoe_protocol::messenger::{self, Platform};
use hoopoe_protocol::{PlatformError as InError, StatusKind as InStatus, status};
use hoopoe_sandbox::Plugin;
use hoopoe_sandbox::contract::{self as out, Content, EventKind};
use hoopoe_store::flow_work::Event;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::attributes::attributes;

/// What the plugin is given. It depends on nothing but its arguments, so that a later replay gives the same.
pub(crate) fn contract(tenant_id: Uuid, event: &Event, attempt: i32, config: &str) -> (out::Context, out::Event) {
    let read = (event.kind == "message").then(|| inbound(event));
    let context = out::Context {
        tenant: out::Tenant { id: tenant_id.to_string(), name: event.around.tenant_name.clone() },
        conversation: out::Conversation {
            id: event.conversation_id.to_string(),
            channel: out::Channel {
                id: event.around.channel_id.to_string(),
                phone_number_id: event.around.phone_number_id.clone(),
                display_phone_number: event.around.display_phone_number.clone(),
            },
            contact: out::Contact {
                id: event.contact_id.to_string(),
                wa_id: event.around.wa_id.clone(),
                user_id: event.around.user_id.clone(),
                name: event.around.name.clone(),
                username: event.around.username.clone(),
                tags: event.around.tags.clone(),
            },
        },
        event_id: event.id.to_string(),
        now: millis(event.received_at),
        seed: seed(tenant_id, event.id),
        attempt: u32::try_from(attempt).unwrap_or(1),
        config: config.to_owned(),
        attributes: attributes(event, read.as_ref()),
    };
    let input = match event.kind.as_str() {
        "message" => read.map_or_else(|| other(event), |read| out::Event::Message(message(read, event))),
        "status" => match status::parse(&event.raw) {
            Some(head) => out::Event::Status(progress(head, event)),
            None => other(event),
        },
        "timer" => serde_json::from_str(&event.raw).map_or_else(|_| other(event), timer),
        "http-response" => serde_json::from_str(&event.raw).map_or_else(|_| other(event), http_response),
        _ => other(event),
    };
    (context, input)
}

/// Whether the plugin's manifest asks for events of this kind.
pub(crate) fn wants(plugin: &Plugin, kind: &str) -> bool {
    let kind = match kind {
        "message" => EventKind::Message,
        "status" => EventKind::Status,
        "timer" => EventKind::Timer,
        // Who asks gets an answer, whatever the manifest says.
        "http-response" => return true,
        _ => EventKind::Other,
    };
    plugin.manifest().events.contains(&kind)
}

/// A timer as `hoopoe_store::timers` keeps it.
#[derive(Deserialize)]
struct StoredTimer {
    name: String,
    due: u64,
    payload: String,
}

/// An answer as `hoopoe_outcalls` keeps it: the body in base64, or the error.
#[derive(Deserialize)]
struct StoredAnswer {
    name: String,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    error: Option<String>,
}

fn timer(stored: StoredTimer) -> out::Event {
    out::Event::Timer(out::Timer { name: stored.name, due: stored.due, payload: stored.payload })
}

fn http_response(stored: StoredAnswer) -> out::Event {
    let StoredAnswer { name, status, headers, body, error } = stored;
    let outcome = match error {
        Some(error) => Err(error),
        None => Ok(out::HttpAnswer { status, headers, body: BASE64.decode(body).unwrap_or_default() }),
    };
    out::Event::HttpResponse(out::HttpResponse { name, outcome })
}

fn other(event: &Event) -> out::Event {
    out::Event::Other(out::OtherEvent { kind: event.kind.clone(), raw: event.raw.clone() })
}

fn inbound(event: &Event) -> message::Message {
    match Platform::of(&event.around.channel_kind) {
        None => message::parse(&event.raw),
        Some(_) => {
            let read = messenger::parse(&event.raw).and_then(|event| messenger::inbound(&event));
            read.map_or_else(|| message::parse(&event.raw), |inbound| inbound.message)
        }
    }
}

fn message(read: message::Message, event: &Event) -> out::Message {
    out::Message {
        id: read.id,
        timestamp: millis(event.occurred_at),
        content: content(read.content),
        reply_to: read.reply_to.map(|reply| out::ReplyTo {
            message_id: reply.message_id,
            forwarded: reply.forwarded,
            frequently_forwarded: reply.frequently_forwarded,
        }),
        referral: read.referral.map(|referral| out::Referral {
            source_type: referral.source_type,
            source_id: referral.source_id,
            source_url: referral.source_url,
            headline: referral.headline,
            body: referral.body,
            ctwa_clid: referral.ctwa_clid,
        }),
        raw: event.raw.clone(),
    }
}

fn progress(head: status::StatusHead, event: &Event) -> out::Status {
    out::Status {
        message_id: head.message_id,
        hoopoe_message_id: head.callback_data.filter(|data| Uuid::parse_str(data).is_ok()),
        kind: match head.status {
            InStatus::Sent => out::StatusKind::Sent,
            InStatus::Delivered => out::StatusKind::Delivered,
            InStatus::Read => out::StatusKind::Read,
            InStatus::Played => out::StatusKind::Played,
            InStatus::Failed => out::StatusKind::Failed,
            InStatus::Deleted => out::StatusKind::Deleted,
            InStatus::Other(word) => out::StatusKind::Other(word),
        },
        timestamp: millis(event.occurred_at),
        errors: head.errors.into_iter().map(error).collect(),
        raw: event.raw.clone(),
    }
}

fn content(content: In) -> Content {
    match content {
        In::Text(text) => Content::Text(out::Text { body: text.body }),
        In::Image(file) => Content::Image(media(file)),
        In::Video(file) => Content::Video(media(file)),
        In::Document(file) => Content::Document(media(file)),
        In::Audio(file) => Content::Audio(out::Audio {
            id: file.id,
            mime_type: file.mime_type,
            sha256: file.sha256,
            voice: file.voice,
        }),
        In::Sticker(file) => Content::Sticker(out::Sticker {
            id: file.id,
            mime_type: file.mime_type,
            sha256: file.sha256,
            animated: file.animated,
        }),
        In::Location(place) => Content::Location(out::Location {
            latitude: place.latitude,
            longitude: place.longitude,
            name: place.name,
            address: place.address,
            url: place.url,
        }),
        In::Contacts(cards) => Content::Contacts(cards.into_iter().map(card).collect()),
        In::Reaction(reaction) => {
            Content::Reaction(out::Reaction { message_id: reaction.message_id, emoji: reaction.emoji })
        }
        In::ButtonReply(made) => Content::ButtonReply(choice(made)),
        In::ListReply(made) => Content::ListReply(choice(made)),
        In::FormReply(form) => {
            Content::FormReply(out::FormReply { name: form.name, body: form.body, response_json: form.response_json })
        }
        In::CallPermissionReply(reply) => Content::CallPermissionReply(out::CallPermissionReply {
            response: reply.response,
            expires_at: reply.expires_at.and_then(|at| u64::try_from(at).ok()),
        }),
        In::TemplateButton(button) => {
            Content::TemplateButton(out::TemplateButton { text: button.text, payload: button.payload })
        }
        In::Order(order) => Content::Order(self::order(order)),
        In::System(notice) => Content::System(out::SystemNotice {
            kind: notice.kind,
            body: notice.body,
            wa_id: notice.wa_id,
            user_id: notice.user_id,
        }),
        In::Edit(edit) => Content::Edit(out::Edit { message_id: edit.message_id, body: edit.body }),
        In::Revoke(revoke) => Content::Revoke(out::Revoke { message_id: revoke.message_id }),
        In::Unsupported(unsupported) => {
            Content::Unsupported(out::Unsupported { errors: unsupported.errors.into_iter().map(error).collect() })
        }
        In::Unknown(kind) => Content::Unknown(kind),
    }
}

fn media(file: message::Media) -> out::Media {
    out::Media {
        id: file.id,
        mime_type: file.mime_type,
        sha256: file.sha256,
        caption: file.caption,
        filename: file.filename,
    }
}

fn card(card: message::ContactCard) -> out::ContactCard {
    let phones = card.phones.into_iter().map(|phone| out::ContactPhone { phone: phone.phone, wa_id: phone.wa_id });
    out::ContactCard {
        formatted_name: card.formatted_name,
        phones: phones.collect(),
        emails: card.emails,
        raw: card.raw,
    }
}

fn choice(choice: message::Choice) -> out::Choice {
    out::Choice { id: choice.id, title: choice.title, description: choice.description }
}

fn order(order: message::Order) -> out::Order {
    let items = order.items.into_iter().map(|item| out::OrderItem {
        product_retailer_id: item.product_retailer_id,
        quantity: item.quantity,
        item_price: item.item_price,
        currency: item.currency,
    });
    out::Order { catalog_id: order.catalog_id, text: order.text, items: items.collect() }
}

fn error(error: InError) -> out::PlatformError {
    out::PlatformError {
        code: i32::try_from(error.code).unwrap_or(i32::MAX),
        title: error.title,
        details: error.details,
    }
}

fn millis(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or_default()
}

fn seed(tenant_id: Uuid, event_id: i64) -> u64 {
    let digest = Sha256::new().chain_update(tenant_id).chain_update(event_id.to_be_bytes()).finalize();
    u64::from_be_bytes(std::array::from_fn(|place| digest[place]))
}

#[cfg(test)]
mod tests;
