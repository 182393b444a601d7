//! One inbound message with its full content, for the flow.
//!
//! In: the item of `messages[]` exactly as Meta sent it. Out: a [`Message`]. Nothing fails: what cannot be read is
//! [`Content::Unknown`] with Meta's type, and the raw item is still there for the flow.

mod content;
mod read;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use content::{
    Audio, CallPermissionReply, Choice, ContactCard, ContactPhone, Content, Edit, FormReply, Location, Media, Order,
    OrderItem, Reaction, Revoke, Sticker, SystemNotice, TemplateButton, Text, Unsupported,
};

use crate::wire;

/// A message from the contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Meta's message id (`wamid...`); empty when it cannot be read.
    pub id: String,
    /// When the contact sent it by Meta's clock, in milliseconds; absent when it cannot be read.
    pub timestamp: Option<i64>,
    /// What it contains.
    pub content: Content,
    /// Set when the message answers or forwards another.
    pub reply_to: Option<ReplyTo>,
    /// Set when the contact came through an advertisement or a post.
    pub referral: Option<Referral>,
}

/// The message that this one answers, or that it is a forwarded one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReplyTo {
    /// The message answered; absent for a forwarded message.
    #[serde(default, rename = "id", deserialize_with = "wire::optional")]
    pub message_id: Option<String>,
    /// It was forwarded.
    #[serde(default, deserialize_with = "wire::flag")]
    pub forwarded: bool,
    /// It was forwarded more than five times.
    #[serde(default, deserialize_with = "wire::flag")]
    pub frequently_forwarded: bool,
}

/// The advertisement or post that brought the contact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Referral {
    /// `ad` or `post`.
    #[serde(default, deserialize_with = "wire::optional")]
    pub source_type: Option<String>,
    /// Meta's id of it.
    #[serde(default, deserialize_with = "wire::optional")]
    pub source_id: Option<String>,
    /// Where it is.
    #[serde(default, deserialize_with = "wire::optional")]
    pub source_url: Option<String>,
    /// Its headline.
    #[serde(default, deserialize_with = "wire::optional")]
    pub headline: Option<String>,
    /// Its text.
    #[serde(default, deserialize_with = "wire::optional")]
    pub body: Option<String>,
    /// Click id, for attribution.
    #[serde(default, deserialize_with = "wire::optional")]
    pub ctwa_clid: Option<String>,
}

/// The item with its parts unread. Meta puts the content under the name of its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wire<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    pub from: Option<&'a RawValue>,
    pub from_user_id: Option<&'a RawValue>,
    pub timestamp: Option<&'a RawValue>,
    #[serde(rename = "type")]
    pub kind: Option<&'a RawValue>,
    context: Option<&'a RawValue>,
    referral: Option<&'a RawValue>,
    errors: Option<&'a RawValue>,
    text: Option<&'a RawValue>,
    image: Option<&'a RawValue>,
    video: Option<&'a RawValue>,
    audio: Option<&'a RawValue>,
    document: Option<&'a RawValue>,
    sticker: Option<&'a RawValue>,
    location: Option<&'a RawValue>,
    contacts: Option<&'a RawValue>,
    reaction: Option<&'a RawValue>,
    interactive: Option<&'a RawValue>,
    button: Option<&'a RawValue>,
    order: Option<&'a RawValue>,
    system: Option<&'a RawValue>,
    edit: Option<&'a RawValue>,
    revoke: Option<&'a RawValue>,
}

impl Wire<'_> {
    /// Meta's type; `unknown` when it is not said.
    pub(crate) fn kind(&self) -> String {
        let kind = self.kind.and_then(wire::text).filter(|kind| !kind.is_empty());
        kind.map_or_else(|| "unknown".to_owned(), |kind| wire::clip(&kind, 100))
    }
}

/// Reads one item of `messages[]`.
pub fn parse(raw: &str) -> Message {
    let item: Wire = wire::object(raw).unwrap_or_default();
    Message {
        id: item.id.and_then(wire::text).unwrap_or_default(),
        timestamp: item.timestamp.and_then(wire::millis),
        content: read::content(&item),
        reply_to: item
            .context
            .and_then(wire::parse::<ReplyTo>)
            .filter(|reply| reply.message_id.is_some() || reply.forwarded || reply.frequently_forwarded),
        referral: item.referral.and_then(wire::parse),
    }
}

/// What a list of messages shows of the item.
pub(crate) fn preview(item: &Wire<'_>) -> Option<String> {
    read::preview(&read::content(item))
}
