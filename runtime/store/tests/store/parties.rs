//! Parties that others than contacts name: echoes of what a business wrote elsewhere, and sends.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_store::contacts::Party;
use hoopoe_store::journal::{Arrival, Echo, Inbound, Item, Progress};
use hoopoe_store::lanes::Births;
use hoopoe_store::outbound::{Outbound, Queued, SendRequest};

use crate::ground::Ground;
use crate::identity::{NUMBER, USER, append, conversations, person, request};

/// The business wrote to this party in an app of its own, at this moment.
pub fn echo(ground: &Ground, party: Party, id: &str, at: DateTime<Utc>) -> Arc<Arrival> {
    let item = Item { occurred_at: at, ..ground.item("echo", id) };
    let progress = Progress {
        item: Item { kind: "status".to_owned(), external_id: format!("{id}/sent"), ..item.clone() },
        wa_message_id: id.to_owned(),
        message_id: None,
        status: "sent".to_owned(),
        error: None,
        for_flow: false,
    };
    let (kind, body) = ("text".to_owned(), Some("hello".to_owned()));
    Arc::new(Arrival::Echo(Echo { item, progress, party, kind, body, foreign: true, read_by_moment: false }.into()))
}

#[tokio::test]
async fn an_echo_that_names_both_ids_of_two_contacts_makes_them_one() {
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message_of(person(&ground, None, Some(USER)), "m1")).await;
    let by_number = request(&ground, ground.party(NUMBER), None);
    store.enqueue(std::slice::from_ref(&by_number), Births::NONE).await.unwrap();
    assert_eq!(conversations(&ground).await.len(), 2);
    let both = || person(&ground, Some(NUMBER), Some(USER));
    append(&store, echo(&ground, both(), "e1", ground.ambient.now())).await;
    append(&store, ground.message_of(both(), "m2")).await;
    let known = conversations(&ground).await;
    let [(wa_id, user_id, ..)] = known.as_slice() else { panic!("{known:?}") };
    assert_eq!((wa_id.as_deref(), user_id.as_deref()), (Some(NUMBER), Some(USER)));
}

#[tokio::test]
async fn an_echo_names_the_number_that_was_dialed_and_changes_no_contact() {
    // Mexico: what is dialed lacks the 1 of the WhatsApp id.
    const KNOWN: &str = "5215512345678";
    const DIALED: &str = "525512345678";
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message_of(person(&ground, Some(KNOWN), Some(USER)), "m1")).await;
    let of_user = "select count(*) from messages m join conversations cv on cv.id = m.conversation_id
                   join contacts ct on ct.id = cv.contact_id where ct.user_id is not null and m.direction = 'OUT'";
    for (time, id) in ["e1", "e2"].into_iter().enumerate() {
        let party = person(&ground, Some(DIALED), Some(USER));
        append(&ground.process(), echo(&ground, party, id, ground.ambient.now())).await;
        assert_eq!(ground.db.count(of_user).await, time as i64 + 1, "{id}");
        // An echo without the user id has a conversation of its own, which is not taken for the person's.
        append(&store, echo(&ground, ground.party(DIALED), &format!("alone-{id}"), ground.ambient.now())).await;
        let known = conversations(&ground).await;
        let ids: Vec<_> = known.iter().map(|one| (one.0.as_deref(), one.1.as_deref())).collect();
        assert_eq!(ids, [(Some(KNOWN), Some(USER)), (Some(DIALED), None)], "{id}");
    }
}

#[tokio::test]
async fn a_new_number_that_an_echo_names_first_is_the_persons_once_they_write() {
    const NEW: &str = "4915112345678";
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m1")).await;
    ground.ambient.advance(TimeDelta::minutes(2));
    let party = || person(&ground, Some(NEW), Some(USER));
    append(&store, echo(&ground, party(), "e1", ground.ambient.now())).await;
    append(&store, ground.message_of(party(), "m2")).await;
    let known = conversations(&ground).await;
    let [(wa_id, user_id, ..)] = known.as_slice() else { panic!("{known:?}") };
    assert_eq!((wa_id.as_deref(), user_id.as_deref()), (Some(NEW), Some(USER)));
}

