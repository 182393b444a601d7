//! What to send, checked against Meta's limits before it is stored.
//!
//! In: a [`Content`], which is what flows have, or a [`typed::Message`], which is all that Meta has. Out: the payload, a JSON object with `type`, the object of that type and perhaps `context`. What
//! belongs to a single attempt (`messaging_product`, `to`, `recipient`, `biz_opaque_callback_data`) is added by
//! [`crate::graph::request_body`]. [`Invalid`] names the field and what to do.
//!
//! Limits: Meta's reference of the messages endpoint, in characters.

mod limits;
mod payload;
mod raw;
pub mod typed;

use limits::Unknown;
pub(crate) use payload::length;
use serde_json::{Map, Value};

/// Content that Meta would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// Path of the field, for example `buttons[1].title`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Invalid {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Invalid {
        Invalid { field: field.into(), message: message.into() }
    }
}

/// What to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text.
    Text {
        /// 1 to 4096 characters.
        body: String,
        /// Show a preview of the first link.
        preview_url: bool,
    },
    /// A picture.
    Image(Media),
    /// A video.
    Video(Media),
    /// A sound; no caption.
    Audio(Media),
    /// A file; may have a filename.
    Document(Media),
    /// A sticker; no caption.
    Sticker(Media),
    /// A place.
    Location {
        /// Degrees, -90 to 90.
        latitude: f64,
        /// Degrees, -180 to 180.
        longitude: f64,
        /// At most 1000 characters.
        name: Option<String>,
        /// At most 1000 characters.
        address: Option<String>,
    },
    /// A reaction to a message of the contact.
    Reaction {
        /// Meta's id of it.
        message_id: String,
        /// Absent: take the reaction back.
        emoji: Option<String>,
    },
    /// Text with reply buttons.
    Buttons {
        /// 1 to 1024 characters.
        body: String,
        /// 1 to 60 characters.
        header: Option<String>,
        /// 1 to 60 characters.
        footer: Option<String>,
        /// 1 to 3.
        buttons: Vec<Button>,
    },
    /// Text with a button that opens a list.
    List {
        /// 1 to 4096 characters.
        body: String,
        /// 1 to 60 characters.
        header: Option<String>,
        /// 1 to 60 characters.
        footer: Option<String>,
        /// The text on the button, 1 to 20 characters.
        button: String,
        /// 1 to 10, with 10 rows in all.
        sections: Vec<Section>,
    },
    /// A template that Meta has approved.
    Template {
        /// 1 to 512 characters.
        name: String,
        /// For example `en` or `pt_BR`.
        language: String,
        /// Meta's `components`: a list; empty or null when the template has no parameters.
        components: Value,
    },
    /// A payload as Meta documents it: `type`, the object of that type, perhaps `context`; or one for Messenger and
    /// Instagram: `message` or `sender_action`.
    Raw(Map<String, Value>),
}

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where it is.
    pub source: Source,
    /// At most 1024 characters; not for audio and stickers.
    pub caption: Option<String>,
    /// Documents only; at most 240 characters.
    pub filename: Option<String>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An id of Meta.
    Id(String),
    /// An https URL that Meta can fetch.
    Link(String),
}

/// A reply button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// 1 to 256 characters, unique in the message.
    pub id: String,
    /// 1 to 20 characters.
    pub title: String,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// 1 to 24 characters; needed when there is more than one section.
    pub title: Option<String>,
    /// At least one.
    pub rows: Vec<Row>,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 1 to 200 characters, unique in the message.
    pub id: String,
    /// 1 to 24 characters.
    pub title: String,
    /// At most 72 characters.
    pub description: Option<String>,
}

impl Content {
    /// Checks the limits and builds the payload. `reply_to` is Meta's id of the message that this one answers; a
    /// reaction ignores it, because it names its message itself.
    pub fn payload(&self, reply_to: Option<&str>) -> Result<Value, Invalid> {
        let mut payload = match self {
            Content::Raw(object) => raw::payload(object)?,
            typed => payload::typed(typed)?,
        };
        if let Some(id) = reply_to.filter(|_| !matches!(self, Content::Reaction { .. })) {
            payload::length("reply_to", id, 1, crate::wire::MAX_ID)?;
            payload.insert("context".to_owned(), serde_json::json!({ "message_id": id }));
        }
        // What flows have is told in their own words first; this is for raw payloads, and for what they have no word for.
        let is_raw = matches!(self, Content::Raw(_));
        limits::check(&payload, if is_raw { Unknown::Passes } else { Unknown::Refused })?;
        let payload = Value::Object(payload);
        no_nul(if is_raw { "" } else { "payload" }, &payload)?;
        Ok(payload)
    }
}

/// Postgres cannot store NUL. The depth of a value is bounded by what parsed it.
fn no_nul(path: &str, value: &Value) -> Result<(), Invalid> {
    match value {
        Value::String(text) if text.contains('\0') => {
            Err(Invalid::new(path, "holds a NUL character (U+0000); remove it"))
        }
        Value::Array(list) => {
            list.iter().enumerate().try_for_each(|(place, value)| no_nul(&format!("{path}[{place}]"), value))
        }
        Value::Object(object) => object.iter().try_for_each(|(name, value)| {
            if name.contains('\0') {
                return Err(Invalid::new(path, "holds a name with a NUL character (U+0000); remove it"));
            }
            no_nul(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value)
        }),
        _ => Ok(()),
    }
}

/// Whether a message may go out within Meta's 24-hour window only. Templates may at any time, on Messenger and Instagram
/// what has a `tag` may later, and read marks are no messages.
pub fn is_free_form(payload: &Value) -> bool {
    let kind = payload.get("type").and_then(Value::as_str).unwrap_or_default();
    let has_tag = payload.get(crate::messenger::send::MEMBER).is_some_and(|post| post.get("tag").is_some());
    !matches!(kind, "template" | "read") && !has_tag
}

/// What a list of messages shows of a payload: text, caption, the name of a template.
pub fn text_of(payload: &Value) -> Option<String> {
    let kind = payload.get("type")?.as_str()?;
    let content = payload.get(kind)?;
    let text = match kind {
        "text" => content.get("body"),
        "image" | "video" => content.get("caption"),
        "document" => content.get("caption").or_else(|| content.get("filename")),
        "interactive" => content.pointer("/body/text"),
        "template" => content.get("name"),
        "reaction" => content.get("emoji"),
        "location" => content.get("name").or_else(|| content.get("address")),
        "contacts" => content.pointer("/0/name/formatted_name"),
        "messenger" => content.pointer("/message/text").or_else(|| content.pointer("/message/attachment/payload/text")),
        _ => None,
    };
    text.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
