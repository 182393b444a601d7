//! One event of Messenger or Instagram: an item of `entry[].messaging[]` or `standby[]`.
//!
//! In: the raw item, as [`crate::envelope`] gives it. Out: an [`Event`], or nothing when it does not say whom it is
//! about. Source: Meta's webhook reference of the Messenger Platform; Instagram uses the same shapes.

use serde_json::value::RawValue;

use crate::wire::{self, Object};

/// What happened between a person and a page or Instagram account.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The person wrote.
    Message(Message),
    /// The page or account wrote.
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
        /// What the button shows.
        title: Option<String>,
        /// What its maker gave it.
        payload: Option<String>,
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
    Referral {
        /// What the link carries.
        reference: Option<String>,
        /// `ADS`, `SHORTLINK`, ...
        source: Option<String>,
    },
    /// Something else: the name of its member, for example `optin` or `pass_thread_control`.
    Other(String),
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Meta's id.
    pub id: String,
    /// Its text.
    pub text: Option<String>,
    /// The payload of the quick reply that was tapped.
    pub quick_reply: Option<String>,
    /// Meta's id of the message that it answers.
    pub reply_to: Option<String>,
    /// What is attached.
    pub attachments: Vec<Attachment>,
}

/// A file, place or shared post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// For example `image`, `video`, `audio`, `file`, `location`, `story_mention`, `share`.
    pub kind: String,
    /// Where it is; valid for some time.
    pub url: Option<String>,
}

/// Reads one item.
pub fn parse(raw: &str) -> Option<Event> {
    let it = Object::read(raw)?;
    let echo = it.object("message").get("is_echo").is_some_and(|raw| raw.get() == "true");
    let (person, home) = if echo { ("recipient", "sender") } else { ("sender", "recipient") };
    let id = |name: &str| it.object(name).text("id").or_else(|| it.object(name).text("user_ref"));
    // Who opts in on a website is not known yet: only a reference of theirs is.
    let person = id(person).or_else(|| it.object("optin").text("user_ref"))?;
    Some(Event { person, home: id(home), timestamp: millis(&it, "timestamp"), kind: kind(&it, echo) })
}

/// These platforms give milliseconds where WhatsApp gives seconds.
fn millis(it: &Object<'_>, name: &str) -> Option<i64> {
    it.integer(name).filter(|time| (0..=wire::MAX_SECONDS * 1000).contains(time))
}

type Reader = fn(&Object<'_>) -> Option<Kind>;

/// Members that say what happened, by their reader; the first that can be read counts.
fn kind(it: &Object<'_>, echo: bool) -> Kind {
    let read: [(&str, Reader); 7] = [
        ("message", message),
        ("message_edit", |it| Some(Kind::Edited { id: it.text("mid")?, text: it.text("text") })),
        ("postback", |it| Some(Kind::Postback { title: it.text("title"), payload: it.text("payload") })),
        ("delivery", |it| {
            let ids = it.list("mids").into_iter().filter_map(wire::text).collect();
            Some(Kind::Delivery { ids, watermark: millis(it, "watermark") })
        }),
        ("read", |it| Some(Kind::Read { id: it.text("mid"), watermark: millis(it, "watermark") })),
        ("reaction", |it| {
            let taken_back = it.text("action").as_deref() == Some("unreact");
            let emoji = it.text("emoji").or_else(|| it.text("reaction")).filter(|_| !taken_back);
            Some(Kind::Reaction { id: it.text("mid")?, emoji })
        }),
        ("referral", |it| Some(Kind::Referral { reference: it.text("ref"), source: it.text("source") })),
    ];
    let found = read.iter().find_map(|(name, read)| read(&Object::read(it.get(name)?.get())?));
    match found {
        Some(Kind::Message(message)) if echo => Kind::Echo(message),
        Some(kind) => kind,
        None => Kind::Other(other(it)),
    }
}

fn message(it: &Object<'_>) -> Option<Kind> {
    let id = it.text("mid")?;
    if it.get("is_deleted").is_some_and(|raw| raw.get() == "true") {
        return Some(Kind::Deleted { id });
    }
    let attachment = |raw: &RawValue| {
        let it = Object::read(raw.get())?;
        Some(Attachment { kind: it.text("type")?, url: it.object("payload").text("url") })
    };
    Some(Kind::Message(Message {
        id,
        text: it.text("text"),
        quick_reply: it.object("quick_reply").text("payload"),
        reply_to: it.object("reply_to").text("mid"),
        attachments: it.list("attachments").into_iter().filter_map(attachment).collect(),
    }))
}

fn other(it: &Object<'_>) -> String {
    let names = it.names().filter(|name| !matches!(*name, "sender" | "recipient" | "timestamp"));
    names.min().map_or_else(|| "unknown".to_owned(), |name| wire::without_nul(wire::clip(name, 100)))
}
