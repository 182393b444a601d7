//! What an inbound message contains, one type per kind of `messages[].type`. Field names are Meta's.

use serde::Deserialize;

use crate::wire::{self, PlatformError};

/// What a message contains.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // The types say it.
pub enum Content {
    Text(Text),
    Image(Media),
    Video(Media),
    Audio(Audio),
    Document(Media),
    Sticker(Sticker),
    Location(Location),
    Contacts(Vec<ContactCard>),
    Reaction(Reaction),
    ButtonReply(Choice),
    ListReply(Choice),
    FormReply(FormReply),
    CallPermissionReply(CallPermissionReply),
    TemplateButton(TemplateButton),
    Order(Order),
    System(SystemNotice),
    Edit(Edit),
    Revoke(Revoke),
    Unsupported(Unsupported),
    /// A kind that is not known here, or one that cannot be read: Meta's type.
    Unknown(String),
}

impl Content {
    /// Meta's type.
    pub fn kind(&self) -> &str {
        match self {
            Content::Text(_) => "text",
            Content::Image(_) => "image",
            Content::Video(_) => "video",
            Content::Audio(_) => "audio",
            Content::Document(_) => "document",
            Content::Sticker(_) => "sticker",
            Content::Location(_) => "location",
            Content::Contacts(_) => "contacts",
            Content::Reaction(_) => "reaction",
            Content::ButtonReply(_)
            | Content::ListReply(_)
            | Content::FormReply(_)
            | Content::CallPermissionReply(_) => "interactive",
            Content::TemplateButton(_) => "button",
            Content::Order(_) => "order",
            Content::System(_) => "system",
            Content::Edit(_) => "edit",
            Content::Revoke(_) => "revoke",
            Content::Unsupported(_) => "unsupported",
            Content::Unknown(kind) => kind,
        }
    }
}

/// Text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Text {
    /// At most 4096 characters from WhatsApp.
    #[serde(deserialize_with = "wire::required")]
    pub body: String,
}

/// A file at Meta. Its id can be downloaded for 7 days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct Media {
    #[serde(deserialize_with = "wire::required")]
    pub id: String,
    #[serde(default, deserialize_with = "wire::optional")]
    pub mime_type: Option<String>,
    /// Digest of the file, as Meta gave it.
    #[serde(default, deserialize_with = "wire::optional")]
    pub sha256: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    pub caption: Option<String>,
    /// Documents only.
    #[serde(default, deserialize_with = "wire::optional")]
    pub filename: Option<String>,
}

/// A sound.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct Audio {
    #[serde(deserialize_with = "wire::required")]
    pub id: String,
    #[serde(default, deserialize_with = "wire::optional")]
    pub mime_type: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    pub sha256: Option<String>,
    /// True for a voice message, false for an audio file.
    #[serde(default, deserialize_with = "wire::flag")]
    pub voice: bool,
}

/// A sticker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct Sticker {
    #[serde(deserialize_with = "wire::required")]
    pub id: String,
    #[serde(default, deserialize_with = "wire::optional")]
    pub mime_type: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    pub sha256: Option<String>,
    #[serde(default, deserialize_with = "wire::flag")]
    pub animated: bool,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs)]
pub struct Location {
    /// Degrees.
    #[serde(deserialize_with = "wire::number")]
    pub latitude: f64,
    /// Degrees.
    #[serde(deserialize_with = "wire::number")]
    pub longitude: f64,
    #[serde(default, deserialize_with = "wire::optional")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    pub address: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    pub url: Option<String>,
}

/// One shared contact card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// Empty when the card has no name.
    pub formatted_name: String,
    /// Phone numbers as written on the card.
    pub phones: Vec<ContactPhone>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// The card as Meta sent it: JSON text.
    pub raw: String,
}

/// A number on a contact card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ContactPhone {
    /// As written.
    #[serde(deserialize_with = "wire::required")]
    pub phone: String,
    /// Where the number is on WhatsApp.
    #[serde(default, deserialize_with = "wire::optional")]
    pub wa_id: Option<String>,
}

