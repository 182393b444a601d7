//! The judge is not blind: each kind of harm is seen.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::*;
use crate::book::{Sent, Written};

/// How long a message must wait for a status.
const DOUBT: Duration = Duration::from_secs(5);
/// Every reply's words.
const THANKS: &str = "thanks";

struct Case {
    notes: Notes,
    tables: Tables,
    accepted: Vec<Accepted>,
}

impl Case {
    fn judged(&self) -> Verdict {
        judge(&self.notes, &self.tables, &self.accepted, DOUBT)
    }
}

fn contact() -> Contact {
    Contact { phone_number_id: "10".to_owned(), wa_id: "1555".to_owned() }
}

fn reply(turn: u128) -> Uuid {
    Uuid::from_u128(100 + turn)
}

fn send(turn: u128) -> Uuid {
    Uuid::from_u128(200 + turn)
}

fn accepted(id: Uuid, text: &str) -> Accepted {
    Accepted {
        seq: 1,
        wamid: format!("wamid.{id}"),
        phone_number_id: "10".to_owned(),
        to: "1555".to_owned(),
        callback_data: Some(id.to_string()),
        token: String::new(),
        body: serde_json::Value::Null,
        text: Some(text.to_owned()),
        at: Instant::now(),
        heard: Arc::default(),
    }
}

/// Two messages with their replies, two sends, all well.
fn good() -> Case {
    let (mut notes, mut tables) = (Notes::default(), Tables::default());
    let now = Instant::now();
    for turn in 0..2u64 {
        let id = format!("wamid.{turn}");
        let acknowledged = now + Duration::from_millis(turn);
        notes.written.insert(id.clone(), Written { contact: contact(), turn, begun: now, acknowledged });
        notes.sent.insert(send(turn.into()), Sent { contact: contact(), turn });
        let event =
            Event { id: 1 + i64::try_from(turn).expect("small"), final_runs: 1, replies: vec![reply(turn.into())] };
        tables.events.insert(id, vec![event]);
        for id in [reply(turn.into()), send(turn.into())] {
            tables.messages.insert(id, "read".to_owned());
        }
    }
    let accepted = [(reply(0), THANKS), (send(0), "send 0"), (send(1), "send 1"), (reply(1), THANKS)]
        .map(|(id, text)| accepted(id, text))
        .into();
    Case { notes, tables, accepted }
}

#[test]
fn what_is_well_is_found_well() {
    let verdict = good().judged();
    assert_eq!((verdict.acknowledged, verdict.sends, verdict.handled, verdict.delivered), (2, 2, 2, 4));
    assert_eq!(found(&verdict), [0; 4], "{verdict:?}");
    assert_eq!(verdict.replies.len(), 2);
}

#[test]
fn each_kind_of_harm_is_seen() {
    type Harm = fn(&mut Case);
    // Lost, repeated, strange, out of order.
    let cases: [(&str, Harm, [usize; 4]); 17] = [
        ("an event is missing", |case| drop(case.tables.events.remove("wamid.1")), [1, 0, 1, 0]),
        ("no last word", |case| one(case).final_runs = 0, [1, 0, 0, 0]),
        ("two last words", |case| one(case).final_runs = 2, [0, 1, 0, 0]),
        ("no reply", |case| one(case).replies.clear(), [1, 0, 1, 0]),
        ("two replies", |case| one(case).replies.push(Uuid::from_u128(7)), [0, 1, 0, 0]),
        ("a second event", |case| stored_again(case, 0, Vec::new()), [0, 1, 0, 0]),
        ("a second event and its run", |case| stored_again(case, 1, Vec::new()), [0, 2, 0, 0]),
        ("a second event, its run and its reply", handled_again, [0, 3, 0, 0]),
        ("a reply that never left", |case| case.accepted.retain(|one| !is(one, reply(1))), [1, 0, 0, 0]),
        ("a send that never left", |case| case.accepted.retain(|one| !is(one, send(1))), [1, 0, 0, 0]),
        ("a send twice", |case| case.accepted.push(accepted(send(0), "send 0")), [0, 1, 0, 0]),
        ("a send as two messages", |case| case.accepted.push(accepted(Uuid::from_u128(7), "send 0")), [0, 1, 1, 0]),
        ("a reply to nothing", |case| case.accepted.push(accepted(Uuid::from_u128(7), THANKS)), [0, 0, 1, 0]),
        ("a message without our id", |case| case.accepted.push(without_id()), [0, 0, 1, 0]),
        ("a reply to somebody else", |case| case.accepted[3].to = "1556".to_owned(), [1, 0, 0, 0]),
        ("a send from another tenant", |case| case.accepted[1].phone_number_id = "11".to_owned(), [1, 0, 0, 0]),
        ("replies in the wrong order", |case| case.accepted.reverse(), [0, 0, 0, 2]),
    ];
    for (label, harm, expected) in cases {
        let mut case = good();
        harm(&mut case);
        let verdict = case.judged();
        assert_eq!(found(&verdict), expected, "{label}: {verdict:?}");
    }
}

#[test]
fn what_others_judge_is_not_strange_and_its_repeat_is_seen() {
    let mut case = good();
    let id = Uuid::from_u128(7);
    case.notes.apart.insert(id);
    case.accepted.push(accepted(id, "first"));
    let verdict = case.judged();
    assert_eq!(found(&verdict), [0; 4], "{verdict:?}");
    case.accepted.push(accepted(id, "first"));
    let verdict = case.judged();
    assert_eq!(found(&verdict), [0, 1, 0, 0], "{verdict:?}");
}

