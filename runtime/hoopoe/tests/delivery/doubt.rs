//! Requests whose outcome nobody knows: a status decides, and only without one the message is sent again.

use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_testing::{PATIENCE, Tenant, World, eventually_some};
use meta_sim::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CONTACT, contact, post, start_with, steps};

const LONG: Duration = Duration::from_secs(60);
/// `UNKNOWN_OUTCOME_WAIT`, unless set.
const DOUBT: TimeDelta = TimeDelta::seconds(30);

async fn start() -> (World, Tenant) {
    start_with(World::builder().set("GRAPH_TIMEOUT", "400ms")).await
}

/// The message, once it has this status.
async fn until(world: &World, tenant: &Tenant, id: Uuid, status: &str) -> Value {
    let look = async || Some(world.api.message(tenant, id).await).filter(|message| message["status"] == status);
    eventually_some(status, look).await
}

/// How many messages have this status.
async fn listed(world: &World, tenant: &Tenant, status: &str) -> usize {
    let path = format!("/tenants/{}/messages?status={status}", tenant.id);
    let (_, page) = world.api.get(&path, &tenant.key).await;
    page["messages"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_meta_has_is_never_sent_again() {
    let (world, tenant) = start().await;
    let faults = [Fault::ResetAfterBody, Fault::Garbage200, Fault::AcceptThenHang(LONG)];
    let mut ids = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        world.sim.fail_to(&contact(number), fault.clone(), 1);
        ids.push(world.api.send(&tenant, &contact(number), "one").await);
        world.api.send(&tenant, &contact(number), "two").await;
    }
    // The clock stands: it is the status that ends the doubt, and lets the contact's next message go.
    world.idle().await;
    world.advance(DOUBT);
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (6, 6));
    for (number, fault) in faults.iter().enumerate() {
        let message = world.api.message(&tenant, ids[number]).await;
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{fault:?}");
        assert_eq!(
            message["waMessageId"],
            world
                .sim
                .accepted()
                .iter()
                .find(|one| { one.to == contact(number) && one.text.as_deref() == Some("one") })
                .unwrap()
                .wamid
                .as_str()
        );
        assert!(steps(&message).contains(&"unknown"), "{fault:?}: {message}");
    }
    world.end().await;
}

#[tokio::test]
async fn of_a_reply_in_parts_only_what_meta_does_not_have_goes_once_more() {
    for (fault, requests) in [(Fault::ResetAfterBody, 3), (Fault::ResetAfterBodyLost, 4)] {
        let builder = World::builder().plugin("test-guest").set("PAIR_BURST", "1").set("PAIR_PERIOD", "6s");
        let (world, tenant) = start_with(builder).await;
        world.set_flow(&tenant, "test-guest", &["message"]).await;
        world.says(&tenant, CONTACT, "many 3").await;
        assert_eq!(world.waits().await.len(), 1, "the second part waits for its place");
        assert_eq!(world.sim.accepted_count(), 1);
        world.sim.fail_to(CONTACT, fault.clone(), 1);
        // The second part, the doubt, perhaps the second part once more, and the third.
        for _ in 0..6 {
            world.waits().await;
            world.sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
            world.advance_past_waits().await;
        }
        world.idle().await;
        let accepted = world.sim.accepted();
        let texts: Vec<&str> = accepted.iter().filter_map(|one| one.text.as_deref()).collect();
        assert_eq!(texts, ["part 1", "part 2", "part 3"], "{fault:?}");
        assert_eq!(world.sim.requests(), requests, "{fault:?}");
        world.end().await;
    }
}

#[tokio::test]
async fn what_meta_lost_is_sent_once_more_after_the_wait() {
    let (world, tenant) = start().await;
    let faults = [Fault::ResetAfterBodyLost, Fault::Hang(LONG)];
    let mut ids = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        world.sim.fail_to(&contact(number), fault.clone(), 1);
        ids.push(world.api.send(&tenant, &contact(number), "hello").await);
    }
    assert_eq!(world.waits().await, [DOUBT, DOUBT]);
    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (2, 0));
    for id in &ids {
        let message = world.api.message(&tenant, *id).await;
        assert_eq!((&message["status"], &message["error"]["class"]), (&"sending".into(), &"ambiguous".into()));
    }
    assert_eq!((listed(&world, &tenant, "sending").await, listed(&world, &tenant, "queued").await), (2, 0));
    world.advance(DOUBT);
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (4, 2));
    for (number, fault) in faults.iter().enumerate() {
        let message = world.api.message(&tenant, ids[number]).await;
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &2.into()), "{fault:?}");
        assert_eq!(steps(&message)[0], "unknown");
    }
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time_is_in_doubt() {
    // The whole request might take a minute.
    let times = [("GRAPH_TIMEOUT", "60s"), ("GRAPH_CONNECT_TIMEOUT", "200ms"), ("GRAPH_FIRST_BYTE_TIMEOUT", "300ms")];
    let builder = times.into_iter().fold(World::builder(), |builder, (name, value)| builder.set(name, value));
    let world = builder.start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.sim.fail_next(Fault::AcceptThenHang(LONG), 1);
    world.sim.configure(|options| options.webhook_url = Some("http://127.0.0.1:1/".to_owned()));
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    assert_eq!(world.waits().await, [DOUBT]);
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["error"]["class"]), (&"sending".into(), &"ambiguous".into()), "{message}");
    world.end().await;
}