#[tokio::test]
async fn what_comes_late_takes_no_number_back_from_who_has_it_now() {
    const OTHER: &str = "DE.13491208655302741918";
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m1")).await;
    append(&store, ground.message_of(person(&ground, None, Some(OTHER)), "m2")).await;
    let before = ground.ambient.now();
    ground.ambient.advance(TimeDelta::days(200));
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(OTHER)), "m3")).await;
    let both = || person(&ground, Some(NUMBER), Some(USER));
    for (id, at) in [("e0", before), ("e1", ground.ambient.now() + TimeDelta::seconds(1))] {
        append(&ground.process(), echo(&ground, both(), id, at)).await;
    }
    let item = Item { occurred_at: before, ..ground.item("message", "m0") };
    append(&ground.process(), ground.inbound(Inbound { item, ..ground.text(both()) })).await;
    let known = conversations(&ground).await;
    let mut ids: Vec<_> = known.iter().map(|one| (one.0.as_deref(), one.1.as_deref())).collect();
    ids.sort_unstable();
    assert_eq!(ids, [(None, Some(USER)), (Some(NUMBER), Some(OTHER))]);
    let of_user = "select count(*) from messages m join conversations cv on cv.id = m.conversation_id
                   join contacts ct on ct.id = cv.contact_id where ct.wa_id is null";
    assert_eq!(ground.db.count(of_user).await, 4);
}

#[tokio::test]
async fn what_was_said_to_a_former_number_makes_its_next_owner_nobody_else() {
    const NEW: &str = "4915112345678";
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m1")).await;
    let before = ground.ambient.now();
    ground.ambient.advance(TimeDelta::minutes(2));
    append(&store, ground.message_of(person(&ground, Some(NEW), Some(USER)), "m2")).await;
    ground.ambient.advance(TimeDelta::days(200));
    append(&store, ground.message(NUMBER, "m3")).await;
    // Both come late: from before the number changed.
    let both = || person(&ground, Some(NUMBER), Some(USER));
    append(&ground.process(), echo(&ground, both(), "e0", before)).await;
    let item = Item { occurred_at: before, ..ground.item("message", "m0") };
    append(&ground.process(), ground.inbound(Inbound { item, ..ground.text(both()) })).await;
    let known = conversations(&ground).await;
    let ids: Vec<_> = known.iter().map(|one| (one.0.as_deref(), one.1.as_deref())).collect();
    assert_eq!(ids, [(Some(NUMBER), None), (Some(NEW), Some(USER))]);
    let of_user = "select count(*) from events e join contacts ct on ct.id = e.contact_id
                   where ct.user_id is not null and e.external_id in ('m0', 'm1', 'm2')";
    assert_eq!(ground.db.count(of_user).await, 3);
}

#[tokio::test]
async fn a_send_that_names_two_contacts_does_not_keep_them_apart() {
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message(NUMBER, "m1")).await;
    append(&store, ground.message_of(person(&ground, None, Some(USER)), "m2")).await;
    let both = || person(&ground, Some(NUMBER), Some(USER));
    store.enqueue(&[request(&ground, both(), None)], Births::NONE).await.unwrap();
    assert_eq!(conversations(&ground).await.len(), 2, "who sends does not know");
    append(&store, ground.message_of(both(), "m3")).await;
    assert_eq!(conversations(&ground).await.len(), 1);
}

#[tokio::test]
async fn a_send_that_is_tried_again_finds_what_it_has_kept() {
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message(NUMBER, "m1")).await;
    let with_key = |key: Option<&str>| {
        let plain = Arc::into_inner(request(&ground, ground.party(NUMBER), None)).unwrap();
        let message = Outbound { idempotency_key: key.map(str::to_owned), ..plain.message };
        Arc::new(SendRequest { message, ..plain })
    };
    let (plain, keyed) = (with_key(None), with_key(Some("k")));
    for time in 1..=2 {
        let enqueued = store.enqueue(&[plain.clone(), keyed.clone()], Births::NONE).await.unwrap();
        assert!(enqueued.queued.iter().all(|one| matches!(one, Queued::New { .. })), "{time}: {:?}", enqueued.queued);
    }
    let other = store.enqueue(&[with_key(Some("k"))], Births::NONE).await.unwrap();
    assert_eq!(other.queued, [Queued::Repeated { first: keyed.message.id }]);
    assert_eq!(ground.db.count("select count(*) from messages where direction = 'OUT'").await, 2);
    assert_eq!(ground.db.count("select count(*) from outbox").await, 2);
}
