//! Messages typed as Meta's reference has them: what integrators write as JSON and what is sent, field for field.
//!
//! In: JSON, or these types. Out: a payload ([`Message::payload`]), checked against Meta's limits; the error's field is
//! the path in this JSON, for example `interactive.action.buttons[3]`.

mod contacts;
mod interactive;
mod template;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

pub use contacts::{Address, Card, CardName, Email, Organisation, Phone, Url};
pub use interactive::{Action, Header, Interactive, ProductItem, Reply, ReplyButton, Row, Section, Words};
pub use template::{CarouselCard, Component, Index, Language, Parameter, Template};

use super::Invalid;
use super::limits::{self, Unknown};

/// The type of a payload that marks a message as read. Meta has no type for it: [`crate::graph::request_body`] makes the
/// request of it.
pub(crate) const READ: &str = "read";

/// What to send.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // The types say it.
pub enum Message {
    Text(Text),
    Image(File),
    Video(File),
    Audio(File),
    Document(File),
    Sticker(File),
    Location(Place),
    /// 1 to 257.
    Contacts(Vec<Card>),
    Reaction(Reaction),
    Interactive(Box<Interactive>),
    Template(Template),
    Read(Read),
}

/// Text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendText))]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// 1 to 4096 characters.
    #[cfg_attr(feature = "openapi", schema(example = "See https://example.com"))]
    pub body: String,
    /// Show a preview of the first link.
    #[serde(default)]
    pub preview_url: bool,
}

/// A file: either `id` or `link`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendFile))]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Meta's id of an uploaded file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A URL that Meta can fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "https://example.com/invoice.pdf"))]
    pub link: Option<String>,
    /// 1 to 1024 characters; not for audio, stickers and headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// 1 to 240 characters; documents only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Audio only: show it as a voice message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<bool>,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendLocation))]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Degrees, -90 to 90.
    pub latitude: f64,
    /// Degrees, -180 to 180.
    pub longitude: f64,
    /// 1 to 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 1 to 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A reaction to a message of the contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendReaction))]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// Meta's id of it.
    #[cfg_attr(feature = "openapi", schema(example = "wamid.HBgL..."))]
    pub message_id: String,
    /// One emoji; absent or empty: take the reaction back.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "👍"))]
    pub emoji: String,
}

/// Tells the contact that a message was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendRead))]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The contact's message, by Meta's id; those before it count as read as well.
    #[cfg_attr(feature = "openapi", schema(example = "wamid.HBgL..."))]
    pub message_id: String,
    /// Show "typing" until the next message, at most 25 s.
    #[serde(default)]
    pub typing: bool,
}

impl Message {
    /// Checks the limits and builds the payload. `reply_to` is Meta's id of the message that this one answers; reactions
    /// and read marks name their message themselves and cannot have it.
    pub fn payload(&self, reply_to: Option<&str>) -> Result<Value, Invalid> {
        let (kind, content) = match self {
            Message::Text(it) => ("text", json!(it)),
            Message::Image(it) => ("image", json!(it)),
            Message::Video(it) => ("video", json!(it)),
            Message::Audio(it) => ("audio", json!(it)),
            Message::Document(it) => ("document", json!(it)),
            Message::Sticker(it) => ("sticker", json!(it)),
            Message::Location(it) => ("location", json!(it)),
            Message::Contacts(it) => ("contacts", json!(it)),
            Message::Reaction(it) => ("reaction", json!(it)),
            Message::Interactive(it) => ("interactive", json!(it)),
            Message::Template(it) => ("template", json!(it)),
            Message::Read(it) => (READ, json!(it)),
        };
        let mut payload = Map::from_iter([("type".to_owned(), json!(kind)), (kind.to_owned(), content)]);
        limits::check(&payload, Unknown::Refused)?;
        if let Some(id) = reply_to {
            if matches!(self, Message::Reaction(_) | Message::Read(_)) {
                return Err(Invalid::new(
                    "reply_to",
                    format!("is not possible with {kind}; it names its message itself"),
                ));
            }
            super::payload::length("reply_to", id, 1, crate::wire::MAX_ID)?;
            payload.insert("context".to_owned(), json!({ "message_id": id }));
        }
        let payload = Value::Object(payload);
        super::no_nul("", &payload)?;
        Ok(payload)
    }
}
