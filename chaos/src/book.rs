//! What the outside world remembers: what it was promised, what it was answered, when a fault came.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

/// A contact of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Contact {
    /// Meta's id of the tenant's number.
    pub phone_number_id: String,
    /// The contact's WhatsApp id.
    pub wa_id: String,
}

/// A message that a contact wrote and that was acknowledged.
#[derive(Debug, Clone)]
pub struct Written {
    /// Who.
    pub contact: Contact,
    /// Its place among the contact's messages; each was acknowledged before the next was posted.
    pub turn: u64,
    /// When the POST began that was acknowledged.
    pub begun: Instant,
    /// When it was acknowledged.
    pub acknowledged: Instant,
}

/// A send that was accepted.
#[derive(Debug, Clone)]
pub struct Sent {
    /// To whom.
    pub contact: Contact,
    /// Its place among the sends to the contact; each was accepted before the next was made.
    pub turn: u64,
}

/// Something that was broken.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What.
    pub what: &'static str,
    /// From when on recovery is counted: when what was broken is whole again, or, where the runtime itself was broken,
    /// when it broke.
    pub since: Instant,
}

/// Everything that was noted.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// By Meta's id of the message.
    pub written: HashMap<String, Written>,
    /// By our id.
    pub sent: HashMap<Uuid, Sent>,
    /// Sends beside the load, by our id: whoever made them judges them. Repeats of them are seen all the same.
    pub apart: HashSet<Uuid>,
    /// Answers by kind: `webhook 200`, `send 503`, `webhook none`.
    pub answers: BTreeMap<String, u64>,
    /// Answers that must not be.
    pub odd: Vec<String>,
    /// What was given up although it was never acknowledged, with its last tries.
    pub unanswered: Vec<String>,
    /// In the order of their coming.
    pub faults: Vec<Fault>,
}

/// Notes that many tasks take.
#[derive(Default)]
pub struct Book(Mutex<Notes>);

impl Book {
    /// To note something. Not to be held over an `await`.
    pub fn open(&self) -> MutexGuard<'_, Notes> {
        // Nobody panics between two halves of a note.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a fault from which recovery is counted now.
    pub fn fault(&self, what: &'static str) {
        self.fault_since(what, Instant::now());
    }

    /// Notes a fault from which recovery is counted since a moment.
    pub fn fault_since(&self, what: &'static str, since: Instant) {
        self.open().faults.push(Fault { what, since });
    }

    /// Notes an answer; 0 stands for none.
    pub fn answered(&self, to: &str, status: u16) {
        let kind = if status == 0 { format!("{to} none") } else { format!("{to} {status}") };
        *self.open().answers.entry(kind).or_default() += 1;
    }
}
