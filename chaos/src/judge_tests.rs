//! The judge is not blind: each kind of harm is seen.

use std::time::{Duration, Instant};

use super::*;
use crate::book::{Sent, Written};

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

fn accepted(id: Uuid) -> Accepted {
    Accepted {
        seq: 1,
        wamid: format!("wamid.{id}"),
        phone_number_id: "10".to_owned(),
        to: "1555".to_owned(),
        callback_data: Some(id.to_string()),
        token: String::new(),
        body: serde_json::Value::Null,
        text: None,
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
        tables.events.insert(id, event);
        for id in [reply(turn.into()), send(turn.into())] {
            tables.messages.insert(id, "read".to_owned());
        }
    }
    let accepted = [reply(0), send(0), send(1), reply(1)].map(accepted).into();
    Case { notes, tables, accepted }
}

#[test]
fn what_is_well_is_found_well() {
    let Case { notes, tables, accepted } = good();
    let verdict = judge(&notes, &tables, &accepted);
    assert_eq!((verdict.acknowledged, verdict.sends, verdict.handled, verdict.delivered), (2, 2, 2, 4));
    assert_eq!((verdict.lost.len(), verdict.repeated.len(), verdict.disorder.len()), (0, 0, 0), "{verdict:?}");
    assert_eq!(verdict.replies.len(), 2);
}

#[test]
fn each_kind_of_harm_is_seen() {
    type Harm = fn(&mut Case);
    let cases: [(&str, Harm, [usize; 3]); 11] = [
        ("an event is missing", |case| drop(case.tables.events.remove("wamid.1")), [1, 0, 0]),
        ("no last word", |case| one(case).final_runs = 0, [1, 0, 0]),
        ("two last words", |case| one(case).final_runs = 2, [0, 1, 0]),
        ("no reply", |case| one(case).replies.clear(), [1, 0, 0]),
        ("two replies", |case| one(case).replies.push(Uuid::from_u128(7)), [0, 1, 0]),
        ("a reply that never left", |case| case.accepted.retain(|one| !is(one, reply(1))), [1, 0, 0]),
        ("a send that never left", |case| case.accepted.retain(|one| !is(one, send(1))), [1, 0, 0]),
        ("a send twice", |case| case.accepted.push(accepted(send(0))), [0, 1, 0]),
        ("a reply to somebody else", |case| case.accepted[3].to = "1556".to_owned(), [1, 0, 0]),
        ("a send from another tenant", |case| case.accepted[1].phone_number_id = "11".to_owned(), [1, 0, 0]),
        ("replies in the wrong order", |case| case.accepted.reverse(), [0, 0, 2]),
    ];
    for (label, harm, expected) in cases {
        let mut case = good();
        harm(&mut case);
        let verdict = judge(&case.notes, &case.tables, &case.accepted);
        let found = [&verdict.lost, &verdict.repeated, &verdict.disorder].map(Vec::len);
        assert_eq!(found, expected, "{label}: {verdict:?}");
    }
}

#[test]
fn an_order_that_was_lost_in_the_tables_is_seen() {
    let mut case = good();
    one(&mut case).id = 0;
    let verdict = judge(&case.notes, &case.tables, &case.accepted);
    assert_eq!(verdict.disorder.len(), 1, "{verdict:?}");
}

fn one(case: &mut Case) -> &mut Event {
    case.tables.events.get_mut("wamid.1").expect("it is there")
}

fn is(message: &Accepted, id: Uuid) -> bool {
    message.callback_data == Some(id.to_string())
}
