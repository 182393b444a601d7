//! People who turn out to be one: conversation, state, timers, queued messages and order survive, whoever works on their
//! lanes meanwhile.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_store::Store;
use hoopoe_store::contacts::Party;
use hoopoe_store::deliveries::{Settlement, Verdict};
use hoopoe_store::flow_work::{NextState, State};
use hoopoe_store::identity::Renamed;
use hoopoe_store::journal::{Arrival, Inbound};
use hoopoe_store::lanes::{Births, Claim};
use hoopoe_store::outbound::{Outbound, SendRequest};
use hoopoe_store::scheduled::Moved;
use hoopoe_store::timers::TimerChange;

use crate::ground::Ground;
use crate::parties::echo;

pub const NUMBER: &str = "16505551234";
pub const USER: &str = "US.13491208655302741918";
const LEASE: TimeDelta = TimeDelta::seconds(30);

pub fn person(ground: &Ground, wa_id: Option<&str>, user_id: Option<&str>) -> Party {
    let (tenant_id, channel_id) = (ground.tenant_id, ground.channel_id);
    Party { tenant_id, channel_id, wa_id: wa_id.map(str::to_owned), user_id: user_id.map(str::to_owned) }
}

pub async fn append(store: &Store, arrival: Arc<Arrival>) {
    store.append(&[arrival], Births::NONE).await.unwrap();
}

/// Claims the only lane, leaves this state and sets this timer.
async fn leave(ground: &Ground, store: &Store, state: &str, timer: &str) {
    let work = store.claim_events(&Claim::of(10, LEASE)).await.unwrap().pop().unwrap();
    let mut advance = Arc::into_inner(ground.answered(work)).unwrap();
    let handled = advance.handled.last_mut().unwrap();
    let (plugin, digest) = ("p@1".to_owned(), "0".repeat(64));
    handled.state = NextState::Set(Some(State { bytes: state.into(), plugin, digest }));
    let (id, due_at) = (ground.ambient.id(), ground.ambient.now() + TimeDelta::days(1));
    let (name, payload) = (timer.to_owned(), state.to_owned());
    handled.timers.push(TimerChange::Set { name, id, due_at, payload });
    assert_eq!(store.commit_runs(&[advance.into()], Births::NONE).await.unwrap().owned, [true]);
}

