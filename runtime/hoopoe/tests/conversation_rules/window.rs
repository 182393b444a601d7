//! Meta's 24-hour window: what is free-form outside of it is refused, passed or replaced.

use chrono::TimeDelta;
use hoopoe_testing::eventually;
use serde_json::json;

use crate::{CONTACT, path, send, set, start, template, text};

#[tokio::test]
async fn outside_of_the_window_free_form_messages_are_refused_passed_or_replaced() {
    let (world, tenant) = start().await;
    assert_eq!(send(&world, &tenant, text()).await.0, 202, "nobody knows whether there is a window");
    world.says(&tenant, CONTACT, "echo hi").await;
    world.idle().await;
    let (_, found) = world.api.get(&path(&tenant, "conversations"), &tenant.key).await;
    let seen: chrono::DateTime<chrono::Utc> =
        found["conversations"][0]["windowUntil"].as_str().unwrap().parse().unwrap();
    assert_eq!(seen, world.now() + TimeDelta::hours(24));

    world.advance(TimeDelta::hours(23));
    assert_eq!(send(&world, &tenant, text()).await.0, 202);
    world.idle().await;
    world.advance(TimeDelta::hours(2));
    let (status, refused) = send(&world, &tenant, text()).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("outside_window")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("template"), "{refused}");
    assert!(refused["details"]["lastInboundAt"].is_string(), "{refused}");
    assert_eq!(send(&world, &tenant, template(false)).await.0, 202, "templates at any time");
    let later = json!({ "to": CONTACT, "text": "later", "send_at": (world.now() + TimeDelta::days(1)).timestamp() });
    assert_eq!(send(&world, &tenant, later).await.0, 202, "nobody knows what the window will be");
    let batch = json!({ "messages": [text(), template(false), { "to": "16505550000", "text": "unknown" }] });
    let (status, results) = world.api.post(&path(&tenant, "send/batch"), &tenant.key, &batch).await;
    let statuses: Vec<_> = results["results"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!((status, statuses), (200, vec![json!(409), json!(202), json!(202)]), "{results}");

    let (status, shown) = set(&world, &tenant, json!({ "outsideWindow": { "policy": "pass" } })).await;
    assert_eq!((status, shown["outsideWindow"]["policy"].as_str()), (200, Some("pass")), "{shown}");
    assert_eq!(send(&world, &tenant, text()).await.0, 202);

    let reopen = json!({ "name": "we_have_an_answer", "language": { "code": "en" } });
    let chosen = json!({ "outsideWindow": { "policy": "template", "template": reopen } });
    assert_eq!(set(&world, &tenant, chosen).await.0, 200);
    let keyed = json!({ "to": CONTACT, "text": "hello", "idempotency_key": "k1" });
    let (status, replaced) = send(&world, &tenant, keyed.clone()).await;
    assert_eq!((status, replaced["type"].as_str()), (202, Some("template")), "{replaced}");
    assert_eq!(replaced["replaced"], "outside_window");
    let (status, again) = send(&world, &tenant, keyed).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("idempotency_key_used")), "{again}");
    world.idle().await;
    let sent = world.sim.accepted();
    assert!(sent.iter().any(|one| one.body["template"]["name"] == "we_have_an_answer"), "{sent:?}");

    world.says(&tenant, CONTACT, "echo back").await;
    let (status, open) = send(&world, &tenant, text()).await;
    assert_eq!((status, open["type"].as_str()), (202, Some("text")), "the window is open again: {open}");
    world.end().await;
}

#[tokio::test]
async fn what_a_flow_sends_outside_of_the_window_is_a_dead_letter_or_replaced() {
    let (world, tenant) = start().await;
    world.says(&tenant, CONTACT, "timer late 90000000 still there?").await;
    world.idle().await;
    world.advance(TimeDelta::hours(25));
    eventually("the timer's answer is a dead letter", async || {
        let (_, dead) = world.api.get(&path(&tenant, "dead-letters"), &tenant.key).await;
        dead["messages"].as_array().is_some_and(|dead| dead.len() == 1 && dead[0]["error"]["class"] == "outside_window")
    })
    .await;
    assert_eq!(world.heard(CONTACT), [""; 0]);

    let reopen = json!({ "name": "we_have_an_answer", "language": { "code": "en" } });
    let chosen = json!({ "outsideWindow": { "policy": "template", "template": reopen } });
    assert_eq!(set(&world, &tenant, chosen).await.0, 200);
    world.says(&tenant, CONTACT, "timer later 90000000 still there?").await;
    world.idle().await;
    world.advance(TimeDelta::hours(25));
    world.sim.wait_for_accepted(1, hoopoe_testing::PATIENCE).await.unwrap();
    assert_eq!(world.sim.accepted()[0].body["template"]["name"], "we_have_an_answer");
    world.end().await;
}
