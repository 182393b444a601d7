//! A lane has one owner: what a former owner does after its lease ran out is refused.

use std::sync::Arc;

use chrono::TimeDelta;
use hoopoe_store::Store;
use hoopoe_store::deliveries::{Delivery, Settled, Settlement, Verdict};
use hoopoe_store::flow_work::{Advance, Work};
use hoopoe_store::lanes::{Births, Claim, Stage};
use hoopoe_testing::{At, PATIENCE, Proxy, Tenant, World};

const CONTACT: &str = "16505551234";
const LEASE: TimeDelta = TimeDelta::seconds(30);
const DOUBT: TimeDelta = TimeDelta::seconds(10);

/// A runtime that works on nothing by itself.
async fn start() -> (World, Tenant) {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    (world, tenant)
}

async fn claim(store: &Store) -> Option<Delivery> {
    let mut claimed = store.claim_deliveries(&Claim::of(10, LEASE), DOUBT).await.unwrap();
    assert!(claimed.len() < 2, "{claimed:?}");
    claimed.pop()
}

/// Whether the lane was still owned.
async fn settle(store: &Store, delivery: &Delivery, verdict: Verdict) -> bool {
    let Delivery { lease, message_id, attempt, .. } = *delivery;
    let settlement = Arc::new(Settlement { lease, message_id, attempts: attempt, verdict });
    store.settle(&[settlement]).await.unwrap()[0] != Settled::Lost
}

fn sent(wa_message_id: &str) -> Verdict {
    Verdict::Sent { wa_message_id: wa_message_id.to_owned() }
}

fn dead() -> Verdict {
    Verdict::Dead { error: r#"{"message":"an old owner's opinion"}"#.to_owned(), expired: false, asked: true }
}

#[tokio::test]
async fn a_verdict_of_a_former_owner_is_refused() {
    let (world, tenant) = start().await;
    let store = world.store();
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    let first = claim(store).await.unwrap();
    assert_eq!((first.message_id, first.attempt), (id, 1));
    assert!(claim(store).await.is_none(), "the lane has an owner");

    world.advance(LEASE);
    assert!(claim(store).await.is_none(), "nobody knows whether the first owner sent it");
    assert_eq!(world.api.message(&tenant, id).await["status"], "sending");
    world.advance(DOUBT);
    let second = claim(store).await.unwrap();
    assert_eq!((second.message_id, second.attempt), (id, 2));

    let later = Verdict::Retry { at: world.now(), error: "{}".to_owned() };
    assert!(!settle(store, &first, later).await);
    assert!(!settle(store, &first, dead()).await);
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"sending".into(), &2.into()), "{message}");
    let steps = message["timeline"].as_array().unwrap();
    let step = (&steps[0]["status"], &steps[0]["detail"]["class"], &steps[0]["detail"]["attempt"]);
    assert_eq!((steps.len(), step), (1, (&"unknown".into(), &"ambiguous".into(), &1.into())), "{message}");

    assert!(settle(store, &second, sent("wamid.second")).await);
    assert!(!settle(store, &second, dead()).await, "the lane is gone");
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["waMessageId"]), (&"sent".into(), &"wamid.second".into()));
    assert_eq!(world.db.count("select count(*) from outbox").await, 0);
    world.end().await;
}

