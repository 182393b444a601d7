//! A webhook POST, taken apart into items that are judged each by itself.
//!
//! In: the raw body, whose signature was checked. Out: one [`Item`] for each message, status, error or account event,
//! with the number or account it belongs to, in the order of the body. Only a body that is no envelope fails as a
//! whole; anything wrong inside costs that item alone.
//!
//! Source of the format: Meta's webhook reference for the WhatsApp Business Platform; Messenger and Instagram use the
//! same frame with `messaging` in place of `changes`.

mod items;
mod walk;

use crate::status::{Conversation, Pricing};
pub use crate::{
    PlatformError, StatusKind,
    identity::{Identity, Profile},
};

/// Why a body as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON in UTF-8; the text says where.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but not a webhook of Meta.
    #[error("the body is not a webhook of Meta: {0}; expected {{\"object\": …, \"entry\": [{{\"changes\": […]}}]}}")]
    NotAnEnvelope(String),
    /// No entry holds any change.
    #[error("the webhook holds no entry with changes; nothing to do")]
    Empty,
    /// More than [`MOST_ITEMS`].
    #[error("the webhook holds more than {MOST_ITEMS} items; Meta's hold 1,000 at the most")]
    TooMany,
}

/// Items of one body at the most: ten times what Meta puts together.
pub const MOST_ITEMS: usize = 10_000;

/// One message, status or other event of a POST.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Whose it is.
    pub route: Route,
    /// The change's `field`, for example `messages`; `messaging` or `standby` for Messenger and Instagram.
    pub field: String,
    /// What it is.
    pub kind: ItemKind,
    /// `entry.time`, when Meta made the webhook, in milliseconds; absent when it does not say so in seconds.
    pub time: Option<i64>,
    /// JSON text of the item exactly as in the body: an element of the list that the change holds, for example of
    /// `messages`, `user_preferences` or `groups`, or the change's whole value when it has no such list.
    pub raw: String,
}

/// Whose an item is. Always the item's own: neighbours in the same POST may belong to other tenants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route {
    /// `metadata.phone_number_id`.
    PhoneNumber(String),
    /// `entry.id`, for changes without metadata: the WhatsApp Business account.
    Account(String),
    /// `entry.id` of `object: page`: a Facebook page, the home of Messenger.
    Page(String),
    /// `entry.id` of `object: instagram`: an Instagram account.
    Instagram(String),
    /// It does not say.
    None,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// A message from a user.
    Message(InboundHead),
    /// Progress of a message that was sent.
    Status(StatusHead),
    /// Anything else: [`crate::field::parse`] and [`crate::messenger::parse`] read it.
    Other {
        /// `error` for an item of `value.errors`, `messaging` or `standby` for Messenger and Instagram, else the
        /// change's field.
        kind: String,
    },
    /// A message or status that cannot be identified.
    Invalid {
        /// Why.
        reason: String,
    },
}

/// What must be known of a message to store and route it; the content stays in [`Item::raw`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundHead {
    /// Meta's message id, unique per number, at most 512 bytes.
    pub id: String,
    /// Who sent it; never empty.
    pub sender: Identity,
    /// What the sender shows of themselves.
    pub profile: Profile,
    /// When, by Meta's clock, in milliseconds; absent when it cannot be read.
    pub timestamp: Option<i64>,
    /// Meta's type, for example `text`; `unknown` when there is none.
    pub kind: String,
    /// What a list of messages shows: text, caption, title of a button; at most 4096 characters.
    pub preview: Option<String>,
    /// What was wrong with the item without making it useless.
    pub note: Option<String>,
    /// The group that it was sent to, by Meta's id.
    pub group_id: Option<String>,
    /// The business's number as people write it.
    pub display_phone_number: Option<String>,
}

/// Progress of a sent message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusHead {
    /// Meta's id of the sent message.
    pub message_id: String,
    /// How far it has come.
    pub status: StatusKind,
    /// When, by Meta's clock, in milliseconds; absent when it cannot be read.
    pub timestamp: Option<i64>,
    /// To whom it went; may be empty.
    pub recipient: Identity,
    /// The group that it went to, by Meta's id.
    pub group_id: Option<String>,
    /// `biz_opaque_callback_data`: what the sender attached to the message.
    pub callback_data: Option<String>,
    /// The window in which it is billed.
    pub conversation: Option<Conversation>,
    /// What it costs.
    pub pricing: Option<Pricing>,
    /// Why it failed.
    pub errors: Vec<PlatformError>,
}

/// Takes a webhook body apart.
pub fn parse(body: &[u8]) -> Result<Vec<Item>, Error> {
    let text = std::str::from_utf8(body).map_err(|error| Error::NotJson(format!("not UTF-8: {error}")))?;
    let items = walk::envelope(text)?;
    if items.is_empty() { Err(Error::Empty) } else { Ok(items) }
}
