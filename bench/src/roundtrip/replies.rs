//! Every reply is matched with its webhook. A contact writes over one connection, one message after the other, and its
//! lane keeps the order: so the nth reply to a contact answers its nth message.

use std::collections::HashSet;
use std::time::Instant;

use meta_sim::Accepted;

use crate::load::Posted;
use crate::runtime::tenant_name;
use crate::stats::Times;
use crate::webhooks::{Audience, contact_of};

/// What came of the webhooks.
pub struct Replies {
    /// From the beginning of a webhook to the acceptance of its reply.
    pub times: Times,
    /// When the last reply was accepted.
    pub last: Option<Instant>,
    /// Webhooks without a reply.
    pub lost: usize,
    /// Replies beyond one for each webhook, and messages accepted twice.
    pub repeated: usize,
    /// Replies with another text, from another number or to nobody who wrote.
    pub strange: usize,
}

/// Matches what was accepted, in the order of acceptance, with what was posted.
pub fn account(audience: &Audience, posted: &Posted, accepted: &[Accepted]) -> Replies {
    let mut starts: Vec<Vec<Instant>> = vec![Vec::new(); audience.contacts];
    for (connection, sent) in posted.sent.iter().enumerate() {
        for (turn, sent) in sent.iter().enumerate() {
            starts[audience.contact(connection, turn)].push(sent.start);
        }
    }
    let texts: Vec<String> = (0..audience.numbers.len())
        .map(|tenant| format!("thanks for reaching us\n- team {}", tenant_name(tenant)))
        .collect();
    let mut answered = vec![0; audience.contacts];
    let mut ids = HashSet::new();
    let (mut times, mut repeated, mut strange) = (Vec::with_capacity(accepted.len()), 0, 0);
    for reply in accepted {
        let contact = contact_of(&reply.to).filter(|contact| *contact < audience.contacts);
        let Some(contact) = contact.filter(|contact| {
            reply.phone_number_id == audience.number(*contact)
                && reply.text.as_ref() == Some(&texts[contact % audience.numbers.len()])
        }) else {
            strange += 1;
            continue;
        };
        if reply.callback_data.as_deref().is_none_or(|id| !ids.insert(id)) {
            repeated += 1;
            continue;
        }
        match starts[contact].get(answered[contact]) {
            Some(start) => times.push(reply.at.saturating_duration_since(*start)),
            None => repeated += 1,
        }
        answered[contact] += 1;
    }
    let lost = starts.iter().zip(&answered).map(|(starts, answered)| starts.len().saturating_sub(*answered)).sum();
    Replies { times: Times::new(times), last: accepted.iter().map(|reply| reply.at).max(), lost, repeated, strange }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::Sent;
    use crate::webhooks::wa_id;

    #[test]
    fn lost_repeated_and_strange_replies_are_told() {
        let audience = Audience { numbers: vec!["10".to_owned(), "20".to_owned()], contacts: 2, connections: 1 };
        let start = Instant::now();
        // Contacts 0, 1 and 0 again, a second apart.
        let sent = |n| Sent { start: start + Duration::from_secs(n), answered: Duration::ZERO };
        let posted = Posted { start, elapsed: Duration::from_secs(2), sent: vec![vec![sent(0), sent(1), sent(2)]] };
        let reply = |contact: usize, id: &str, at| Accepted {
            seq: 1,
            wamid: "w".to_owned(),
            phone_number_id: audience.number(contact).to_owned(),
            to: wa_id(contact),
            callback_data: Some(id.to_owned()),
            token: "t".to_owned(),
            body: serde_json::Value::Null,
            text: Some(format!("thanks for reaching us\n- team Bench {contact}")),
            at: start + Duration::from_secs(at),
        };
        let other_text = Accepted { text: Some("hi".to_owned()), ..reply(1, "c", 4) };
        let cases = [
            ("all", vec![reply(0, "a", 1), reply(1, "b", 2), reply(0, "c", 5)], [3, 0, 0, 0]),
            ("one lost", vec![reply(0, "a", 1), reply(0, "c", 3)], [2, 1, 0, 0]),
            ("sent twice", vec![reply(0, "a", 1), reply(0, "a", 2), reply(1, "b", 2)], [2, 1, 1, 0]),
            ("answered twice", vec![reply(1, "b", 2), reply(1, "x", 2)], [1, 2, 1, 0]),
            ("another text", vec![other_text], [0, 3, 0, 1]),
            ("to nobody", vec![reply(2, "a", 1)], [0, 3, 0, 1]),
        ];
        for (name, accepted, expected) in cases {
            let found = account(&audience, &posted, &accepted);
            assert_eq!([found.times.count(), found.lost, found.repeated, found.strange], expected, "{name}");
        }
        let found = account(&audience, &posted, &[reply(0, "a", 1), reply(0, "c", 5)]);
        assert_eq!(found.times.quantile(1.0), Duration::from_secs(3));
    }
}
