//! The progress of a sent message, as Meta reports it in `statuses[]`.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use crate::envelope::StatusHead;
use crate::{
    identity::Identity,
    wire::{self, Object},
};

/// The window of messages in which Meta bills a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Meta's id.
    pub id: String,
    /// What opened it, for example `service` or `marketing`.
    pub origin: Option<String>,
    /// When it ends, in milliseconds.
    pub expires_at: Option<i64>,
}

/// What Meta bills for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pricing {
    /// Whether it is billed.
    pub billable: Option<bool>,
    /// `PMP` (per message) or `CBP` (per conversation).
    pub model: Option<String>,
    /// For example `marketing`, `utility`, `authentication`, `service`.
    pub category: Option<String>,
    /// `regular`, `free_customer_service` or `free_entry_point`.
    pub kind: Option<String>,
}

/// How far a message has come. They arrive in any order and repeatedly; `delivered` may never come before `read`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// Meta has sent it.
    Sent,
    /// It is on the recipient's device.
    Delivered,
    /// The recipient has seen it.
    Read,
    /// The recipient has played it; voice messages only.
    Played,
    /// It will not arrive; see the errors.
    Failed,
    /// The recipient or the business deleted it.
    Deleted,
    /// A status that is not known here.
    Other(String),
}

impl StatusKind {
    /// Meta's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            StatusKind::Sent => "sent",
            StatusKind::Delivered => "delivered",
            StatusKind::Read => "read",
            StatusKind::Played => "played",
            StatusKind::Failed => "failed",
            StatusKind::Deleted => "deleted",
            StatusKind::Other(word) => word,
        }
    }
}

impl From<&str> for StatusKind {
    fn from(word: &str) -> StatusKind {
        match word {
            "sent" => StatusKind::Sent,
            "delivered" => StatusKind::Delivered,
            "read" => StatusKind::Read,
            "played" => StatusKind::Played,
            "failed" => StatusKind::Failed,
            "deleted" => StatusKind::Deleted,
            other => StatusKind::Other(wire::clip(other, 100)),
        }
    }
}

impl fmt::Display for StatusKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads one stored status item. Nothing when the message it is about, or the status, cannot be told.
pub fn parse(raw: &str) -> Option<StatusHead> {
    head(raw).ok()
}

/// Like [`parse`], with the reason.
pub(crate) fn head(raw: &str) -> Result<StatusHead, String> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        status: Option<&'a RawValue>,
        timestamp: Option<&'a RawValue>,
        recipient_id: Option<&'a RawValue>,
        recipient_user_id: Option<&'a RawValue>,
        biz_opaque_callback_data: Option<&'a RawValue>,
        recipient_type: Option<&'a RawValue>,
        recipient_participant_id: Option<&'a RawValue>,
        conversation: Option<&'a RawValue>,
        pricing: Option<&'a RawValue>,
        errors: Option<&'a RawValue>,
    }
    let wire: Wire = wire::object(raw).map_err(|reason| format!("status: {reason}"))?;
    let message_id = wire
        .id
        .and_then(wire::text)
        .filter(|id| !id.is_empty() && id.len() <= wire::MAX_ID)
        .ok_or("the status has no readable message id")?;
    let status = wire
        .status
        .and_then(wire::text)
        .filter(|status| !status.is_empty())
        .ok_or("the status item does not say which status")?;
    let to_group = wire.recipient_type.and_then(wire::text).is_some_and(|kind| kind == "group");
    Ok(StatusHead {
        message_id,
        status: StatusKind::from(status.as_str()),
        timestamp: wire.timestamp.and_then(wire::millis),
        // A group has no person to be; where the id of its participant is told, that one counts.
        recipient: Identity::read(
            if to_group { wire.recipient_participant_id } else { wire.recipient_id },
            wire.recipient_user_id,
        ),
        group_id: wire.recipient_id.filter(|_| to_group).and_then(wire::text).map(|id| wire::clip(&id, wire::MAX_ID)),
        callback_data: wire.biz_opaque_callback_data.and_then(wire::text).filter(|data| data.len() <= wire::MAX_ID * 4),
        conversation: wire.conversation.and_then(conversation),
        pricing: wire.pricing.and_then(pricing),
        errors: wire::errors(wire.errors),
    })
}

fn conversation(raw: &RawValue) -> Option<Conversation> {
    let it = Object::read(raw.get())?;
    Some(Conversation {
        id: it.text("id")?,
        origin: it.object("origin").text("type"),
        expires_at: it.millis("expiration_timestamp"),
    })
}

fn pricing(raw: &RawValue) -> Option<Pricing> {
    let it = Object::read(raw.get())?;
    Some(Pricing {
        billable: it.get("billable").map(|raw| raw.get() == "true"),
        model: it.text("pricing_model"),
        category: it.text("category"),
        kind: it.text("type"),
    })
}
