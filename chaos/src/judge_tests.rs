//! The judge is not blind: each kind of harm is seen.

use std::time::{Duration, Instant};

use super::*;
use crate::book::{Sent, Written};

/// Every reply's words.
const THANKS: &str = "thanks";

struct Case {
    notes: Notes,
    tables: Tables,
    accepted: Vec<Accepted>,
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
    let Case { notes, tables, accepted } = good();
    let verdict = judge(&notes, &tables, &accepted);
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
        let verdict = judge(&case.notes, &case.tables, &case.accepted);
        assert_eq!(found(&verdict), expected, "{label}: {verdict:?}");
    }
}

#[test]
fn what_others_judge_is_not_strange_and_its_repeat_is_seen() {
    let mut case = good();
    let id = Uuid::from_u128(7);
    case.notes.apart.insert(id);
    case.accepted.push(accepted(id, "first"));
    let verdict = judge(&case.notes, &case.tables, &case.accepted);
    assert_eq!(found(&verdict), [0; 4], "{verdict:?}");
    case.accepted.push(accepted(id, "first"));
    let verdict = judge(&case.notes, &case.tables, &case.accepted);
    assert_eq!(found(&verdict), [0, 1, 0, 0], "{verdict:?}");
}

#[test]
fn an_order_that_was_lost_in_the_tables_is_seen() {
    let mut case = good();
    one(&mut case).id = 0;
    let verdict = judge(&case.notes, &case.tables, &case.accepted);
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
