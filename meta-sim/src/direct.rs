//! Messenger and Instagram: what people do, as Meta would put it into a webhook, and who has written to whom: only to those
//! may a page write.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::state::{now_ms, unique};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Webhooks of `object: page`.
    Messenger,
    /// Webhooks of `object: instagram`.
    Instagram,
}

impl Platform {
    pub(crate) fn object(self) -> &'static str {
        match self {
            Platform::Messenger => "page",
            Platform::Instagram => "instagram",
        }
    }
}

/// What a person did. Made by a constructor and changed by the methods that return it.
#[derive(Debug, Clone, PartialEq)]
pub struct Direct {
    /// Where.
    pub platform: Platform,
    /// The page or Instagram account (`entry.id`).
    pub home: String,
    /// The person, by the id that is theirs there.
    pub person: String,
    /// Milliseconds since 1970; now, unless set.
    pub timestamp: u64,
    /// What: the members of the event beside sender, recipient and timestamp.
    pub event: Value,
}

impl Direct {
    /// Any event, for example `{"postback": {"title": "Yes", "payload": "YES"}}`.
    pub fn new(platform: Platform, home: &str, person: &str, event: Value) -> Direct {
        Direct { platform, home: home.to_owned(), person: person.to_owned(), timestamp: now_ms(), event }
    }

    /// A text, with a message id of its own.
    pub fn text(platform: Platform, home: &str, person: &str, body: &str) -> Direct {
        static RUN: OnceLock<String> = OnceLock::new();
        static COUNTER: AtomicU64 = AtomicU64::new(1);
        let mid = format!("m_IN{}.{}", RUN.get_or_init(unique), COUNTER.fetch_add(1, Ordering::Relaxed));
        Direct::new(platform, home, person, json!({ "message": { "mid": mid, "text": body } }))
    }

    /// Meta's id of the message, when it is one.
    pub fn id(&self) -> Option<&str> {
        self.event["message"]["mid"].as_str()
    }

    fn item(&self) -> Value {
        item((&self.person, &self.home), self.timestamp, self.event.clone())
    }
}

fn item((sender, recipient): (&str, &str), timestamp: u64, event: Value) -> Value {
    let mut item = json!({ "sender": { "id": sender }, "recipient": { "id": recipient }, "timestamp": timestamp });
    for (name, value) in event.as_object().into_iter().flatten() {
        item[name] = value.clone();
    }
    item
}

/// One body for events of one platform: an entry per page or account, in it the items in their order.
pub(crate) fn body(platform: Platform, items: Vec<(String, Value)>) -> Vec<u8> {
    let mut entries: Vec<(String, Vec<Value>)> = Vec::new();
    for (home, item) in items {
        match entries.iter_mut().find(|(known, _)| *known == home) {
            Some((_, items)) => items.push(item),
            None => entries.push((home, vec![item])),
        }
    }
    let entry = |(home, items): (String, Vec<Value>)| json!({ "id": home, "time": now_ms(), "messaging": items });
    let entries: Vec<Value> = entries.into_iter().map(entry).collect();
    json!({ "object": platform.object(), "entry": entries }).to_string().into_bytes()
}

/// The body of events that are all of one platform.
pub(crate) fn body_of(events: &[Direct]) -> Vec<u8> {
    let platform = events.first().map_or(Platform::Messenger, |event| event.platform);
    body(platform, events.iter().map(|event| (event.home.clone(), event.item())).collect())
}

/// A message that a page or account has sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) platform: Platform,
    pub(crate) home: String,
    /// As it was posted; an echo shows it.
    pub(crate) message: Value,
}

impl Sent {
    /// The steps that Meta tells of it: there is none for a delivery on Instagram, nor for a failure.
    pub(crate) fn tells(&self, status: &str) -> bool {
        matches!((self.platform, status), (_, "sent" | "read") | (Platform::Messenger, "delivered"))
    }

    /// How Meta tells a step. Instagram's echoes may come without what the sender attached.
    pub(crate) fn item(&self, status: &str, mid: &str, person: &str, with_metadata: bool) -> Value {
        let now = now_ms();
        match (status, self.platform) {
            ("sent", _) => {
                let mut message = self.message.clone();
                message["mid"] = json!(mid);
                message["is_echo"] = json!(true);
                message["app_id"] = json!(1_517_776_481_860_111_u64);
                if !with_metadata {
                    message.as_object_mut().and_then(|message| message.remove("metadata"));
                }
                item((&self.home, person), now, json!({ "message": message }))
            }
            ("read", Platform::Instagram) => item((person, &self.home), now, json!({ "read": { "mid": mid } })),
            ("read", Platform::Messenger) => item((person, &self.home), now, json!({ "read": { "watermark": now } })),
            _ => item((person, &self.home), now, json!({ "delivery": { "mids": [mid], "watermark": now } })),
        }
    }
}
