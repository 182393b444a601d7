//! What is kept in the journal.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use uuid::Uuid;

use super::{Echo, Watermark};
use crate::channel_facts::Fact;
use crate::consent::Wish;
use crate::contacts::{Party, Profile};
use crate::identity::Renamed;
use crate::media::InboundFile;
use crate::unrouted::Unrouted;
use crate::webhooks::notices::Notices;
use crate::webhooks::types;

/// An item to keep.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each is alone in an Arc, and messages are the most of them")]
pub enum Arrival {
    /// A contact wrote.
    Message(Inbound),
    /// A sent message made progress.
    Status(Progress),
    /// A contact's preference, or something about a channel.
    Notice(Notice),
    /// Messages of Messenger or Instagram made progress.
    Watermark(Watermark),
    /// A page or Instagram account wrote, or the business in the WhatsApp Business app.
    Echo(Box<Echo>),
    /// Anything else that belongs to a channel.
    Other(Item),
    /// What belongs to nobody.
    Unrouted(Arc<Unrouted>),
}

/// What every item of a channel has.
#[derive(Debug, Clone)]
pub struct Item {
    /// Whose.
    pub tenant_id: Uuid,
    /// Which number's.
    pub channel_id: Uuid,
    /// `message`, `status`, or the webhook's field.
    pub kind: String,
    /// Unique per channel and kind.
    pub external_id: String,
    /// The item as it came: JSON text.
    pub raw: String,
    /// What could not be read in it.
    pub note: Option<String>,
    /// Meta's time, or the time of receipt.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The trace that it came with.
    pub trace: Option<TraceContext>,
}

/// An inbound message; `item.external_id` is Meta's message id.
#[derive(Debug)]
pub struct Inbound {
    /// The item.
    pub item: Item,
    /// Who wrote.
    pub party: Party,
    /// As told with the message.
    pub profile: Profile,
    /// Meta's type.
    pub kind: String,
    /// What people read in a list.
    pub body: Option<String>,
    /// The group that it was written into, by Meta's id.
    pub group_id: Option<String>,
    /// The file that it carries, to be fetched.
    pub file: Option<InboundFile>,
    /// It is a word by which people opt out of marketing or come back.
    pub wish: Option<Wish>,
    /// It is a system message that tells of new ids.
    pub renamed: Option<Renamed>,
    /// Its lane waits so long for more, when it is opened by it.
    pub debounce_seconds: i16,
}

/// An item that tells something which is kept beside the journal.
#[derive(Debug)]
pub struct Notice {
    /// The item.
    pub item: Item,
    /// What it tells.
    pub what: What,
}

/// What a notice tells.
#[derive(Debug)]
pub enum What {
    /// A person's preference about marketing, and Meta's words for it.
    Preference(Party, Wish, Option<String>),
    /// Of the number, or its account.
    Fact(Fact),
}

/// A status of an outbound message.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The item.
    pub item: Item,
    /// Meta's message id.
    pub wa_message_id: String,
    /// Our id, when it came back.
    pub message_id: Option<Uuid>,
    /// `sent`, `delivered`, `read`, `played`, `failed`, `deleted` or a later word.
    pub status: String,
    /// The errors of a failed one: JSON text.
    pub error: Option<String>,
    /// Whether the flow wants to see it.
    pub for_flow: bool,
}

impl Item {
    /// Meta's clock may be ahead of ours; what has come was said before.
    pub(super) fn said_at(&self) -> DateTime<Utc> {
        self.occurred_at.min(self.received_at)
    }
}

impl Inbound {
    /// An opt-out is for nobody to answer but us: the flow does not see it.
    pub(super) fn is_for_flow(&self) -> bool {
        self.wish != Some(Wish::OptOut)
    }

    /// It is an event and a message, and nothing else follows from it.
    fn is_plain(&self) -> bool {
        self.file.is_none() && self.wish.is_none() && self.renamed.is_none() && self.debounce_seconds == 0
    }

    /// The contact did not write to us alone: Meta tells it of the contact, or it stands in a group. It opens no window.
    pub(super) fn is_aside(&self) -> bool {
        self.kind == "system" || self.group_id.is_some()
    }
}

impl Arrival {
    pub(super) fn message(&self) -> Option<&Inbound> {
        match self {
            Arrival::Message(inbound) => Some(inbound),
            _ => None,
        }
    }

    pub(super) fn status(&self, place: usize) -> Option<(usize, &Progress)> {
        match self {
            Arrival::Status(progress) => Some((place, progress)),
            _ => None,
        }
    }

    pub(super) fn echo(&self) -> Option<&Echo> {
        match self {
            Arrival::Echo(echo) => Some(echo),
            _ => None,
        }
    }

    /// What an item of a channel has; nothing for one that belongs to nobody.
    pub fn item(&self) -> Option<&Item> {
        match self {
            Arrival::Message(inbound) => Some(&inbound.item),
            Arrival::Status(progress) => Some(&progress.item),
            Arrival::Notice(notice) => Some(&notice.item),
            Arrival::Watermark(watermark) => Some(&watermark.item),
            Arrival::Echo(echo) => Some(&echo.item),
            Arrival::Other(item) => Some(item),
            Arrival::Unrouted(_) => None,
        }
    }

    /// Whose it is.
    pub fn tenant_id(&self) -> Option<Uuid> {
        self.item().map(|item| item.tenant_id)
    }

    /// Whether it may become work for the flow stage.
    pub fn is_for_flow(&self) -> bool {
        match self {
            Arrival::Message(message) => message.is_for_flow(),
            Arrival::Status(progress) => progress.for_flow,
            Arrival::Notice(_)
            | Arrival::Watermark(_)
            | Arrival::Echo(_)
            | Arrival::Other(_)
            | Arrival::Unrouted(_) => false,
        }
    }

    /// A status that is nothing to the flow.
    pub fn is_mere_status(&self) -> bool {
        matches!(self, Arrival::Status(progress) if !progress.for_flow)
    }

    /// One statement keeps it and all that follows from it: a message that is for the flow alone, or a status that neither
    /// the flow nor anybody else is told of.
    pub(super) fn stands_alone(&self, notices: &Notices) -> bool {
        match self {
            Arrival::Message(message) => {
                message.is_plain() && !notices.want(message.item.tenant_id, types::MESSAGE_RECEIVED)
            }
            Arrival::Status(status) => {
                let told = [Some(types::MESSAGE_SENT), types::of_status(&status.status)];
                let is_told = |kind| notices.want(status.item.tenant_id, kind);
                self.is_mere_status() && !told.into_iter().flatten().any(is_told)
            }
            _ => false,
        }
    }

    /// Whose preference it is.
    pub(super) fn preference(&self) -> Option<&Party> {
        match self {
            Arrival::Notice(Notice { what: What::Preference(party, ..), .. }) => Some(party),
            _ => None,
        }
    }

    /// Whom it is from, or about.
    pub(super) fn party(&self) -> Option<&Party> {
        let (message, echo) = (self.message().map(|message| &message.party), self.echo().map(|echo| &echo.party));
        message.or(echo).or(self.preference())
    }

    /// Whether its lane may belong to this process from birth: it does not wait for more.
    pub fn is_for_flow_at_once(&self) -> bool {
        let waits = self.message().is_some_and(|message| message.debounce_seconds > 0);
        self.is_for_flow() && !waits
    }

    pub(super) fn unrouted(&self) -> Option<&Arc<Unrouted>> {
        match self {
            Arrival::Unrouted(unrouted) => Some(unrouted),
            _ => None,
        }
    }
}