/// The conversations that go on: number, user id, state, and their timers.
pub async fn conversations(ground: &Ground) -> Vec<(Option<String>, Option<String>, Option<String>, Vec<String>)> {
    sqlx::query_as(
        "select ct.wa_id, ct.user_id, convert_from(cv.state, 'utf8'),
                array(select t.name || '=' || t.payload from timers t
                      where t.conversation_id = cv.id and t.contact_id = ct.id order by 1)
         from conversations cv join contacts ct on ct.id = cv.contact_id
         where cv.merged_into is null order by 1, 2",
    )
    .fetch_all(&ground.db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn two_contacts_that_are_one_person_go_on_as_one() {
    let ground = Ground::new().await;
    let (store, other) = (ground.process(), ground.process());
    append(&store, ground.message(NUMBER, "m1")).await;
    leave(&ground, &store, "by number", "reminder").await;
    ground.ambient.advance(TimeDelta::minutes(2));
    append(&other, ground.message_of(person(&ground, None, Some(USER)), "m2")).await;
    leave(&ground, &other, "by user id", "reminder").await;
    leave_waiting(&ground, &store, &other).await;
    assert_eq!(conversations(&ground).await.len(), 2);

    // The message that carries both comes by a process that knows of neither.
    let third = ground.process();
    append(&third, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m5")).await;
    let united = conversations(&ground).await;
    let [(wa_id, user_id, state, timers)] = united.as_slice() else { panic!("{united:?}") };
    assert_eq!((wa_id.as_deref(), user_id.as_deref()), (Some(NUMBER), Some(USER)));
    assert_eq!(state.as_deref(), Some("by user id"), "the state that was used last");
    assert_eq!(timers, &["reminder=by user id"]);

    // All that waits is in one lane, in the order in which it came.
    let work = third.claim_events(&Claim::of(10, LEASE)).await.unwrap();
    let [work] = work.as_slice() else { panic!("{work:?}") };
    let known: Vec<String> = sqlx::query_scalar("select external_id from events where id = any ($1) order by id")
        .bind(work.events.iter().map(|event| event.id).collect::<Vec<_>>())
        .fetch_all(&ground.db.pool)
        .await
        .unwrap();
    assert_eq!(known, ["m3", "m4", "m5"]);
    assert!(work.events.iter().all(|event| event.around.user_id.as_deref() == Some(USER)));
    let claimed = third.claim_deliveries(&Claim::of(10, LEASE), TimeDelta::zero()).await.unwrap();
    let [first] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!((first.wa_id.as_deref(), first.lease.more), (Some(NUMBER), true), "both answers are in one lane");

    // Processes that remember the former contacts find the one that is left.
    append(&other, ground.message_of(person(&ground, None, Some(USER)), "m6")).await;
    append(&store, ground.message(NUMBER, "m7")).await;
    let lanes = "select count(distinct contact_id) from lanes where stage = 0";
    assert_eq!(ground.db.count(lanes).await, 1);
    assert_eq!(ground.db.count("select count(*) from contacts where coalesce(wa_id, user_id) is not null").await, 1);
    assert_eq!(ground.db.count("select count(*) from merged_contacts").await, 1);
}

/// One event more of each.
async fn leave_waiting(ground: &Ground, store: &Store, other: &Store) {
    append(store, ground.message(NUMBER, "m3")).await;
    ground.ambient.advance(TimeDelta::minutes(2));
    append(other, ground.message_of(person(ground, None, Some(USER)), "m4")).await;
}

/// A text to this party, at this moment.
pub fn request(ground: &Ground, party: Party, send_at: Option<DateTime<Utc>>) -> Arc<SendRequest> {
    let message = Outbound {
        id: ground.ambient.id(),
        kind: "text".to_owned(),
        body: None,
        payload: r#"{"type": "text", "text": {"body": "hello"}}"#.to_owned(),
        idempotency_key: None,
        event_id: None,
        send_at,
        expires_at: None,
        max_attempts: None,
        marketing: false,
        free_form: true,
        trace: None,
    };
    Arc::new(SendRequest { party, message, priority: 1 })
}

#[tokio::test]
async fn what_waits_beside_the_lanes_goes_along() {
    let ground = Ground::new().await;
    let (store, stale) = (ground.process(), ground.process());
    append(&store, ground.message(NUMBER, "m1")).await;
    append(&store, ground.message_of(person(&ground, None, Some(USER)), "m2")).await;
    let by_user = || person(&ground, None, Some(USER));
    let later = Some(ground.ambient.now() + TimeDelta::hours(1));
    stale.enqueue(&[request(&ground, by_user(), later)], Births::NONE).await.unwrap();
    ground
        .db
        .execute(
            "insert into http_calls (tenant_id, id, conversation_id, contact_id, channel_id, name, request, ready_at, created_at)
             select c.tenant_id, c.id, c.id, c.contact_id, c.channel_id, 'call', '{}', now(), now()
             from conversations c join contacts o on o.id = c.contact_id where o.user_id is not null",
        )
        .await;
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m3")).await;

    // A process that remembers the former contact finds the one that is left: for messages now and later.
    stale.enqueue(&[request(&ground, by_user(), later)], Births::NONE).await.unwrap();
    stale.enqueue(&[request(&ground, by_user(), None)], Births::NONE).await.unwrap();
    let elsewhere = "select (select count(*) from scheduled where contact_id in (select contact_id from merged_contacts))
                          + (select count(*) from outbox where contact_id in (select contact_id from merged_contacts))
                          + (select count(*) from http_calls where contact_id in (select contact_id from merged_contacts))
                          + (select count(*) from lanes where contact_id in (select contact_id from merged_contacts))";
    assert_eq!(ground.db.count(elsewhere).await, 0);
    let there = "select count(*) from messages m join conversations c on c.id = m.conversation_id
                 where m.direction = 'OUT' and c.merged_into is null";
    assert_eq!(ground.db.count(there).await, 3, "all in the conversation that goes on");
    let calls = "select count(*) from http_calls h join conversations c on c.id = h.conversation_id
                 where c.merged_into is null and c.contact_id = h.contact_id";
    assert_eq!(ground.db.count(calls).await, 1);
    ground.ambient.advance(TimeDelta::hours(1));
    assert_eq!(store.move_due(10).await.unwrap(), Moved::Here(2));
    assert_eq!(ground.db.count("select count(distinct contact_id) from outbox").await, 1);
}

#[tokio::test]
async fn an_owner_of_either_lane_is_fenced_off_and_nothing_is_done_twice() {
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message(NUMBER, "m1")).await;
    append(&store, ground.message_of(person(&ground, None, Some(USER)), "m2")).await;
    let owned = store.claim_events(&Claim::of(10, LEASE)).await.unwrap();
    assert_eq!(owned.len(), 2);
    append(&ground.process(), ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m3")).await;
    for work in owned {
        let committed = store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap();
        assert_eq!(committed.owned, [false], "the lane is another's by now");
    }
    assert_eq!(ground.db.count("select count(*) from flow_runs").await, 0);
    let work = store.claim_events(&Claim::of(10, LEASE)).await.unwrap().pop().unwrap();
    assert_eq!(work.events.len(), 3);
    assert_eq!(store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap().owned, [true]);
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 0);
}

#[tokio::test]
async fn a_request_that_is_under_way_is_told_of_and_not_made_again() {
    let ground = Ground::new().await;
    let store = ground.process();
    for (party, id) in [(ground.party(NUMBER), "m1"), (person(&ground, None, Some(USER)), "m2")] {
        append(&store, ground.message_of(party, id)).await;
        let work = store.claim_events(&Claim::of(10, LEASE)).await.unwrap().pop().unwrap();
        store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap();
    }
    let under_way = store.claim_deliveries(&Claim::of(10, LEASE), TimeDelta::zero()).await.unwrap();
    assert_eq!(under_way.len(), 2);
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m3")).await;
    for one in under_way {
        let verdict = Verdict::Sent { wa_message_id: format!("wamid.{}", one.message_id) };
        let settlement = Settlement { lease: one.lease, message_id: one.message_id, attempts: 1, verdict };
        store.settle(&[settlement.into()]).await.unwrap();
    }
    // The one whose lane is gone is taken out by the next claim, without a request.
    ground.ambient.advance(LEASE);
    for _ in 0..3 {
        let again = store.claim_deliveries(&Claim::of(10, LEASE), TimeDelta::zero()).await.unwrap();
        assert!(again.is_empty(), "{again:?}");
    }
    assert_eq!(ground.db.count("select count(*) from outbox").await, 0);
    assert_eq!(ground.db.count("select count(*) from messages where status = 'sent' and attempts = 1").await, 2);
}

#[tokio::test]
async fn a_number_that_changes_stays_the_contacts_and_the_former_becomes_anybodys() {
    const NEW: &str = "4915112345678";
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message(NUMBER, "m1")).await;
    leave(&ground, &store, "state", "reminder").await;
    ground.ambient.advance(TimeDelta::minutes(2));
    let renamed = Renamed { wa_id: Some(NEW.to_owned()), user_id: None, former: vec![NUMBER.to_owned()] };
    let notice = ground.system(ground.party(NUMBER), "m2", renamed);
    append(&store, notice.clone()).await;
    append(&store, ground.message(NEW, "m3")).await;
    // What was sent before, and comes late.
    let before = ground.ambient.now() - TimeDelta::minutes(1);
    append(&ground.process(), ground.message_at(NUMBER, "m0", before)).await;
    append(&ground.process(), echo(&ground, ground.party(NUMBER), "e0", before)).await;
    let known = conversations(&ground).await;
    let [(wa_id, _, state, timers)] = known.as_slice() else { panic!("{known:?}") };
    assert_eq!((wa_id.as_deref(), state.as_deref(), timers.len()), (Some(NEW), Some("state"), 1));
    assert_eq!(ground.db.count("select count(distinct contact_id) from events").await, 1);

    // Months later somebody else has the number; Meta repeats the old notice.
    ground.ambient.advance(TimeDelta::days(200));
    append(&store, ground.message(NUMBER, "m4")).await;
    append(&store, notice).await;
    assert_eq!(conversations(&ground).await.len(), 2, "somebody else");
    assert_eq!(ground.db.count("select count(distinct contact_id) from events").await, 2);
}

#[tokio::test]
async fn an_opt_out_that_meets_a_merge_counts() {
    let ground = Ground::new().await;
    let (store, other) = (ground.process(), ground.process());
    append(&store, ground.message(NUMBER, "m1")).await;
    append(&store, ground.message_of(person(&ground, None, Some(USER)), "m2")).await;
    // The wish is written down and not committed when the merge begins.
    let mut wish = ground.db.pool.begin().await.unwrap();
    sqlx::query("update contacts set opted_out = true, consent_at = $2 where user_id = $1")
        .bind(USER)
        .bind(ground.ambient.now())
        .execute(&mut *wish)
        .await
        .unwrap();
    let both = ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m3");
    let merge = tokio::spawn(async move { append(&other, both).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!merge.is_finished(), "the merge waits for the wish");
    wish.commit().await.unwrap();
    merge.await.unwrap();
    let out = "select count(*) from contacts where wa_id is not null and user_id is not null and opted_out";
    assert_eq!(ground.db.count(out).await, 1);
}

#[tokio::test]
async fn whoever_names_what_was_merged_means_what_goes_on() {
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message(NUMBER, "m1")).await;
    append(&store, ground.message_of(person(&ground, None, Some(USER)), "m2")).await;
    let by_user = "select cv.id from conversations cv join contacts ct on ct.id = cv.contact_id where ct.user_id = $1";
    let ended: uuid::Uuid = sqlx::query_scalar(by_user).bind(USER).fetch_one(&ground.db.pool).await.unwrap();
    let text = request(&ground, person(&ground, None, Some(USER)), None);
    store.enqueue(std::slice::from_ref(&text), Births::NONE).await.unwrap();
    append(&store, ground.message_of(person(&ground, Some(NUMBER), Some(USER)), "m3")).await;
    // A message that keeps the ended conversation, as one does that was scheduled while the merge went on.
    sqlx::query("update messages set conversation_id = $1 where id = $2")
        .bind(ended)
        .bind(text.message.id)
        .execute(&ground.db.pool)
        .await
        .unwrap();
    assert_eq!(store.cancel(ground.tenant_id, text.message.id).await.unwrap(), Some(true));

    assert!(store.hand_off(ground.tenant_id, ended, "ask a person").await.unwrap());
    let handed_off = "select count(*) from conversations where handed_off_at is not null and merged_into is null";
    assert_eq!(ground.db.count(handed_off).await, 1);
    assert!(store.release(ground.tenant_id, ended).await.unwrap());
    assert_eq!(ground.db.count("select count(*) from conversations where handed_off_at is not null").await, 0);
}

#[tokio::test]
async fn what_meta_tells_of_a_contact_does_not_open_its_window_nor_keep_it_shut() {
    let ground = Ground::new().await;
    let store = ground.process();
    append(&store, ground.message(NUMBER, "m1")).await;
    ground.ambient.advance(TimeDelta::days(3));
    append(&store, ground.system(ground.party(NUMBER), "m2", Renamed::default())).await;
    let heard = "select max(last_inbound_at) from conversations";
    let opened = ground.ambient.now() - TimeDelta::hours(1);
    let is_open = async || {
        let at: DateTime<Utc> = sqlx::query_scalar(heard).fetch_one(&ground.db.pool).await.unwrap();
        at > opened
    };
    assert!(!is_open().await);
    let in_group = Inbound { group_id: Some("g".to_owned()), ..ground.text(ground.party(NUMBER)) };
    let in_group = Inbound { item: ground.item("message", "g1"), ..in_group };
    append(&store, Arc::new(Arrival::Message(in_group))).await;
    assert!(!is_open().await, "what is said in a group is not said to us");
    ground.ambient.advance(TimeDelta::seconds(30));
    append(&store, ground.message(NUMBER, "m3")).await;
    assert!(is_open().await);
}
