//! What became of claimed messages, and how it is written down.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::lanes::Lease;
use crate::webhooks::types;

/// What became of a claimed message.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Meta has it.
    Sent {
        /// Meta's id.
        wa_message_id: String,
    },
    /// Meta surely does not have it; try again.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why: JSON text.
        error: String,
    },
    /// Nobody knows; wait for a status, then try again.
    Unknown {
        /// Until when.
        until: DateTime<Utc>,
        /// Why: JSON text.
        error: String,
    },
    /// No request was made, or one that says nothing about the message: it waits for its number.
    Postponed {
        /// Until when.
        at: DateTime<Utc>,
        /// Why, when it is worth a line of the timeline: JSON text.
        error: Option<String>,
    },
    /// Given up.
    Dead {
        /// Why: JSON text.
        error: String,
        /// It was not worth sending any more.
        expired: bool,
        /// A request was made since it was claimed: the attempt counts.
        asked: bool,
    },
}

/// The verdict on one claimed message.
#[derive(Debug)]
pub struct Settlement {
    /// Proves the ownership of the lane.
    pub lease: Lease,
    /// The message.
    pub message_id: Uuid,
    /// Attempts so far.
    pub attempts: i32,
    /// The verdict.
    pub verdict: Verdict,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is written down.
    Written,
    /// The lane was not owned any more: nothing of it is written down, but that Meta has the message.
    Lost,
    /// It gives up a message that Meta is known to have: that is not written down of the message, whose lane goes on.
    Spared,
}

impl Verdict {
    /// The status that the message reaches at the least. `None`: its row says nothing of this.
    pub(super) fn status(&self) -> Option<&'static str> {
        match self {
            Verdict::Sent { .. } => Some("sent"),
            Verdict::Dead { .. } => Some("failed"),
            Verdict::Postponed { error: None, .. } => None,
            Verdict::Retry { .. } | Verdict::Unknown { .. } | Verdict::Postponed { .. } => Some("queued"),
        }
    }

    /// Its state in the outbox, where it stays. `None`: nothing is left to do for it.
    pub(super) fn state(&self) -> Option<&'static str> {
        match self {
            Verdict::Retry { .. } | Verdict::Postponed { .. } => Some("queued"),
            Verdict::Unknown { .. } => Some("unknown"),
            Verdict::Sent { .. } | Verdict::Dead { .. } => None,
        }
    }

    /// Whether this is a step of its message. An acceptance by Meta is one in any case.
    pub fn is_told(&self, settled: Settled) -> bool {
        matches!(self, Verdict::Sent { .. }) || settled == Settled::Written && self.status().is_some()
    }

    /// Attempts that were none.
    pub(super) fn uncounted(&self) -> i32 {
        i32::from(matches!(self, Verdict::Postponed { .. } | Verdict::Dead { asked: false, .. }))
    }

    /// When to go on with the message.
    pub(super) fn again(&self) -> Option<DateTime<Utc>> {
        match self {
            Verdict::Retry { at, .. } | Verdict::Postponed { at, .. } => Some(*at),
            Verdict::Unknown { until, .. } => Some(*until),
            Verdict::Sent { .. } | Verdict::Dead { .. } => None,
        }
    }

    /// The word in the timeline. An acceptance is a column of the message.
    pub fn step(&self) -> &'static str {
        match self {
            Verdict::Sent { .. } => "accepted",
            Verdict::Dead { .. } => "failed",
            Verdict::Retry { .. } => "retry",
            Verdict::Unknown { .. } => "unknown",
            Verdict::Postponed { .. } => "postponed",
        }
    }

    /// The type of the notice that tells of it.
    pub(super) fn told_as(&self) -> Option<&'static str> {
        match self {
            Verdict::Sent { .. } => Some(types::MESSAGE_SENT),
            Verdict::Dead { expired: true, .. } => Some(types::MESSAGE_EXPIRED),
            Verdict::Dead { .. } => Some(types::MESSAGE_DEAD),
            Verdict::Retry { .. } | Verdict::Unknown { .. } | Verdict::Postponed { .. } => None,
        }
    }

    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Verdict::Sent { .. } => None,
            Verdict::Postponed { error, .. } => error.as_deref(),
            Verdict::Retry { error, .. } | Verdict::Unknown { error, .. } | Verdict::Dead { error, .. } => Some(error),
        }
    }

    pub(super) fn wa_message_id(&self) -> Option<&str> {
        match self {
            Verdict::Sent { wa_message_id } => Some(wa_message_id),
            _ => None,
        }
    }
}
