//! Many processes append, claim, commit and die at once. Whatever happens: no lane has two owners, no work is without
//! a lane, nothing is done twice and nothing is left out.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_store::Store;
use hoopoe_store::deliveries::{Settled, Settlement, Verdict};
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::lanes::{Births, Claim, LaneKey};
use hoopoe_telemetry::metrics::labels::Writer;
use tokio::task::JoinSet;

use crate::ground::{Ground, journal};

const CONTACTS: usize = 5;
const EVENTS: usize = 160;
const APPENDERS: usize = 2;
const WORKERS: usize = 4;
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The story ends long before; this only ends one that hangs.
const BOUND: Duration = Duration::from_secs(30);

struct Story {
    ground: Ground,
    /// Lanes that a worker holds now, by stage.
    held: [Mutex<HashSet<LaneKey>>; 2],
    handled: AtomicUsize,
    settled: AtomicUsize,
    taken_over: AtomicUsize,
    over: AtomicBool,
    /// Whether workers die with lanes in their hands.
    deaths: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_lane_has_two_owners_and_nothing_is_lost_or_repeated() {
    let story = tell(false).await;
    assert_eq!(story.taken_over.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_die_or_come_late_cost_nothing() {
    let story = tell(true).await;
    assert!(story.taken_over.load(Ordering::SeqCst) > 0, "nobody came late");
}

async fn tell(deaths: bool) -> Arc<Story> {
    let story = Arc::new(Story {
        ground: Ground::new().await,
        held: Default::default(),
        handled: AtomicUsize::new(0),
        settled: AtomicUsize::new(0),
        taken_over: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        deaths,
    });
    let mut tasks = JoinSet::new();
    for n in 0..APPENDERS {
        tasks.spawn(append(story.clone(), n));
    }
    for n in 0..WORKERS {
        tasks.spawn(work(story.clone(), n));
        tasks.spawn(deliver(story.clone()));
    }
    let rewrite = tokio::spawn(rewrite(story.clone()));
    let watch = tokio::spawn(watch(story.clone()));
    let all = async {
        while let Some(task) = tasks.join_next().await {
            task.unwrap()
        }
    };
    if tokio::time::timeout(BOUND, all).await.is_err() {
        let (handled, settled) = (&story.handled, &story.settled);
        panic!("it hangs: {handled:?} of {EVENTS} events are handled, {settled:?} messages are settled");
    }
    story.over.store(true, Ordering::SeqCst);
    assert!(watch.await.unwrap() > 0, "nobody looked");
    assert!(rewrite.await.unwrap() > 0, "the tables stayed as they were");
    story.come_to_rest().await;
    story.check().await;
    story
}

/// A process that appends every second event, contact by contact in turn; all come to two processes in the end.
async fn append(story: Arc<Story>, n: usize) {
    let store = story.ground.process();
    let journal = journal(&store, 4);
    let answers: Vec<_> = (n..EVENTS)
        .step_by(APPENDERS)
        .map(|event| {
            let contact = format!("1650555{:04}", event / APPENDERS % CONTACTS);
            journal.submit(story.ground.message(&contact, &format!("wamid.{event}"))).unwrap()
        })
        .collect();
    for answer in answers {
        answer.committed().await.unwrap();
    }
}

/// A process that runs flows.
async fn work(story: Arc<Story>, n: usize) {
    let store = story.ground.process();
    let writer = store.clone();
    let commits = GroupCommit::start(Writer::Runs, sizes(), &store.turns, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { Ok(store.commit_runs(&batch, Births::NONE).await?.owned) })
    });
    let mut claims = 0;
    while story.handled.load(Ordering::SeqCst) < EVENTS {
        let mut claimed = Vec::new();
        for work in claim(&store).await {
            claims += 1;
            story.take(0, work.lease.lane);
            if story.deaths && (claims + n).is_multiple_of(5) {
                // It dies, and time passes: what others hold runs out as well, so they come late.
                story.ground.ambient.advance(LEASE);
                continue;
            }
            claimed.push((work.lease.lane, work.events.len(), story.ground.answered(work)));
        }
        if story.deaths && claimed.is_empty() {
            // Lanes of owners that are gone are looked for each second.
            story.ground.ambient.advance(TimeDelta::seconds(1));
        }
        for (lane, events, advance) in claimed {
            story.give_back(0, lane);
            if commits.write(advance).await.unwrap() {
                story.handled.fetch_add(events, Ordering::SeqCst);
            } else {
                story.taken_over.fetch_add(1, Ordering::SeqCst);
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn claim(store: &Store) -> Vec<hoopoe_store::flow_work::Work> {
    store.claim_events(&Claim::of(3, LEASE)).await.unwrap()
}

/// A process that delivers; Meta takes everything at once.
async fn deliver(story: Arc<Story>) {
    let store = story.ground.process();
    let writer = store.clone();
    let settlements = GroupCommit::start(Writer::Settlements, sizes(), &store.turns, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { store.settle(&batch).await })
    });
    while story.settled.load(Ordering::SeqCst) < EVENTS {
        // Nothing dies here: a lease that outlives the story, and no doubt.
        let claimed = store.claim_deliveries(&Claim::of(3, TimeDelta::days(300)), TimeDelta::zero()).await.unwrap();
        for one in &claimed {
            story.take(1, one.lease.lane);
        }
        for one in claimed {
            story.give_back(1, one.lease.lane);
            let verdict = Verdict::Sent { wa_message_id: format!("wamid.{}", one.message_id) };
            let settlement =
                Settlement { lease: one.lease, message_id: one.message_id, attempts: one.attempt, verdict };
            assert_eq!(settlements.write(settlement).await.unwrap(), Settled::Written, "the lane was taken over");
            story.settled.fetch_add(1, Ordering::SeqCst);
        }
        tokio::task::yield_now().await;
    }
}

/// A process that fills the queue's tables anew again and again, each time after so much is gone from them that it is worth
/// it. Gives how often the lanes' file is another one.
async fn rewrite(story: Arc<Story>) -> usize {
    let store = story.ground.process();
    let file = async || story.ground.db.count("select pg_relation_filenode('lanes')::bigint").await;
    let mut files = HashSet::from([file().await]);
    while !story.over.load(Ordering::SeqCst) {
        let mut gone = story.ground.db.pool.begin().await.unwrap();
        for statement in [
            "insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
             select gen_random_uuid(), gen_random_uuid(), 0, now(), 0 from generate_series(1, 12000)",
            "delete from lanes where ready_at = now()",
        ] {
            sqlx::query(statement).execute(&mut *gone).await.unwrap();
        }
        gone.commit().await.unwrap();
        store.rewrite().await.unwrap();
        files.insert(file().await);
    }
    files.len() - 1
}

/// Looks again and again, each time at one moment of the whole database. Gives how often.
async fn watch(story: Arc<Story>) -> usize {
    let mut looks = 0;
    while !story.over.load(Ordering::SeqCst) {
        let lost = "select count(*) from events e where contact_id is not null
            and not exists (select from flow_runs r where r.tenant_id = e.tenant_id and r.event_id = e.id)
            and not exists (select from lanes l where l.tenant_id = e.tenant_id and l.contact_id = e.contact_id
                            and l.stage = 0 and l.done_event < e.id)";
        assert_eq!(story.ground.db.count(lost).await, 0, "events without a lane");
        let stuck = "select count(*) from outbox o where not exists (
            select from lanes l where l.tenant_id = o.tenant_id and l.contact_id = o.contact_id and l.stage = 1)";
        assert_eq!(story.ground.db.count(stuck).await, 0, "messages without a lane");
        let skipped = "select count(*) from lanes l join events e on e.tenant_id = l.tenant_id
            and e.contact_id = l.contact_id and e.id <= l.done_event where l.stage = 0
            and not exists (select from flow_runs r where r.tenant_id = e.tenant_id and r.event_id = e.id)";
        assert_eq!(story.ground.db.count(skipped).await, 0, "events that count as done and are not");
        looks += 1;
    }
    looks
}

fn sizes() -> Sizes {
    Sizes { batch: 128, queue: 128, writers: 1, linger: None }
}

impl Story {
    fn take(&self, stage: usize, lane: LaneKey) {
        let alone = self.held[stage].lock().unwrap().insert(lane);
        // With deaths leases run out, and then a second owner is right.
        assert!(alone || (self.deaths && stage == 0), "stage {stage}: {lane:?} has two owners");
    }

    fn give_back(&self, stage: usize, lane: LaneKey) {
        self.held[stage].lock().unwrap().remove(&lane);
    }

    /// Who took as many events as fit left a lane behind that has nothing in it, or died with one.
    async fn come_to_rest(&self) {
        let store = self.ground.process();
        self.ground.ambient.advance(LEASE);
        loop {
            let claimed = claim(&store).await;
            if claimed.is_empty() {
                return;
            }
            for work in claimed {
                eprintln!("LEFT {:?}", work.lease);
                assert!(work.events.is_empty(), "an event was left");
                store.commit_runs(&[self.ground.answered(work)], Births::NONE).await.unwrap();
            }
        }
    }

    /// What is true in the end.
    async fn check(&self) {
        let expected = i64::try_from(EVENTS).unwrap();
        for (what, query) in [
            ("events", "select count(*) from events"),
            ("events that were run", "select count(distinct event_id) from flow_runs"),
            ("runs", "select count(*) from flow_runs"),
            ("answers", "select count(*) from messages where direction = 'OUT'"),
            ("events that were answered", "select count(distinct event_id) from messages where direction = 'OUT'"),
            ("answers that were sent once", "select count(*) from messages where status = 'sent' and attempts = 1"),
            ("acceptances", "select count(*) from messages where accepted_at is not null"),
        ] {
            assert_eq!(self.ground.db.count(query).await, expected, "{what}");
        }
        assert_eq!(self.ground.db.count("select count(*) from lanes").await, 0, "no lane is left");
        assert_eq!(self.ground.db.count("select count(*) from outbox").await, 0, "nothing waits");

        // Answers got their ids as their events were handled: each contact's events were handled in order.
        let answers: Vec<(uuid::Uuid, i64)> =
            sqlx::query_as("select conversation_id, event_id from messages where direction = 'OUT' order by id")
                .fetch_all(&self.ground.db.pool)
                .await
                .unwrap();
        let mut by_contact: HashMap<uuid::Uuid, Vec<i64>> = HashMap::new();
        for (conversation, event) in answers {
            by_contact.entry(conversation).or_default().push(event);
        }
        assert_eq!(by_contact.len(), CONTACTS);
        assert!(by_contact.values().all(|events| events.is_sorted()), "{by_contact:?}");
    }
}
