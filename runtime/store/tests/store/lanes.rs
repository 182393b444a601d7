//! Lanes, step by step: who holds one, what happens to work that comes meanwhile, and who is refused.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::ground::Ground;
use hoopoe_store::flow_work::{NextState, State};
use hoopoe_store::lanes::{Births, Claim};

const LEASE: TimeDelta = TimeDelta::seconds(30);

#[tokio::test]
async fn a_claimed_lane_is_nobody_elses_until_its_lease_ends() {
    let ground = Ground::new().await;
    let (one, other) = (ground.process(), ground.process());
    one.append(&[ground.message("16505551234", "a"), ground.message("16505551235", "b")], Births::NONE).await.unwrap();

    let first = one.claim_events(&Claim::of(1, LEASE)).await.unwrap();
    let second = other.claim_events(&Claim::of(10, LEASE)).await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].lease.lane, second[0].lease.lane);
    assert!(one.claim_events(&Claim::of(10, LEASE)).await.unwrap().is_empty());

    ground.ambient.advance(LEASE - TimeDelta::microseconds(1));
    assert!(one.claim_events(&Claim::of(10, LEASE)).await.unwrap().is_empty());
    // Lanes of owners that are gone are looked for each second.
    ground.ambient.advance(TimeDelta::seconds(1));
    let again = one.claim_events(&Claim::of(10, LEASE)).await.unwrap();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|work| work.events.len() == 1), "nothing was done, so everything is there again");
}

#[tokio::test]
async fn a_former_owner_changes_nothing() {
    let ground = Ground::new().await;
    let (former, present) = (ground.process(), ground.process());
    former.append(&[ground.message("16505551234", "a")], Births::NONE).await.unwrap();
    let late = former.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    ground.ambient.advance(LEASE);
    let work = present.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    assert_eq!(work.lease.lane, late.lease.lane);
    assert!(work.lease.token > late.lease.token, "tokens grow");

    let late = ground.answered(late);
    assert_eq!(former.commit_runs(std::slice::from_ref(&late), Births::NONE).await.unwrap().owned, [false]);
    for table in ["select count(*) from flow_runs", "select count(*) from outbox"] {
        assert_eq!(ground.db.count(table).await, 0, "{table}");
    }
    assert_eq!(present.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    // Nor when the lane is gone.
    assert_eq!(former.commit_runs(&[late], Births::NONE).await.unwrap().owned, [false]);
    for (table, expected) in [
        ("select count(*) from flow_runs", 1),
        ("select count(*) from outbox", 1),
        ("select count(*) from lanes where stage = 0", 0),
        ("select count(*) from lanes where stage = 1", 1),
    ] {
        assert_eq!(ground.db.count(table).await, expected, "{table}");
    }
}

#[tokio::test]
async fn a_lane_that_a_repeat_opened_does_not_forget_what_was_done() {
    let ground = Ground::new().await;
    let store = ground.process();
    store.append(&[ground.message("16505551234", "a")], Births::NONE).await.unwrap();
    let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    // Runs are kept for some days.
    ground.db.execute("delete from flow_runs").await;

    let births = Births { own: &[true], lease: LEASE };
    let repeated = store.append(&[ground.message("16505551234", "a")], births).await.unwrap();
    let work = store.adopt(repeated.born).await.unwrap().remove(0);
    assert!(work.events.is_empty());
    store.append(&[ground.message("16505551234", "b")], Births::NONE).await.unwrap();
    assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    assert_eq!(work.events.len(), 1, "what was done long ago is done");
}

#[tokio::test]
async fn what_comes_while_a_lane_is_worked_on_is_next() {
    let ground = Ground::new().await;
    let store = ground.process();
    store.append(&[ground.message("16505551234", "a")], Births::NONE).await.unwrap();
    let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    store
        .append(&[ground.message("16505551234", "b"), ground.message("16505551234", "c")], Births::NONE)
        .await
        .unwrap();
    assert!(store.claim_events(&Claim::of(1, LEASE)).await.unwrap().is_empty(), "the lane has an owner");
    assert_eq!(store.next_event().await.unwrap(), None, "nobody can claim it");

    assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    assert_eq!(store.next_event().await.unwrap(), Some(ground.ambient.now()), "ready at once");
    let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    assert_eq!(work.events.len(), 2);
    assert!(work.events[0].id < work.events[1].id);
    assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    assert_eq!(store.next_event().await.unwrap(), None);
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 0);
}

#[tokio::test]
async fn a_repeat_leaves_no_work() {
    let ground = Ground::new().await;
    let store = ground.process();
    store.append(&[ground.message("16505551234", "a")], Births::NONE).await.unwrap();
    let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap();

    store.append(&[ground.message("16505551234", "a")], Births::NONE).await.unwrap();
    for work in store.claim_events(&Claim::of(1, LEASE)).await.unwrap() {
        assert!(work.events.is_empty(), "the event is done");
        assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    }
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 0);
    assert_eq!(ground.db.count("select count(*) from flow_runs").await, 1);
}

