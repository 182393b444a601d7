//! Every kind of message that users send.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The content of an inbound message.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // Named as in Meta's reference.
pub enum InboundKind {
    Text(String),
    Image {
        caption: Option<String>,
    },
    Video {
        caption: Option<String>,
    },
    Audio,
    Voice,
    Document {
        filename: String,
    },
    Sticker,
    Location {
        latitude: f64,
        longitude: f64,
    },
    Contacts {
        formatted_name: String,
        phone: String,
    },
    Reaction {
        message_id: String,
        emoji: String,
    },
    Unreaction {
        message_id: String,
    },
    ButtonReply {
        id: String,
        title: String,
    },
    ListReply {
        id: String,
        title: String,
    },
    NfmReply {
        response_json: String,
    },
    CallPermissionReply {
        accepted: bool,
    },
    Button {
        text: String,
        payload: String,
    },
    Order {
        catalog_id: String,
    },
    System {
        new_wa_id: String,
    },
    Edit {
        message_id: String,
        body: String,
    },
    Revoke {
        message_id: String,
    },
    Unsupported,
    /// Fields that are put into the message, in place of those that it has; null takes one away. For new types and for
    /// broken messages.
    Raw(Value),
}

impl InboundKind {
    /// One of each, with a name.
    pub fn samples() -> Vec<(&'static str, InboundKind)> {
        let text = str::to_owned;
        let id = || "wamid.OUTearlier".to_owned();
        vec![
            ("text", InboundKind::Text(text("hello"))),
            ("image", InboundKind::Image { caption: Some(text("a picture")) }),
            ("video", InboundKind::Video { caption: None }),
            ("audio", InboundKind::Audio),
            ("voice", InboundKind::Voice),
            ("document", InboundKind::Document { filename: text("invoice.pdf") }),
            ("sticker", InboundKind::Sticker),
            ("location", InboundKind::Location { latitude: 52.52, longitude: 13.405 }),
            (
                "contacts",
                InboundKind::Contacts { formatted_name: text("Ada Lovelace"), phone: text("+44 20 7946 0000") },
            ),
            ("reaction", InboundKind::Reaction { message_id: id(), emoji: text("👍") }),
            ("unreaction", InboundKind::Unreaction { message_id: id() }),
            ("button_reply", InboundKind::ButtonReply { id: text("yes"), title: text("Yes") }),
            ("list_reply", InboundKind::ListReply { id: text("row-1"), title: text("First row") }),
            ("nfm_reply", InboundKind::NfmReply { response_json: text(r#"{"flow_token":"t","size":"42"}"#) }),
            ("call_permission_reply", InboundKind::CallPermissionReply { accepted: true }),
            ("button", InboundKind::Button { text: text("Stop"), payload: text("STOP") }),
            ("order", InboundKind::Order { catalog_id: text("194836987003835") }),
            ("system", InboundKind::System { new_wa_id: text("12195555358") }),
            ("edit", InboundKind::Edit { message_id: id(), body: text("hello again") }),
            ("revoke", InboundKind::Revoke { message_id: id() }),
            ("unsupported", InboundKind::Unsupported),
            ("unknown", InboundKind::Raw(json!({ "type": "hologram", "hologram": { "beam": [1, 2, 3] } }))),
        ]
    }

    /// The sample of this name.
    pub fn sample(name: &str) -> Option<InboundKind> {
        InboundKind::samples().into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
    }

    /// `type` and the content under it.
    pub(crate) fn content(self) -> Value {
        let (kind, content) = match self {
            InboundKind::Raw(fields) => return fields,
            InboundKind::Unsupported => {
                let error = json!({ "code": 131051, "title": "Message type unknown", "message": "Message type unknown",
                    "error_data": { "details": "Message type is currently not supported." } });
                return json!({ "type": "unsupported", "errors": [error], "unsupported": { "type": "poll" } });
            }
            InboundKind::Text(body) => ("text", json!({ "body": body })),
            InboundKind::Image { caption } => ("image", media("image/jpeg", json!({ "caption": caption }))),
            InboundKind::Video { caption } => ("video", media("video/mp4", json!({ "caption": caption }))),
            InboundKind::Audio => ("audio", media("audio/mpeg", json!({ "voice": false }))),
            InboundKind::Voice => ("audio", media("audio/ogg; codecs=opus", json!({ "voice": true }))),
            InboundKind::Document { filename } => {
                ("document", media("application/pdf", json!({ "filename": filename })))
            }
            InboundKind::Sticker => ("sticker", media("image/webp", json!({ "animated": false }))),
            InboundKind::Location { latitude, longitude } => {
                ("location", json!({ "latitude": latitude, "longitude": longitude, "name": "Here" }))
            }
            InboundKind::Contacts { formatted_name, phone } => (
                "contacts",
                json!([{ "name": { "formatted_name": formatted_name, "first_name": formatted_name },
                    "phones": [{ "phone": phone, "type": "HOME" }], "emails": [] }]),
            ),
            InboundKind::Reaction { message_id, emoji } => {
                ("reaction", json!({ "message_id": message_id, "emoji": emoji }))
            }
            InboundKind::Unreaction { message_id } => ("reaction", json!({ "message_id": message_id })),
            InboundKind::ButtonReply { id, title } => interactive("button_reply", json!({ "id": id, "title": title })),
            InboundKind::ListReply { id, title } => {
                interactive("list_reply", json!({ "id": id, "title": title, "description": "More about it" }))
            }
            InboundKind::NfmReply { response_json } => {
                interactive("nfm_reply", json!({ "name": "flow", "body": "Sent", "response_json": response_json }))
            }
            InboundKind::CallPermissionReply { accepted } => {
                let response = if accepted { "accept" } else { "reject" };
                let reply = json!({ "response": response, "is_permanent": false, "response_source": "user_action",
                    "expiration_timestamp": "4102444800" });
                interactive("call_permission_reply", reply)
            }
            InboundKind::Button { text, payload } => ("button", json!({ "text": text, "payload": payload })),
            InboundKind::Order { catalog_id } => (
                "order",
                json!({ "catalog_id": catalog_id, "text": "Please gift-wrap", "product_items": [
                    { "product_retailer_id": "sku-1", "quantity": 2, "item_price": 30.5, "currency": "USD" }] }),
            ),
            InboundKind::System { new_wa_id } => (
                "system",
                json!({ "type": "user_changed_number", "wa_id": new_wa_id,
                    "body": format!("The user changed the number to {new_wa_id}") }),
            ),
            InboundKind::Edit { message_id, body } => (
                "edit",
                json!({ "original_message_id": message_id, "message": { "type": "text", "text": { "body": body } } }),
            ),
            InboundKind::Revoke { message_id } => ("revoke", json!({ "original_message_id": message_id })),
        };
        json!({ "type": kind, kind: content })
    }
}

fn interactive(kind: &str, reply: Value) -> (&'static str, Value) {
    ("interactive", json!({ "type": kind, kind: reply }))
}

/// What Meta says of every file, and what is special to this kind; null is left out.
fn media(mime_type: &str, special: Value) -> Value {
    let digest = Sha256::digest(crate::media::SAMPLE_BYTES);
    let mut media = json!({ "id": crate::media::SAMPLE, "mime_type": mime_type, "sha256": hex::encode(digest) });
    for (name, value) in special.as_object().into_iter().flatten() {
        if !value.is_null() {
            media[name] = value.clone();
        }
    }
    media
}
