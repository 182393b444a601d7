//! Every class of Graph error, as the sender sees it: tried again, given up at once, or waiting for its number.

use chrono::TimeDelta;
use hoopoe_testing::World;
use meta_sim::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CONTACT, contact, post, start, steps};

#[tokio::test]
async fn what_passes_is_tried_again_and_arrives_once() {
    let (world, tenant) = start().await;
    let faults = [
        Fault::code(1),
        Fault::code(2),
        Fault::code(131000),
        Fault::code(131016),
        Fault::code(131053),
        Fault::ServerError(500),
        Fault::ServerError(502),
        Fault::ServerError(503),
        Fault::TooManyRequests,
        Fault::code(4),
        Fault::code(80007),
        Fault::code(130429),
        Fault::code(131057),
        Fault::code(131056),
    ];
    let mut ids = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        world.sim.fail_to(&contact(number), fault.clone(), 2);
        ids.push(world.api.send(&tenant, &contact(number), "hello").await);
    }
    // What is refused for being too fast makes the whole number rest: the others then wait without an attempt.
    while !world.waits().await.is_empty() {
        world.advance_past_waits().await;
    }
    world.idle().await;

    for (number, fault) in faults.iter().enumerate() {
        let message = world.api.message(&tenant, ids[number]).await;
        assert_eq!(world.sim.times(&contact(number), "hello"), 1, "{fault:?}");
        let (attempts, step) = if costs_nothing(fault) { (1, "postponed") } else { (3, "retry") };
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &attempts.into()), "{fault:?}");
        assert_eq!((&message["error"], &message["deadAt"]), (&Value::Null, &Value::Null), "{fault:?}");
        assert_eq!(steps(&message)[..2], [step, step], "{fault:?}");
    }
    assert_eq!(world.sim.requests(), 3 * faults.len() as u64);
    world.end().await;
}

/// Whether it is the number that Meta takes nothing of.
fn costs_nothing(fault: &Fault) -> bool {
    match fault {
        Fault::TooManyRequests => true,
        Fault::GraphError { code, .. } => [4, 80007, 130429, 131057].contains(code),
        _ => false,
    }
}

#[tokio::test]
async fn a_number_that_is_kept_back_for_long_costs_its_messages_nothing() {
    let (world, tenant) = start().await;
    let (refusals, validity) = (40, 24 * 60 * 60);
    for code in [130429, 80007] {
        world.sim.fail_next(Fault::code(code), refusals);
        let body = json!({ "to": CONTACT, "text": "hello", "max_attempts": 1 });
        let (status, sent) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
        assert_eq!(status, 202, "{sent}");
        let id: Uuid = sent["id"].as_str().unwrap().parse().unwrap();
        let mut longest = TimeDelta::zero();
        for _ in 0..refusals {
            let [wait] = world.waits().await[..] else { panic!("one message waits") };
            longest = longest.max(wait);
            world.advance(wait);
        }
        world.idle().await;
        assert_eq!(longest, TimeDelta::minutes(1), "however long it lasts, that it is over is noticed soon");
        let message = world.api.message(&tenant, id).await;
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{message}");
        world.advance(TimeDelta::minutes(10));
    }
    // The end of it is the message's validity.
    world.sim.fail_next(Fault::code(80007), 10_000);
    let id = world.api.send(&tenant, CONTACT, "too late").await;
    assert_eq!(world.waits().await.len(), 1);
    world.advance(TimeDelta::seconds(validity + 1));
    world.idle().await;
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["error"]["class"]), (&"failed".into(), &"expired".into()), "{message}");
    world.end().await;
}

#[tokio::test]
async fn after_its_retries_a_message_is_dead_with_the_whole_reason() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(131000), 100);
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    for retry in 1..=10 {
        let [wait] = world.waits().await[..] else { panic!("one message waits") };
        let whole = TimeDelta::seconds(1 << retry).min(TimeDelta::minutes(15));
        assert!(whole / 2 <= wait && wait <= whole, "retry {retry} after {wait}");
        world.advance(wait);
    }
    world.idle().await;
    world.advance(TimeDelta::hours(1));
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (11, 0));
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"failed".into(), &11.into()));
    assert!(message["deadAt"].is_string());
    let error = &message["error"];
    assert_eq!((&error["class"], &error["code"]), (&"transient".into(), &131000.into()));
    assert_eq!((&error["attempt"], &error["last"]), (&11.into(), &true.into()));
    for part in ["(#131000) Something went wrong", "Failed on request", "HTTP 500", "fbtrace_id"] {
        assert!(error["message"].as_str().unwrap().contains(part), "{part} is not in {error}");
    }
    assert_eq!(steps(&message), [vec!["retry"; 10], vec!["failed"]].concat());
    world.end().await;
}