#[tokio::test]
async fn a_long_lane_is_taken_in_pieces_and_in_order() {
    let ground = Ground::new().await;
    let store = ground.process();
    let arrivals: Vec<_> = (0..50).map(|n| ground.message("16505551234", &format!("{n:02}"))).collect();
    store.append(&arrivals, Births::NONE).await.unwrap();
    let (mut claims, mut events) = (0, Vec::new());
    loop {
        let mut work = store.claim_events(&Claim::of(10, LEASE)).await.unwrap();
        let Some(work) = work.pop() else { break };
        assert!(!work.events.is_empty());
        claims += 1;
        events.extend(work.events.iter().map(|event| event.id));
        assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    }
    assert!(claims > 1, "a lane does not load without bound");
    assert!(events.is_sorted() && events.len() == 50, "{events:?}");
    let answered: Vec<i64> = sqlx::query_scalar("select event_id from messages where direction = 'OUT' order by id")
        .fetch_all(&ground.db.pool)
        .await
        .unwrap();
    assert_eq!(answered, events, "answers leave in the order of what they answer");
}

/// Two processes open a contact's lane at once. One waits for the other, and for the worker that then finishes and
/// deletes the lane; the new lane it makes begins with the number that it drew before all that.
#[tokio::test]
async fn a_lane_that_was_opened_late_repeats_nothing() {
    let ground = Ground::new().await;
    let store = ground.process();
    let done: Vec<_> = (0..20).map(|n| ground.message("16505551234", &format!("{n:02}"))).collect();
    store.append(&done, Births::NONE).await.unwrap();
    while let Some(work) = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().pop() {
        store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap();
    }
    // With a new event, and with a repeat only.
    for (id, expected) in [("new", 1), ("00", 0)] {
        store.append(&[ground.message("16505551234", id)], Births::NONE).await.unwrap();
        ground.db.execute("update lanes set done_event = 0 where stage = 0").await;
        let mut events = 0;
        while let Some(work) = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().pop() {
            events += work.events.len();
            assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
        }
        assert_eq!(events, expected, "{id}");
        assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 0, "{id}");
    }
    assert_eq!(ground.db.count("select count(*) from flow_runs").await, 21);
}

/// A burst whose run is to be tried again is recorded with its last event; when the tenant turns bursts off meanwhile, that
/// event's first run of its own has the same number.
#[tokio::test]
async fn a_number_of_an_attempt_that_was_given_before_holds_nothing_up() {
    let ground = Ground::new().await;
    let store = ground.process();
    store.append(&[ground.message("16505551234", "m1")], Births::NONE).await.unwrap();
    for (result, again) in [("retry", true), ("done", false)] {
        let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().pop().unwrap();
        let mut advance = Arc::into_inner(ground.answered(work)).unwrap();
        let handled = &mut advance.handled[0];
        (handled.run.attempt, handled.run.result) = (1, result.to_owned());
        if again {
            handled.messages.clear();
            advance.done_event = 0;
            advance.again = Some((ground.ambient.now(), 0));
        }
        assert_eq!(store.commit_runs(&[advance.into()], Births::NONE).await.unwrap().owned, [true], "{result}");
    }
    assert_eq!(ground.db.count("select count(*) from flow_runs where result = 'done'").await, 1);
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 0);
}

#[tokio::test]
async fn a_lane_waits_for_a_paused_flow_and_not_for_one_that_is_in_charge() {
    let ground = Ground::new().await;
    let store = ground.process();
    store.append(&[ground.message("16505551234", "m1")], Births::NONE).await.unwrap();
    let wait = async || {
        let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().pop().unwrap();
        let mut advance = Arc::into_inner(ground.answered(work)).unwrap();
        advance.handled.clear();
        (advance.done_event, advance.is_paused) = (0, true);
        advance.again = Some((ground.ambient.now() + TimeDelta::minutes(1), 0));
        store.commit_runs(&[advance.into()], Births::NONE).await.unwrap();
    };
    // The pause was ended after the event had been run, and before that was written down.
    wait().await;
    wait().await;
    ground.db.execute("update tenants set flow_paused_at = now()").await;
    wait().await;
    assert!(store.claim_events(&Claim::of(1, LEASE)).await.unwrap().is_empty(), "it waits");
}