#[tokio::test]
async fn a_late_status_ends_the_doubt_before_the_wait_is_over() {
    let (world, tenant) = start().await;
    // Nothing is heard of the message until the test lets the statuses go.
    world.sim.configure(|options| options.webhook_url = Some("http://127.0.0.1:1/".to_owned()));
    world.sim.fail_next(Fault::ResetAfterBody, 1);
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    assert_eq!(world.waits().await, [DOUBT]);
    world.advance(DOUBT - TimeDelta::seconds(1));
    assert_eq!(world.waits().await, [TimeDelta::seconds(1)]);
    world.sim.set_webhook(&world.api.webhook_url());
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (1, 1));
    assert_eq!(world.api.message(&tenant, id).await["status"], "read");
    world.end().await;
}

#[tokio::test]
async fn what_waits_for_another_try_after_a_doubt_is_not_taken_back_and_a_status_stops_it() {
    let (world, tenant) = start().await;
    world.sim.configure(|options| options.webhook_url = Some("http://127.0.0.1:1/".to_owned()));
    // Accepted, but nobody knows; then surely refused; then the status of the first comes.
    world.sim.fail_next(Fault::ResetAfterBody, 1);
    world.sim.fail_next(Fault::code(131000), 1);
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    world.advance_past_waits().await;
    assert_eq!(world.waits().await.len(), 1);
    assert_eq!(world.api.message(&tenant, id).await["status"], "queued");
    let cancel = format!("/tenants/{}/messages/{id}/cancel", tenant.id);
    let (status, answer) = world.api.post(&cancel, &tenant.key, &json!({})).await;
    assert_eq!(status, 409, "Meta may have it: {answer}");
    world.sim.set_webhook(&world.api.webhook_url());
    world.sim.wait_for_statuses(3, hoopoe_testing::PATIENCE).await.unwrap();
    world.advance_past_waits().await;
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (2, 1));
    assert_eq!(world.api.message(&tenant, id).await["status"], "read");
    world.end().await;
}

#[tokio::test]
async fn doubt_without_end_is_a_dead_letter() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::ResetAfterBodyLost, 100);
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    for _ in 0..11 {
        assert_eq!(world.waits().await, [DOUBT]);
        world.advance(DOUBT);
    }
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (11, 0));
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["error"]["class"]), (&"failed".into(), &"exhausted".into()), "{message}");
    assert_eq!(message["attempts"], 11, "the requests that were made: {message}");
    assert!(message["deadAt"].is_string(), "{message}");
    world.end().await;
}

#[tokio::test]
async fn what_was_given_up_and_is_at_meta_after_all_is_no_dead_letter() {
    let (world, tenant) = start().await;
    let nobody = "http://127.0.0.1:1/";
    world.sim.configure(|options| options.webhook_url = Some(nobody.to_owned()));
    world.sim.fail_next(Fault::ResetAfterBody, 1);
    let body = json!({ "to": CONTACT, "text": "hello", "max_attempts": 1 });
    let (_, sent) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
    let id = sent["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.waits().await, [DOUBT]);
    world.advance(DOUBT);
    let given_up = until(&world, &tenant, id, "failed").await;
    assert_eq!(given_up["error"]["class"], "exhausted", "{given_up}");
    assert!(given_up["deadAt"].is_string() && given_up["attempts"] == 1, "{given_up}");

    world.sim.set_webhook(&world.api.webhook_url());
    let message = until(&world, &tenant, id, "read").await;
    assert_eq!((&message["deadAt"], &message["error"]), (&Value::Null, &Value::Null), "{message}");
    let path = format!("/tenants/{}/dead-letters/redrive", tenant.id);
    let (_, redriven) = world.api.post(&path, &tenant.key, &json!({ "messages": [id] })).await;
    assert_eq!(redriven["messages"], json!([]), "it would be there twice");
    world.idle().await;
    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (1, 1));
    world.end().await;
}

#[tokio::test]
async fn what_is_redriven_is_taken_back_only_where_it_was_never_in_doubt() {
    let (world, tenant) = start().await;
    world.sim.configure(|options| options.webhook_url = Some("http://127.0.0.1:1/".to_owned()));
    let mut ids = Vec::<Uuid>::new();
    // The first is at Meta, and nobody knows; the second surely is not.
    for (number, fault) in [Fault::ResetAfterBody, Fault::code(131026)].into_iter().enumerate() {
        world.sim.fail_to(&contact(number), fault, 1);
        let body = json!({ "to": contact(number), "text": "hello", "max_attempts": 1 });
        let sent = post(&world, &tenant, "/send", body).await;
        ids.push(sent["id"].as_str().unwrap().parse().unwrap());
    }
    assert_eq!(world.waits().await, [DOUBT]);
    world.advance(DOUBT);
    for id in &ids {
        until(&world, &tenant, *id, "failed").await;
    }
    // Their number is refused: what is redriven waits for it.
    world.sim.fail_to(CONTACT, Fault::code(190), 1);
    world.api.send(&tenant, CONTACT, "hello").await;
    assert_eq!(world.waits().await.len(), 1);
    let redriven = post(&world, &tenant, "/dead-letters/redrive", json!({ "messages": ids })).await;
    assert_eq!(redriven["messages"], json!(ids));
    assert_eq!(world.waits().await.len(), 3);
    assert_eq!((listed(&world, &tenant, "queued").await, listed(&world, &tenant, "sending").await), (3, 0));
    for (id, expected) in ids.iter().zip([409, 200]) {
        let cancel = format!("/tenants/{}/messages/{id}/cancel", tenant.id);
        let (status, answer) = world.api.post(&cancel, &tenant.key, &json!({})).await;
        assert_eq!(status, expected, "{answer}");
    }
    world.sim.set_webhook(&world.api.webhook_url());
    until(&world, &tenant, ids[0], "read").await;
    world.end().await;
}
