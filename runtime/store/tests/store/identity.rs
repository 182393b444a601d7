//! People who turn out to be one: conversation, state, timers, queued messages and order survive, whoever works on their
//! lanes meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_store::Store;
use hoopoe_store::contacts::Party;
use hoopoe_store::deliveries::{Settlement, Verdict};
use hoopoe_store::flow_work::{NextState, State};
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::identity::Renamed;
use hoopoe_store::journal::Arrival;
use hoopoe_store::lanes::{Births, Claim};
use hoopoe_store::timers::TimerChange;
use hoopoe_telemetry::metrics::labels::Writer;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ground::{Ground, journal};

const NUMBER: &str = "16505551234";
const USER: &str = "US.13491208655302741918";
const LEASE: TimeDelta = TimeDelta::seconds(30);

fn person(ground: &Ground, wa_id: Option<&str>, user_id: Option<&str>) -> Party {
    let (tenant_id, channel_id) = (ground.tenant_id, ground.channel_id);
    Party { tenant_id, channel_id, wa_id: wa_id.map(str::to_owned), user_id: user_id.map(str::to_owned) }
}

async fn append(store: &Store, arrival: Arc<Arrival>) {
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
async fn conversations(ground: &Ground) -> Vec<(Option<String>, Option<String>, Option<String>, Vec<String>)> {
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
    append(&ground.process(), ground.message_at(NUMBER, "m0", ground.ambient.now() - TimeDelta::minutes(1))).await;
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

const EVENTS: usize = 90;
/// Longer than the story, and how long a message in doubt waits.
const LONG: TimeDelta = TimeDelta::days(300);
const DOUBT: TimeDelta = TimeDelta::seconds(10);

/// Several processes append, run flows and deliver while the two contacts are united.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_works_meanwhile_everything_is_done_once_and_in_order() {
    let ground = Arc::new(Ground::new().await);
    let (handled, settled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let calls = Arc::new(RwLock::new(()));
    let mut tasks = JoinSet::new();
    for process in 0..3 {
        let ground = ground.clone();
        tasks.spawn(async move {
            let store = ground.process();
            let journal = journal(&store, 4);
            for event in (process..EVENTS).step_by(3) {
                let (number, user) = (Some(NUMBER), Some(USER));
                let party = match (event, event % 3) {
                    (40, _) => person(&ground, number, user),
                    (_, 0) => person(&ground, number, None),
                    (_, 1) => person(&ground, None, user),
                    _ if event > 50 => person(&ground, number, user),
                    _ => person(&ground, None, user),
                };
                journal.write(ground.message_of(party, &format!("{event:03}"))).await.unwrap();
            }
        });
    }
    for _ in 0..3 {
        tasks.spawn(run(ground.clone(), handled.clone()));
        tasks.spawn(deliver(ground.clone(), settled.clone(), calls.clone()));
    }
    let all = async {
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(40), all).await;
    assert!(in_time.is_ok(), "it hangs: {handled:?} handled, {settled:?} settled of {EVENTS}");

    for (what, query, expected) in [
        ("people", "select count(*) from contacts where coalesce(wa_id, user_id) is not null", 1),
        ("events", "select count(*) from events", EVENTS),
        ("events that were run", "select count(distinct event_id) from flow_runs", EVENTS),
        ("runs", "select count(*) from flow_runs", EVENTS),
        ("answers", "select count(*) from messages where direction = 'OUT'", EVENTS),
        ("sent once", "select count(*) from messages where status = 'sent' and attempts = 1", EVENTS),
        ("lanes", "select count(*) from lanes", 0),
        ("outbox", "select count(*) from outbox", 0),
    ] {
        assert_eq!(ground.db.count(query).await, i64::try_from(expected).unwrap(), "{what}");
    }
    // Since the merge there is one lane: its events were answered in their order.
    let answers: Vec<(Uuid, i64)> = sqlx::query_as(
        "select e.contact_id, m.event_id from messages m join events e on e.id = m.event_id
         where m.direction = 'OUT' order by m.id",
    )
    .fetch_all(&ground.db.pool)
    .await
    .unwrap();
    let united: Uuid =
        sqlx::query_scalar("select into_id from merged_contacts").fetch_one(&ground.db.pool).await.unwrap();
    let merge: Vec<i64> = answers.iter().filter(|(contact, _)| *contact == united).map(|(_, event)| *event).collect();
    let last: Vec<i64> = merge.iter().copied().skip(merge.len() - 15).collect();
    assert!(last.is_sorted(), "{merge:?}");
    let mut by_event: HashMap<i64, usize> = HashMap::new();
    answers.iter().for_each(|(_, event)| *by_event.entry(*event).or_default() += 1);
    assert!(by_event.values().all(|times| *times == 1), "{by_event:?}");
}

fn sizes() -> Sizes {
    Sizes { batch: 16, queue: 64, writers: 1, linger: None }
}

async fn run(ground: Arc<Ground>, handled: Arc<AtomicUsize>) {
    let store = ground.process();
    let writer = store.clone();
    let commits = GroupCommit::start(Writer::Runs, sizes(), &store.turns, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { Ok(store.commit_runs(&batch, Births::NONE).await?.owned) })
    });
    let left = "select count(*) from lanes where stage = 0";
    while handled.load(Ordering::SeqCst) < EVENTS || ground.db.count(left).await > 0 {
        for work in store.claim_events(&Claim::of(2, LONG)).await.unwrap() {
            let events = work.events.len();
            tokio::task::yield_now().await;
            if commits.write(ground.answered(work)).await.unwrap() {
                handled.fetch_add(events, Ordering::SeqCst);
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Meta takes everything at once. Time passes while no call is under way: so a doubt is never shorter than a call.
async fn deliver(ground: Arc<Ground>, settled: Arc<AtomicUsize>, calls: Arc<RwLock<()>>) {
    let store = ground.process();
    loop {
        let under_way = calls.read().await;
        let claimed = store.claim_deliveries(&Claim::of(2, LONG), DOUBT).await.unwrap();
        let is_idle = claimed.is_empty();
        for one in claimed {
            tokio::task::yield_now().await;
            let verdict = Verdict::Sent { wa_message_id: format!("wamid.{}", one.message_id) };
            let (lease, message_id) = (one.lease, one.message_id);
            let settlement = Settlement { lease, message_id, attempts: one.attempt, verdict };
            store.settle(&[settlement.into()]).await.unwrap();
            settled.fetch_add(1, Ordering::SeqCst);
        }
        drop(under_way);
        if is_idle {
            // What was accepted by an owner whose lane is gone is taken out after that.
            if settled.load(Ordering::SeqCst) >= EVENTS
                && ground.db.count("select count(*) from outbox").await == 0
                && ground.db.count("select count(*) from lanes").await == 0
            {
                return;
            }
            let _alone = calls.write().await;
            ground.ambient.advance(DOUBT);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