#[test]
fn a_repeat_is_a_fault_when_a_status_had_come_or_the_wait_was_not_over() {
    // When Meta accepted a send, in milliseconds since the first time, and when the first status about that time was
    // acknowledged; how many repeats are a fault, and how many are without a status.
    type Times = &'static [(u64, Option<u64>)];
    let cases: [(&str, Times, [usize; 2]); 11] = [
        ("a status", &[(0, Some(3_000)), (7_000, None)], [1, 0]),
        ("a status at the last moment", &[(0, Some(6_999)), (7_000, None)], [1, 0]),
        ("a status too late", &[(0, Some(7_001)), (7_000, None)], [0, 1]),
        ("no status", &[(0, None), (5_000, None)], [0, 1]),
        ("a status of the repeat", &[(0, None), (7_000, Some(7_100))], [0, 1]),
        ("no status, too early", &[(0, None), (4_999, None)], [1, 0]),
        ("a status too late, too early", &[(0, Some(6_000)), (4_999, None)], [1, 0]),
        ("no status, twice", &[(0, None), (7_000, None), (14_000, None)], [0, 2]),
        ("a status after one repeat", &[(0, Some(8_000)), (7_000, None), (14_000, None)], [1, 1]),
        ("a status of the repeat alone", &[(0, None), (7_000, Some(8_000)), (14_000, None)], [1, 1]),
        ("no status, too early after the repeat", &[(0, None), (7_000, None), (9_000, None)], [1, 1]),
    ];
    for (label, times, expected) in cases {
        let mut case = good();
        send_at(&mut case, times);
        let verdict = case.judged();
        assert_eq!([verdict.repeated.len(), verdict.unheard.len()], expected, "{label}: {verdict:?}");
        assert_eq!(found(&verdict), [0, expected[0], 0, 0], "{label}: {verdict:?}");
    }
}

#[test]
fn the_story_of_a_repeat_tells_its_times() {
    let cases: [(u64, Option<u64>, &str); 4] = [
        (7_000, Some(6_950), "again after 7.0s; a status had been acknowledged 50.0ms before"),
        (4_000, None, "again after 4.0s, sooner than the wait of 5s"),
        (7_000, Some(8_500), "again after 7.0s; the first status was acknowledged 1.5s after that"),
        (7_000, None, "again after 7.0s; no status of the earlier ones was acknowledged"),
    ];
    for (again, heard, story) in cases {
        let mut case = good();
        send_at(&mut case, &[(0, heard), (again, None)]);
        let verdict = case.judged();
        let told = verdict.repeated.iter().chain(&verdict.unheard).next().expect("a repeat");
        assert!(told.ends_with(story), "{told}");
    }
}

#[test]
fn of_a_hundred_acceptances_one_may_be_a_repeat_without_a_status() {
    for (acceptances, is_little) in [(99, false), (100, true)] {
        let mut case = good();
        send_at(&mut case, &[(0, None), (7_000, None)]);
        for number in case.accepted.len()..acceptances {
            let id = Uuid::from_u128(1_000 + number as u128);
            case.notes.apart.insert(id);
            case.accepted.push(accepted(id, &format!("other {number}")));
        }
        let verdict = case.judged();
        assert_eq!((verdict.accepted, verdict.unheard.len()), (acceptances, 1), "{verdict:?}");
        assert_eq!(verdict.is_mostly_heard(), is_little, "{acceptances}");
    }
}

#[test]
fn an_order_that_was_lost_in_the_tables_is_seen() {
    let mut case = good();
    one(&mut case).id = 0;
    let verdict = case.judged();
    assert_eq!(verdict.disorder.len(), 1, "{verdict:?}");
}

/// How much harm of each kind: lost, repeated, strange, out of order.
fn found(verdict: &Verdict) -> [usize; 4] {
    [&verdict.lost, &verdict.repeated, &verdict.strange, &verdict.disorder].map(Vec::len)
}

fn one(case: &mut Case) -> &mut Event {
    case.tables.events.get_mut("wamid.1").and_then(|events| events.first_mut()).expect("it is there")
}

/// The first message has one more event, stored behind all others.
fn stored_again(case: &mut Case, final_runs: i64, replies: Vec<Uuid>) {
    let events = case.tables.events.get_mut("wamid.0").expect("it is there");
    events.push(Event { id: 9, final_runs, replies });
}

/// Meta accepted the first send at each of these milliseconds since the first time; the first status about that time was
/// acknowledged at the other, if ever.
fn send_at(case: &mut Case, times: &[(u64, Option<u64>)]) {
    let place = case.accepted.iter().position(|one| is(one, send(0))).expect("it is there");
    let first = case.accepted[place].clone();
    let since = |millis: u64| first.at + Duration::from_millis(millis);
    let all = times.iter().map(|(at, heard)| {
        let heard = heard.map_or_else(OnceLock::new, |heard| OnceLock::from(since(heard)));
        Accepted { at: since(*at), heard: Arc::new(heard), ..first.clone() }
    });
    case.accepted.splice(place..=place, all);
}

/// A repeat that is taken for another message: the contact is answered twice.
fn handled_again(case: &mut Case) {
    let again = Uuid::from_u128(7);
    stored_again(case, 1, vec![again]);
    case.accepted.push(accepted(again, THANKS));
}

fn without_id() -> Accepted {
    Accepted { callback_data: None, ..accepted(Uuid::nil(), "hello") }
}

fn is(message: &Accepted, id: Uuid) -> bool {
    message.callback_data == Some(id.to_string())
}
