//! A merge of two contacts while several processes append, run flows and deliver for both.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_store::deliveries::{Settlement, Verdict};
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::lanes::{Births, Claim};
use hoopoe_telemetry::metrics::labels::Writer;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ground::{Ground, journal};
use crate::identity::{NUMBER, USER, person};

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