/// Three lanes in one batch, one of them taken over meanwhile.
#[tokio::test]
async fn of_a_batch_that_is_written_what_is_still_owned_and_nothing_else() {
    let ground = Ground::new().await;
    let (former, present) = (ground.process(), ground.process());
    let contacts = ["16505551231", "16505551232", "16505551233"];
    former.append(&contacts.map(|contact| ground.message(contact, contact)), Births::NONE).await.unwrap();
    let work = former.claim_events(&Claim::of(3, LEASE)).await.unwrap();
    let taken = work[1].lease.lane.contact_id;
    sqlx::query("update lanes set lease_token = lease_token + 1000 where contact_id = $1")
        .bind(taken)
        .execute(&ground.db.pool)
        .await
        .unwrap();
    let batch: Vec<_> = work
        .into_iter()
        .enumerate()
        .map(|(number, work)| {
            let mut advance = Arc::into_inner(ground.answered(work)).unwrap();
            let (plugin, digest) = ("a@1".to_owned(), "0".repeat(64));
            let state = State { bytes: vec![number as u8], plugin, digest };
            advance.handled[0].state = NextState::Set(Some(state));
            advance.handled[0].hand_off = (number == 2).then(|| "asked for a person".to_owned());
            Arc::new(advance)
        })
        .collect();
    let births = Births { own: &[true, true, false], lease: LEASE };
    let committed = former.commit_runs(&batch, births).await.unwrap();
    assert_eq!(committed.owned, [true, false, true]);
    assert_eq!(committed.born.len(), 1, "the message of the first lane goes out from here");
    assert_eq!(committed.born[0].lease.lane, batch[0].lease.lane);
    let left: Vec<(Option<Vec<u8>>, Option<String>)> = sqlx::query_as(
        "select cv.state, cv.handed_off_reason from conversations cv join contacts ct on ct.id = cv.contact_id
         order by ct.wa_id",
    )
    .fetch_all(&ground.db.pool)
    .await
    .unwrap();
    let mut left_of: Vec<_> = left.into_iter().zip(contacts).collect();
    let lanes = batch.iter().map(|advance| advance.handled[0].event.around.wa_id.clone().unwrap());
    for (number, contact) in lanes.enumerate() {
        let place = left_of.iter().position(|(_, of)| *of == contact).unwrap();
        let (left, _) = left_of.swap_remove(place);
        let expected = match number {
            0 => (Some(vec![0]), None),
            1 => (None, None),
            _ => (Some(vec![2]), Some("asked for a person".to_owned())),
        };
        assert_eq!(left, expected, "lane {number}");
    }
    for (table, expected) in [
        ("select count(*) from flow_runs", 2),
        ("select count(*) from messages where direction = 'OUT'", 2),
        ("select count(*) from outbox where state = 'sending'", 1),
        ("select count(*) from outbox where state = 'queued'", 1),
        ("select count(*) from lanes where stage = 0", 1),
        ("select count(*) from lanes where stage = 1", 2),
    ] {
        assert_eq!(ground.db.count(table).await, expected, "{table}");
    }
    // The present owner comes later.
    ground.ambient.advance(LEASE + TimeDelta::seconds(1));
    let work = present.claim_events(&Claim::of(3, LEASE)).await.unwrap();
    assert_eq!(work.len(), 1);
    assert_eq!(work[0].lease.lane.contact_id, taken);
}

/// What may not go out is kept as a dead letter, with all else that was decided.
#[tokio::test]
async fn a_message_that_may_not_go_out_takes_no_other_with_it() {
    let ground = Ground::new().await;
    let store = ground.process();
    store
        .append(&[ground.message("16505551231", "a"), ground.message("16505551232", "b")], Births::NONE)
        .await
        .unwrap();
    let mut work = store.claim_events(&Claim::of(2, LEASE)).await.unwrap();
    work.sort_by_key(|work| work.events[0].id);
    sqlx::query("update conversations set last_inbound_at = $1 where id = $2")
        .bind(ground.ambient.now() - TimeDelta::days(2))
        .bind(work[0].events[0].conversation_id)
        .execute(&ground.db.pool)
        .await
        .unwrap();
    let batch: Vec<_> = work.into_iter().map(|work| ground.answered(work)).collect();
    let committed = store.commit_runs(&batch, Births { own: &[true, true], lease: LEASE }).await.unwrap();
    assert_eq!(committed.owned, [true, true]);
    assert_eq!(committed.born.len(), 1);
    assert_eq!(committed.born[0].lease.lane, batch[1].lease.lane);
    for (table, expected) in [
        ("select count(*) from flow_runs", 2),
        ("select count(*) from messages where direction = 'OUT' and status = 'failed' and dead_at is not null", 1),
        ("select count(*) from message_statuses where status = 'failed'", 1),
        ("select count(*) from outbox", 1),
        ("select count(*) from lanes where stage = 0", 0),
    ] {
        assert_eq!(ground.db.count(table).await, expected, "{table}");
    }
}
