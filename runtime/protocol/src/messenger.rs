//! Messenger and Instagram: one event (an item of `entry[].messaging[]` or `standby[]`), and what is sent there.
//!
//! In: the raw item, as [`crate::envelope`] gives it. Out: an [`Event`], or nothing when it does not say whom it is
//! about; [`inbound`] makes of it what a flow is given. Source: Meta's webhook reference of the Messenger Platform;
//! Instagram uses the same shapes. What goes out is in [`send`], what Meta answers to it in [`answer`].

mod answer;
mod inbound;
mod parts;
pub mod send;

use crate::wire::{self, Object};

pub use answer::{Sent, answer};
pub use inbound::{Inbound, inbound, status_item};
pub use parts::{Attachment, Message, Referral, Story};

/// Longest id of a person or a page that is accepted, in bytes; Meta's have up to 20 digits.
const MAX_PERSON: usize = 100;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// A Facebook page.
    Messenger,
    /// An Instagram professional account.
    Instagram,
}

impl Platform {
    /// The platform of a kind of channel; none for `whatsapp`.
    pub fn of(kind: &str) -> Option<Platform> {
        match kind {
            "messenger" => Some(Platform::Messenger),
            "instagram" => Some(Platform::Instagram),
            _ => None,
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Platform::Messenger => "Messenger",
            Platform::Instagram => "Instagram",
        }
    }
}

/// What happened between a person and a page or Instagram account.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The person: an id that is theirs with this page only.
    pub person: String,
    /// The page or Instagram account.
    pub home: Option<String>,
    /// When, in milliseconds.
    pub timestamp: Option<i64>,
    /// What.
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// The person wrote.
    Message(Message),
    /// The page or account wrote, by whatever application.
    Echo(Message),
    /// The person deleted a message.
    Deleted {
        /// Meta's id of it.
        id: String,
    },
    /// The person edited a message.
    Edited {
        /// Meta's id of it.
        id: String,
        /// As it is now.
        text: Option<String>,
    },
    /// A tap on a button.
    Postback {
        /// Meta's id of the tap; absent before v12.
        id: Option<String>,
        /// What the button shows.
        title: Option<String>,
        /// What its maker gave it.
        payload: Option<String>,
        /// How the person came, when the tap began the conversation.
        referral: Option<Referral>,
    },
    /// Messages came to the person's device.
    Delivery {
        /// Meta's ids of them; may be empty.
        ids: Vec<String>,
        /// All messages until then, in milliseconds.
        watermark: Option<i64>,
    },
    /// The person has read.
    Read {
        /// Meta's id of the message (Instagram).
        id: Option<String>,
        /// All messages until then, in milliseconds (Messenger).
        watermark: Option<i64>,
    },
    /// A reaction, or one that was taken back.
    Reaction {
        /// Meta's id of the message.
        id: String,
        /// Absent when it was taken back.
        emoji: Option<String>,
    },
    /// The person came by a link, an advertisement or a plugin.
    Referral(Referral),
    /// Something else: the name of its member, for example `optin` or `pass_thread_control`.
    Other(String),
}

/// Reads one item.
pub fn parse(raw: &str) -> Option<Event> {
    let it = Object::read(raw)?;
    let echo = is_true(&it.object("message"), "is_echo");
    let (person, home) = if echo { ("recipient", "sender") } else { ("sender", "recipient") };
    let id = |name: &str| it.object(name).text("id").or_else(|| it.object(name).text("user_ref"));
    // Who opts in on a website is not known yet: only a reference of theirs is.
    let person = id(person).or_else(|| it.object("optin").text("user_ref"))?;
    // A cut id could be another person's.
    let person = Some(person).filter(|id| id.len() <= MAX_PERSON && !id.contains('/'))?;
    Some(Event { person, home: id(home), timestamp: millis(&it, "timestamp"), kind: kind(&it, echo) })
}

fn is_true(it: &Object<'_>, name: &str) -> bool {
    it.get(name).is_some_and(|raw| raw.get() == "true")
}

/// These platforms give milliseconds where WhatsApp gives seconds.
fn millis(it: &Object<'_>, name: &str) -> Option<i64> {
    it.integer(name).filter(|time| (0..=wire::MAX_SECONDS * 1000).contains(time))
}

/// Meta's id of a message.
fn mid(it: &Object<'_>) -> Option<String> {
    it.text("mid").filter(|id| id.len() <= wire::MAX_ID)
}

type Reader = fn(&Object<'_>) -> Option<Kind>;

/// Members that say what happened, by their reader; the first that can be read counts.
fn kind(it: &Object<'_>, echo: bool) -> Kind {
    let read: [(&str, Reader); 7] = [
        ("message", message),
        ("message_edit", |it| Some(Kind::Edited { id: mid(it)?, text: it.text("text") })),
        ("postback", |it| {
            let (title, payload) = (it.text("title"), it.text("payload"));
            Some(Kind::Postback { id: mid(it), title, payload, referral: parts::referral(it) })
        }),
        ("delivery", |it| {
            let ids = it.list("mids").into_iter().filter_map(wire::text).filter(|id| id.len() <= wire::MAX_ID);
            Some(Kind::Delivery { ids: ids.collect(), watermark: millis(it, "watermark") })
        }),
        ("read", |it| Some(Kind::Read { id: mid(it), watermark: millis(it, "watermark") })),
        ("reaction", |it| {
            let taken_back = it.text("action").as_deref() == Some("unreact");
            let emoji = it.text("emoji").or_else(|| it.text("reaction")).filter(|_| !taken_back);
            Some(Kind::Reaction { id: mid(it)?, emoji })
        }),
        ("referral", |it| Some(Kind::Referral(Referral::read(it)))),
    ];
    let found = read.iter().find_map(|(name, read)| read(&Object::read(it.get(name)?.get())?));
    match found {
        Some(Kind::Message(message)) if echo => Kind::Echo(message),
        Some(kind) => kind,
        None => Kind::Other(other(it)),
    }
}

fn message(it: &Object<'_>) -> Option<Kind> {
    let id = mid(it)?;
    if is_true(it, "is_deleted") {
        return Some(Kind::Deleted { id });
    }
    Some(Kind::Message(Message::read(id, it)))
}

fn other(it: &Object<'_>) -> String {
    let names = it.names().filter(|name| !matches!(*name, "sender" | "recipient" | "timestamp"));
    names.min().map_or_else(|| "unknown".to_owned(), |name| wire::without_nul(wire::clip(name, 100)))
}