#[tokio::test]
async fn an_acceptance_that_a_former_owner_tells_too_late_is_not_forgotten() {
    let (world, tenant) = start().await;
    let store = world.store();
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    let first = claim(store).await.unwrap();
    world.advance(LEASE);
    assert!(claim(store).await.is_none());
    assert!(!settle(store, &first, sent("wamid.first")).await, "the lane is in other hands");
    world.advance(DOUBT);
    assert!(claim(store).await.is_none(), "it is known that Meta has it");
    assert_eq!(world.api.message(&tenant, id).await["waMessageId"], "wamid.first");
    assert_eq!(world.db.count("select (select count(*) from outbox) + (select count(*) from lanes)").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_message_queued_while_the_lane_has_an_owner_comes_after_it() {
    let (world, tenant) = start().await;
    let store = world.store();
    let one = world.api.send(&tenant, CONTACT, "one").await;
    let first = claim(store).await.unwrap();
    let two = world.api.send(&tenant, CONTACT, "two").await;
    assert!(claim(store).await.is_none(), "the lane has an owner");
    assert!(settle(store, &first, sent("wamid.one")).await);
    let second = claim(store).await.unwrap();
    assert_eq!((first.message_id, second.message_id), (one, two));
    world.end().await;
}

#[tokio::test]
async fn an_old_process_cannot_advance_a_lane_that_has_been_taken_over() {
    let (world, tenant) = start().await;
    let store = world.store();
    world.says(&tenant, CONTACT, "hello").await;
    let claim = async || -> Option<Work> { store.claim_events(&Claim::of(10, LEASE)).await.unwrap().pop() };
    let first = claim().await.unwrap();
    assert!(claim().await.is_none(), "the lane has an owner");
    world.advance(LEASE);
    let second = claim().await.unwrap();
    assert_eq!(first.events[0].id, second.events[0].id);

    let advance = async |work: &Work| -> bool {
        let done_event = work.events[0].id;
        let advance = Advance { lease: work.lease, handled: Vec::new(), done_event, again: None, is_paused: false };
        store.commit_runs(&[Arc::new(advance)], Births::NONE).await.unwrap().owned[0]
    };
    assert!(!advance(&first).await);
    assert_eq!(world.db.count("select count(*) from lanes").await, 1, "the event is still to be done");
    assert!(advance(&second).await);
    assert_eq!(world.db.count("select count(*) from lanes").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_request_that_takes_long_keeps_its_lane() {
    let world = World::builder()
        .system_clock()
        .set("LEASE", "200ms")
        .sim(|sim| sim.latency = std::time::Duration::from_secs(1))
        .start()
        .await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let id = world.api.send(&tenant, CONTACT, "slow").await;
    world.idle().await;
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{message}");
    let steps = message["timeline"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["status"] != "unknown"), "{message}");
    assert_eq!(world.sim.requests(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_heartbeat_holds_only_what_is_still_owned() {
    let (world, tenant) = start().await;
    let store = world.store();
    world.api.send(&tenant, CONTACT, "hello").await;
    let first = claim(store).await.unwrap();
    world.advance(LEASE / 2);
    store.extend_leases(Stage::Delivery, &[first.lease], LEASE).await.unwrap();
    world.advance(LEASE / 2);
    assert!(claim(store).await.is_none(), "the end was put off");
    world.advance(LEASE / 2);
    assert!(claim(store).await.is_none(), "it is in doubt, and waits without an owner");
    // What the former owner says now holds nothing up.
    store.extend_leases(Stage::Delivery, &[first.lease], TimeDelta::hours(1)).await.unwrap();
    world.advance(DOUBT);
    assert_eq!(claim(store).await.unwrap().attempt, 2);
    world.end().await;
}

#[tokio::test]
async fn who_was_held_up_until_the_lease_was_over_sends_nothing() {
    let mut world = World::builder().roles("api").start().await;
    let proxy = Proxy::start(&world.db.url).await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    world.set("DATABASE_URL", &proxy.url());
    world.set_roles("api,delivery");
    // The claim is committed; the claimer hears of it when it is no longer true.
    proxy.once(At::Answer, "state = 'sending'");
    world.restart().await;
    proxy.happened().await;
    let store = world.store().clone();
    world.advance(LEASE);
    assert!(claim(&store).await.is_none(), "nobody knows whether the first owner sent it");
    world.advance(DOUBT);
    let second = claim(&store).await.unwrap();
    assert_eq!((second.message_id, second.attempt), (id, 2));
    proxy.release();

    // A message to somebody else goes out after that.
    world.api.send(&tenant, "16505551235", "hello").await;
    world.sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    assert!(settle(&store, &second, sent("wamid.second")).await);
    world.idle().await;
    assert_eq!(world.sim.times(CONTACT, "hello"), 0, "it was sent although the lease was over");
    assert_eq!(world.sim.requests(), 1);
    world.end().await;
}