/// A reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reaction {
    /// The message reacted to.
    #[serde(deserialize_with = "wire::required")]
    pub message_id: String,
    /// Absent when a reaction was taken back.
    #[serde(default, deserialize_with = "wire::optional")]
    pub emoji: Option<String>,
}

/// A tap on a reply button, or a choice from a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct Choice {
    /// The id that the sender gave the button or row.
    #[serde(deserialize_with = "wire::required")]
    pub id: String,
    #[serde(deserialize_with = "wire::required")]
    pub title: String,
    /// Rows of lists only.
    #[serde(default, deserialize_with = "wire::optional")]
    pub description: Option<String>,
}

/// A completed WhatsApp Flow (`nfm_reply`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct FormReply {
    #[serde(default, deserialize_with = "wire::optional")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    pub body: Option<String>,
    /// The answers: JSON text.
    #[serde(deserialize_with = "wire::json")]
    pub response_json: String,
}

/// An answer to a request for permission to call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CallPermissionReply {
    /// `accept` or `reject`.
    #[serde(deserialize_with = "wire::required")]
    pub response: String,
    /// When a permission that was given ends, in milliseconds; absent when it does not.
    #[serde(default, rename = "expiration_timestamp", deserialize_with = "wire::optional_millis")]
    pub expires_at: Option<i64>,
}

/// A tap on a quick-reply button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct TemplateButton {
    #[serde(deserialize_with = "wire::required")]
    pub text: String,
    #[serde(default, deserialize_with = "wire::optional")]
    pub payload: Option<String>,
}

/// An order from a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct Order {
    #[serde(deserialize_with = "wire::required")]
    pub catalog_id: String,
    #[serde(default, deserialize_with = "wire::optional")]
    pub text: Option<String>,
    #[serde(default, rename = "product_items")]
    pub items: Vec<OrderItem>,
}

/// One position of an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct OrderItem {
    #[serde(deserialize_with = "wire::required")]
    pub product_retailer_id: String,
    #[serde(deserialize_with = "wire::number")]
    pub quantity: u32,
    /// Price of one in the currency's usual unit, as Meta gave it: a decimal number as text.
    #[serde(deserialize_with = "wire::required")]
    pub item_price: String,
    /// ISO 4217.
    #[serde(deserialize_with = "wire::required")]
    pub currency: String,
}

/// Something about the contact changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct SystemNotice {
    /// Meta's kind, for example `user_changed_number`.
    #[serde(rename = "type", deserialize_with = "wire::required")]
    pub kind: String,
    #[serde(default, deserialize_with = "wire::optional")]
    pub body: Option<String>,
    /// The new WhatsApp id, when the number changed (`new_wa_id` before v12).
    #[serde(default, alias = "new_wa_id", deserialize_with = "wire::optional")]
    pub wa_id: Option<String>,
    /// The new business-scoped user id, when it changed.
    #[serde(default, deserialize_with = "wire::optional")]
    pub user_id: Option<String>,
    /// The business-scoped user id until now; the number until now is the sender of the notice.
    #[serde(default, deserialize_with = "wire::optional")]
    pub previous_user_id: Option<String>,
    /// The new user id within the whole business portfolio, for businesses that use it.
    #[serde(default, deserialize_with = "wire::optional")]
    pub parent_user_id: Option<String>,
    /// The same until now.
    #[serde(default, deserialize_with = "wire::optional")]
    pub previous_parent_user_id: Option<String>,
}

/// The contact edited an earlier message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The message that was edited.
    pub message_id: String,
    /// The new text or caption.
    pub body: Option<String>,
}

/// The contact deleted an earlier message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Revoke {
    /// The message that was deleted.
    #[serde(rename = "original_message_id", deserialize_with = "wire::required")]
    pub message_id: String,
}

/// Meta says that it cannot deliver this kind of message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Why.
    pub errors: Vec<PlatformError>,
}
