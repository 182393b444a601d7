//! What happened, counted: the book that tests ask "how often did this reply arrive?".

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

/// A message that the simulator accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// 1 for the first.
    pub seq: u64,
    /// The id that it was given.
    pub wamid: String,
    /// The number it was sent from.
    pub phone_number_id: String,
    /// The recipient: a WhatsApp id or a business-scoped user id.
    pub to: String,
    /// `biz_opaque_callback_data`.
    pub callback_data: Option<String>,
    /// The bearer token of the request.
    pub token: String,
    /// The request's body.
    pub body: Value,
    /// Its text, caption, body of an interactive message or name of a template.
    pub text: Option<String>,
    /// When.
    pub at: Instant,
    /// When the first of its statuses was answered with 200; empty until then. Shared with the statuses on their way, which
    /// note it here without a search in the records.
    pub heard: Arc<OnceLock<Instant>>,
}

/// A "message was read" that the simulator took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedRead {
    /// The number.
    pub phone_number_id: String,
    /// The contact's message.
    pub message_id: String,
    /// With "typing".
    pub typing: bool,
}

/// Counters. They only grow until a reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests to the messages endpoint.
    pub requests: u64,
    /// Messages accepted, also those whose answer was lost on purpose.
    pub accepted: u64,
    /// Sends that were not accepted.
    pub refused: u64,
    /// Messages marked as read.
    pub marked_read: u64,
    /// Statuses due for sending.
    pub statuses_queued: u64,
    /// Statuses that the runtime acknowledged with 200.
    pub statuses_acknowledged: u64,
    /// Statuses given up after all retries, or without a webhook URL.
    pub statuses_lost: u64,
    /// POSTs of statuses, with repeats and retries.
    pub status_posts: u64,
    /// Inbound messages posted.
    pub inbound: u64,
    /// Inbound messages that the runtime acknowledged with 200.
    pub inbound_acknowledged: u64,
}

impl Stats {
    /// True when no status is on its way.
    pub fn is_idle(&self) -> bool {
        self.statuses_acknowledged + self.statuses_lost == self.statuses_queued
    }
}

/// The records behind the counters. Full ones up to a bound, counts without one.
pub(crate) struct Ledger {
    keep: usize,
    next_seq: u64,
    accepted: Vec<Accepted>,
    times: HashMap<u64, u64>,
    read: Vec<MarkedRead>,
    status_times: Vec<Duration>,
}

impl Ledger {
    pub(crate) fn new(keep: usize) -> Ledger {
        Ledger {
            keep,
            next_seq: 1,
            accepted: Vec::new(),
            times: HashMap::new(),
            read: Vec::new(),
            status_times: Vec::new(),
        }
    }

    /// The number of the next message. It keeps growing over a reset, so that ids stay unique.
    pub(crate) fn next_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    pub(crate) fn accept(&mut self, message: Accepted) {
        *self.times.entry(key(&message.to, message.text.as_deref())).or_default() += 1;
        if self.accepted.len() < self.keep {
            self.accepted.push(message);
        }
    }

    pub(crate) fn mark_read(&mut self, read: MarkedRead) {
        if self.read.len() < self.keep {
            self.read.push(read);
        }
    }

    pub(crate) fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    pub(crate) fn marked_read(&self) -> &[MarkedRead] {
        &self.read
    }

    pub(crate) fn acknowledge(&mut self, times: impl Iterator<Item = Duration>) {
        let room = self.keep.saturating_sub(self.status_times.len());
        self.status_times.extend(times.take(room));
    }

    pub(crate) fn status_times(&self) -> &[Duration] {
        &self.status_times
    }

    /// How often this text went to this recipient; exact also beyond the bound.
    pub(crate) fn times(&self, to: &str, text: Option<&str>) -> u64 {
        self.times.get(&key(to, text)).copied().unwrap_or_default()
    }

    pub(crate) fn reset(&mut self) {
        *self = Ledger { next_seq: self.next_seq, ..Ledger::new(self.keep) };
    }
}

fn key(to: &str, text: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (to, text).hash(&mut hasher);
    hasher.finish()
}
