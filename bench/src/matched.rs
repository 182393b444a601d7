//! Every message that the simulator accepted is matched with the request from which it came: a webhook that it answers,
//! or a send. A contact's requests go over one connection, one after the other, and its lane keeps the order: so the nth
//! message to a contact comes from its nth request.

use std::collections::HashSet;
use std::time::Instant;

use meta_sim::Accepted;

use crate::load::Posted;
use crate::requests::Audience;
use crate::runtime::Tenant;
use crate::stats::Times;

/// What came of an audience's requests.
pub struct Matched {
    /// From the beginning of a request to the acceptance of its message.
    pub times: Times,
    /// When the last message was accepted.
    pub last: Option<Instant>,
    /// Requests without a message.
    pub lost: usize,
    /// Messages beyond one for each request, and messages accepted twice.
    pub repeated: usize,
    /// Messages with another text or from another number.
    pub strange: usize,
}

/// Matches what was accepted for an audience, in the order of acceptance, with what was posted. What went to others is
/// passed over.
pub fn account(
    audience: &Audience,
    posted: &Posted,
    accepted: &[Accepted],
    text: impl Fn(&Tenant) -> String,
) -> Matched {
    let mut starts: Vec<Vec<Instant>> = vec![Vec::new(); audience.contacts];
    for (connection, sent) in posted.sent.iter().enumerate() {
        for (turn, sent) in sent.iter().enumerate() {
            starts[audience.contact(connection, turn)].push(sent.start);
        }
    }
    let texts: Vec<String> = audience.tenants.iter().map(text).collect();
    let mut answered = vec![0; audience.contacts];
    let mut ids = HashSet::new();
    let (mut times, mut last, mut repeated, mut strange) = (Vec::new(), None, 0, 0);
    for message in accepted {
        let Some(contact) = audience.contact_of(&message.to) else { continue };
        if message.phone_number_id != audience.tenant(contact).number
            || message.text.as_ref() != Some(&texts[contact % texts.len()])
        {
            strange += 1;
            continue;
        }
        last = last.max(Some(message.at));
        if message.callback_data.as_deref().is_none_or(|id| !ids.insert(id)) {
            repeated += 1;
            continue;
        }
        match starts[contact].get(answered[contact]) {
            Some(start) => times.push(message.at.saturating_duration_since(*start)),
            None => repeated += 1,
        }
        answered[contact] += 1;
    }
    let lost = starts.iter().zip(&answered).map(|(starts, answered)| starts.len().saturating_sub(*answered)).sum();
    Matched { times: Times::new(times), last, lost, repeated, strange }
}

/// What the built-in auto-reply answers for a tenant.
pub fn auto_reply(tenant: &Tenant) -> String {
    format!("thanks for reaching us\n- team {}", tenant.name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::load::Sent;
    use crate::requests::wa_id;
    use crate::runtime::tests::tenant;

    #[test]
    fn lost_repeated_and_strange_replies_are_told() {
        let audience = Audience { tenants: vec![tenant(0), tenant(1)], first: 0, contacts: 2, connections: 1 };
        let start = Instant::now();
        // Contacts 0, 1 and 0 again, a second apart.
        let sent = |n| Sent { start: start + Duration::from_secs(n), answered: Duration::ZERO };
        let posted = Posted { start, elapsed: Duration::from_secs(2), sent: vec![vec![sent(0), sent(1), sent(2)]] };
        let reply = |contact: usize, id: &str, at| Accepted {
            seq: 1,
            wamid: "w".to_owned(),
            phone_number_id: audience.tenant(contact).number.clone(),
            to: wa_id(contact),
            callback_data: Some(id.to_owned()),
            token: "t".to_owned(),
            body: serde_json::Value::Null,
            text: Some(format!("thanks for reaching us\n- team Bench {contact}")),
            at: start + Duration::from_secs(at),
            heard: Arc::default(),
        };
        let other_text = Accepted { text: Some("hi".to_owned()), ..reply(1, "c", 4) };
        let cases = [
            ("all", vec![reply(0, "a", 1), reply(1, "b", 2), reply(0, "c", 5)], [3, 0, 0, 0]),
            ("one lost", vec![reply(0, "a", 1), reply(0, "c", 3)], [2, 1, 0, 0]),
            ("sent twice", vec![reply(0, "a", 1), reply(0, "a", 2), reply(1, "b", 2)], [2, 1, 1, 0]),
            ("answered twice", vec![reply(1, "b", 2), reply(1, "x", 2)], [1, 2, 1, 0]),
            ("another text", vec![other_text], [0, 3, 0, 1]),
            ("to others", vec![reply(2, "a", 1)], [0, 3, 0, 0]),
        ];
        for (name, accepted, expected) in cases {
            let found = account(&audience, &posted, &accepted, auto_reply);
            assert_eq!([found.times.count(), found.lost, found.repeated, found.strange], expected, "{name}");
        }
        let found = account(&audience, &posted, &[reply(0, "a", 1), reply(0, "c", 5)], auto_reply);
        assert_eq!(found.times.quantile(1.0), Duration::from_secs(3));
    }
}
