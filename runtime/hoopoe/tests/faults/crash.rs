//! The process dies between each two steps of a message's way; the next one carries on: nothing is lost, nothing is
//! sent twice.

use std::os::unix::process::ExitStatusExt;

use hoopoe_testing::{Database, PATIENCE, Process, eventually, settings, sim_options};
use meta_sim::{Inbound, Sim};

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");
const CONTACT: &str = "16505551234";
const SIGABRT: i32 = 6;

/// One message, through a process that dies at `place` and one that does not.
async fn survives(place: &str) {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let mut environment = settings(&db, &sim);
    for (name, value) in [
        ("LEASE", "2s"),
        ("GRAPH_TIMEOUT", "1s"),
        ("GRAPH_CONNECT_TIMEOUT", "1s"),
        // The simulator posts a status again after a second at the latest.
        ("UNKNOWN_OUTCOME_WAIT", "3s"),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    let mut doomed = environment.clone();
    doomed.insert("HOOPOE_CRASH_AT".to_owned(), place.to_owned());

    let process = Process::start(HOOPOE, &doomed).await;
    sim.set_webhook(&process.api.webhook_url());
    let tenant = process.api.register("Acme", "106540352242922", "token").await;
    let message = Inbound::text(&tenant.phone_number_id, CONTACT, "hello");
    let mut delivery = sim.receive(message.clone()).await;
    let ended = process.wait().await;
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}", ended.log);
    assert!(ended.log.contains(&format!("crash point {place}")), "{}", ended.log);
    assert!(place != "webhook.committed" || !delivery.is_acknowledged());

    // Nobody is there until the leases of the dead are over: the next process finds their work at once, while statuses
    // that had no reader have yet to come.
    let leased = "select count(*) from lanes where ready_at > now()";
    eventually("all leases are over", async || db.count(leased).await == 0).await;
    let process = Process::start(HOOPOE, &environment).await;
    sim.set_webhook(&process.api.webhook_url());
    // Meta posts again what was not acknowledged; it had been stored.
    if !delivery.is_acknowledged() {
        delivery = sim.receive(message).await;
        assert!(delivery.is_acknowledged() && delivery.body.contains(r#""repeated":1"#), "{delivery:?}");
    }
    sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    db.idle().await;
    sim.wait_for_webhook_idle(PATIENCE).await.unwrap();

    assert_eq!(sim.times(CONTACT, "thanks for reaching us\n- team Acme"), 1, "{}", process.log());
    assert_eq!(sim.accepted_count(), 1);
    let messages = process.api.messages(&tenant).await;
    let [inbound, outbound] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((&inbound["direction"], &outbound["status"]), (&"IN".into(), &"read".into()));
    assert_eq!(db.count("select count(*) from events").await, 1);
    assert_eq!(db.count("select count(*) from flow_runs where result = 'done'").await, 1);

    // The next message goes its way as if nothing had happened.
    assert!(sim.receive(Inbound::text(&tenant.phone_number_id, CONTACT, "again")).await.is_acknowledged());
    sim.wait_for_accepted(2, PATIENCE).await.unwrap();
    db.idle().await;
    assert_eq!(sim.accepted_count(), 2);
    assert!(process.terminate().await.status.success());
}

#[tokio::test]
async fn after_the_commit_of_a_webhook_and_before_its_answer() {
    survives("webhook.committed").await;
}

#[tokio::test]
async fn after_the_claim_of_an_event_and_before_its_flow() {
    survives("flow.claimed").await;
}

#[tokio::test]
async fn after_the_flow_and_before_its_commit() {
    survives("flow.ran").await;
}

#[tokio::test]
async fn after_the_commit_of_a_flow() {
    survives("flow.committed").await;
}

#[tokio::test]
async fn after_the_claim_of_a_message_and_before_the_call_of_meta() {
    survives("delivery.claimed").await;
}

#[tokio::test]
async fn after_the_call_of_meta_and_before_the_commit() {
    survives("delivery.called").await;
}

#[tokio::test]
async fn after_the_commit_of_a_delivery() {
    survives("delivery.settled").await;
}
