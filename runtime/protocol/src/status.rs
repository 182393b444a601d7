//! The progress of a sent message, as Meta reports it in `statuses[]`.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use crate::envelope::StatusHead;
use crate::{identity::Identity, wire};

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
    Ok(StatusHead {
        message_id,
        status: StatusKind::from(status.as_str()),
        timestamp: wire.timestamp.and_then(wire::millis),
        recipient: Identity::read(wire.recipient_id, wire.recipient_user_id),
        callback_data: wire.biz_opaque_callback_data.and_then(wire::text).filter(|data| data.len() <= wire::MAX_ID * 4),
        errors: wire::errors(wire.errors),
    })
}