#[tokio::test]
async fn what_is_permanent_is_given_up_after_one_request() {
    let (world, tenant) = start().await;
    let codes = [
        100, 131008, 131009, 131026, 131047, 131049, 131050, 131051, 131062, 132000, 132001, 132005, 132007, 132008,
        132012, 132015, 132016, 999_999,
    ];
    let mut ids = Vec::new();
    for (number, code) in codes.into_iter().enumerate() {
        world.sim.fail_to(&contact(number), Fault::code(code), 1);
        ids.push(world.api.send(&tenant, &contact(number), "hello").await);
    }
    world.idle().await;
    world.advance(TimeDelta::hours(1));
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (codes.len() as u64, 0));
    for (id, code) in ids.into_iter().zip(codes) {
        let message = world.api.message(&tenant, id).await;
        assert_eq!((&message["status"], &message["error"]["code"]), (&"failed".into(), &code.into()), "{message}");
        assert!(message["deadAt"].is_string() && message["attempts"] == 1, "{message}");
    }
    let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
    assert_eq!(shown["channels"][0]["suspendedReason"], Value::Null);
    world.end().await;
}

#[tokio::test]
async fn what_blocks_the_number_suspends_its_channel_and_says_why() {
    let world = World::start().await;
    let codes = [0, 3, 10, 190, 200, 299, 368, 131031, 131042, 131045, 131048];
    for (number, code) in codes.into_iter().enumerate() {
        let tenant = world.api.register("Acme", &format!("1065403522429{number:02}"), "token").await;
        world.sim.fail_to(&contact(number), Fault::code(code), 1);
        let id = world.api.send(&tenant, &contact(number), "hello").await;
        world.waits().await;
        let message = world.api.message(&tenant, id).await;
        assert_eq!((&message["status"], &message["error"]["code"]), (&"queued".into(), &code.into()));
        assert_eq!((&message["attempts"], steps(&message)), (&0.into(), vec!["postponed"]), "not its own fault");
        let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
        let reason = shown["channels"][0]["suspendedReason"].as_str().unwrap_or_default();
        assert!(reason.contains(&format!("(#{code})")), "{code}: {shown}");
    }
    assert_eq!(world.sim.requests(), codes.len() as u64);
    world.end().await;
}

#[tokio::test]
async fn a_limit_of_the_pair_waits_longer_than_what_just_passes() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(131056), 3);
    world.api.send(&tenant, CONTACT, "hello").await;
    for retry in 1..=3 {
        // Meta asks for 4^n seconds.
        let wait = TimeDelta::seconds(4_i64.pow(retry));
        assert_eq!(world.waits().await, [wait], "retry {retry}");
        world.advance(wait);
    }
    world.idle().await;
    assert_eq!(world.sim.times(CONTACT, "hello"), 1);
    world.end().await;
}

#[tokio::test]
async fn a_limit_of_the_pair_does_not_end_one_message_after_the_other() {
    let (world, tenant) = start().await;
    world.sim.fail_to(CONTACT, Fault::code(131056), 1);
    let mut sent = Vec::new();
    for text in ["one", "two"] {
        let body = json!({ "to": CONTACT, "text": text, "max_attempts": 1 });
        sent.push(post(&world, &tenant, "/send", body).await);
    }
    let [wait] = world.waits().await[..] else { panic!("the second waits, and the first is dead") };
    assert!(TimeDelta::seconds(3) < wait && wait <= TimeDelta::seconds(4), "{wait}");
    assert_eq!(world.sim.requests(), 1);
    world.advance(TimeDelta::seconds(4));
    world.idle().await;
    for (sent, status) in sent.iter().zip(["failed", "read"]) {
        let message = world.api.message(&tenant, sent["id"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!((&message["status"], &message["attempts"]), (&status.into(), &1.into()), "{message}");
    }
    world.end().await;
}

#[tokio::test]
async fn when_nobody_listens_a_message_waits_until_somebody_does() {
    let mut world = World::builder().set("GRAPH_BASE_URL", "http://127.0.0.1:1").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let id: Uuid = world.api.send(&tenant, CONTACT, "hello").await;
    world.advance_past_waits().await;
    world.waits().await;
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"queued".into(), &2.into()), "{message}");
    assert_eq!(message["error"]["class"], "transient", "{message}");
    assert!(message["error"]["message"].as_str().unwrap().contains("onnection refused"), "{message}");

    world.set("GRAPH_BASE_URL", &world.sim.url());
    world.restart().await;
    world.advance_past_waits().await;
    world.idle().await;
    assert_eq!(world.sim.times(CONTACT, "hello"), 1);
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &3.into()), "{message}");
    world.end().await;
}

#[tokio::test]
async fn nobody_ever_listening_is_a_dead_letter_too() {
    let world = World::builder().set("GRAPH_BASE_URL", "http://127.0.0.1:1").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    for _ in 0..10 {
        world.advance_past_waits().await;
    }
    world.idle().await;
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"failed".into(), &11.into()), "{message}");
    assert_eq!((&message["error"]["httpStatus"], &message["error"]["last"]), (&Value::Null, &true.into()));
    world.end().await;
}
