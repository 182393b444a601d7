//! How long it took after each fault until things went on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::book::Notes;

/// Times from the faults to what first went well again. A fault after which no load came has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// To the acknowledgement of a webhook that was posted after the fault.
    pub acknowledged: Vec<Duration>,
    /// To the acceptance by Meta of the reply to a message that was posted after the fault.
    pub replied: Vec<Duration>,
}

impl Recovery {
    /// `replies`: when Meta accepted the reply to each message, by Meta's id of the message.
    pub fn of(notes: &Notes, replies: &HashMap<String, Instant>) -> Self {
        let mut recovery = Recovery::default();
        for fault in &notes.faults {
            let later = notes.written.iter().filter(|(_, written)| written.begun >= fault.since);
            let acknowledged = later.clone().map(|(_, written)| written.acknowledged).min();
            let replied = later.filter_map(|(id, _)| replies.get(id).copied()).min();
            recovery.acknowledged.extend(acknowledged.map(|at| at - fault.since));
            recovery.replied.extend(replied.map(|at| at - fault.since));
        }
        recovery.acknowledged.sort_unstable();
        recovery.replied.sort_unstable();
        recovery
    }
}

/// The one in the middle and the longest, of times in order.
pub fn median_and_worst(times: &[Duration]) -> Option<(Duration, Duration)> {
    Some((*times.get(times.len() / 2)?, *times.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Contact, Fault, Written};

    #[test]
    fn only_what_was_posted_after_the_fault_shows_that_things_go_on() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let contact = Contact { phone_number_id: "1".to_owned(), wa_id: "2".to_owned() };
        let mut notes = Notes::default();
        for (id, begun, acknowledged) in [("before", 0, 12), ("first", 11, 14), ("second", 12, 13), ("third", 20, 21)] {
            let written =
                Written { contact: contact.clone(), turn: 0, begun: at(begun), acknowledged: at(acknowledged) };
            notes.written.insert(id.to_owned(), written);
        }
        notes.faults = [10, 18, 30].map(|since| Fault { what: "a fault", since: at(since) }).into();
        let replies = [("before", 11), ("first", 16), ("second", 17), ("third", 22)];
        let replies = replies.map(|(id, seconds)| (id.to_owned(), at(seconds))).into();
        let recovery = Recovery::of(&notes, &replies);
        let seconds = |times: &[u64]| times.iter().map(|time| Duration::from_secs(*time)).collect::<Vec<_>>();
        assert_eq!(recovery.acknowledged, seconds(&[3, 3]));
        assert_eq!(recovery.replied, seconds(&[4, 6]));
        assert_eq!(median_and_worst(&recovery.replied), Some((Duration::from_secs(6), Duration::from_secs(6))));
        assert_eq!(median_and_worst(&[]), None);
    }
}
