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

use crate::wire::{self, PlatformError};

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
    /// The group that it was sent to, by Meta's id; absent between two.
    pub group_id: Option<String>,
    /// What Meta says is wrong with the message.
    pub errors: Vec<PlatformError>,
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
    /// Who sent the message answered: a WhatsApp id, or the business's number.
    #[serde(default, deserialize_with = "wire::optional")]
    pub from: Option<String>,
    /// The product that the contact asks about.
    #[serde(default, rename = "referred_product", deserialize_with = "wire::lenient")]
    pub product: Option<Product>,
}

/// A product of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Meta's id of the catalogue.
    #[serde(deserialize_with = "wire::required")]
    pub catalog_id: String,
    /// The business's id of the product.
    #[serde(deserialize_with = "wire::required")]
    pub product_retailer_id: String,
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
    /// `image` or `video`.
    #[serde(default, deserialize_with = "wire::optional")]
    pub media_type: Option<String>,
    /// Where its picture is.
    #[serde(default, deserialize_with = "wire::optional")]
    pub image_url: Option<String>,
    /// Where its video is.
    #[serde(default, deserialize_with = "wire::optional")]
    pub video_url: Option<String>,
    /// Where the picture that stands for the video is.
    #[serde(default, deserialize_with = "wire::optional")]
    pub thumbnail_url: Option<String>,
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
    group_id: Option<&'a RawValue>,
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

    pub(crate) fn group_id(&self) -> Option<String> {
        self.group_id.and_then(wire::text).filter(|id| !id.is_empty() && id.len() <= wire::MAX_ID)
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
            .filter(|it| it.message_id.is_some() || it.forwarded || it.frequently_forwarded || it.product.is_some()),
        referral: item.referral.and_then(wire::parse),
        group_id: item.group_id(),
        errors: wire::errors(item.errors),
    }
}

/// What a list of messages shows of a content.
pub(crate) fn preview_of(content: &Content) -> Option<String> {
    read::preview(content)
}

/// What a list of messages shows of the item.
pub(crate) fn preview(item: &Wire<'_>) -> Option<String> {
    read::preview(&read::content(item))
}
