//! What is told, to whom, and in which words.

use chrono::TimeDelta;
use hoopoe_testing::eventually;
use meta_sim::{Fault, Inbound, InboundKind};
use serde_json::json;

use crate::endpoint::{CONTACT, Endpoint, Hook, builder};

#[tokio::test]
async fn a_message_and_its_answer_are_told_signed_and_to_their_tenant_alone() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let (all, failures, others) = (Endpoint::start().await, Endpoint::start().await, Endpoint::start().await);
    let hook = Hook::create(&world, &tenant, &all, &["message.*"]).await;
    Hook::create(&world, &tenant, &failures, &["message.failed", "flow.failed"]).await;
    Hook::create(&world, &other, &others, &["*"]).await;

    let wamid = world.says(&tenant, CONTACT, "hello").await;
    world.idle().await;
    let sent = world.api.send(&tenant, CONTACT, "by the API").await;
    world.idle().await;
    hook.settled().await;
    let expected = ["delivered", "delivered", "read", "read", "received", "sent", "sent"];
    assert_eq!(all.kinds(), expected.map(|kind| format!("message.{kind}")));
    assert!(failures.heard().is_empty() && others.heard().is_empty());

    let heard = all.heard();
    let mut ids: Vec<_> = heard.iter().map(|heard| heard.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), heard.len(), "each has an id of its own");
    for heard in &heard {
        assert!(heard.is_signed_with(&hook.secret), "{heard:?}");
        assert!(!heard.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        assert_eq!(heard.signatures.len(), 1);
        assert_eq!(heard.timestamp, world.now().timestamp());
        assert!(heard.body["timestamp"].as_str().unwrap().ends_with('Z'), "{heard:?}");
    }
    let received = &all.told("message.received").await.body["data"];
    assert_eq!((&received["direction"], &received["body"]), (&"IN".into(), &"hello".into()), "{received}");
    assert_eq!((&received["waMessageId"], &received["contact"]["waId"]), (&wamid.clone().into(), &CONTACT.into()));
    assert_eq!(received["message"]["text"]["body"], "hello", "as Meta sent it: {received}");
    assert!(received["groupId"].is_null(), "{received}");
    let read = heard.iter().filter(|heard| heard.kind() == "message.read").map(|heard| &heard.body["data"]);
    let read: Vec<_> = read.filter(|data| data["messageId"] == sent.to_string()).collect();
    assert_eq!(read.len(), 1, "{heard:?}");
    assert_eq!((&read[0]["phoneNumberId"], &read[0]["status"]), (&"106540352242922".into(), &"read".into()));

    // What was delivered is history: nothing of it is left in the queue.
    let page = hook.get("/deliveries?limit=5").await;
    let delivered = |page: &serde_json::Value| {
        page["deliveries"].as_array().unwrap().iter().filter(|it| it["status"] == "delivered").count()
    };
    assert_eq!(delivered(&page), 5, "{page}");
    let next = page["next"].as_str().unwrap();
    let rest = hook.get(&format!("/deliveries?limit=5&before={next}")).await;
    assert_eq!((delivered(&rest), &rest["next"]), (2, &serde_json::Value::Null), "{rest}");
    world.end().await;
}

#[tokio::test]
async fn a_message_of_a_group_is_told_with_its_group_and_answered_by_nobody() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let endpoint = Endpoint::start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["message.*"]).await;
    let kind = InboundKind::Raw(json!({ "type": "text", "text": { "body": "hi, all" }, "group_id": "g1" }));
    assert!(world.sim.receive(Inbound::new(&tenant.phone_number_id, CONTACT, kind)).await.is_acknowledged());
    world.idle().await;
    hook.settled().await;
    let told = &endpoint.told("message.received").await.body["data"];
    assert_eq!((&told["groupId"], &told["body"]), (&"g1".into(), &"hi, all".into()), "{told}");
    assert_eq!((endpoint.kinds(), world.sim.accepted_count()), (vec!["message.received".to_owned()], 0));
    world.end().await;
}

#[tokio::test]
async fn what_becomes_of_messages_that_are_not_sent_is_told() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let endpoint = Endpoint::start().await;
    Hook::create(&world, &tenant, &endpoint, &["message.*", "channel.*", "template.suspended"]).await;

    world.sim.fail_next(Fault::code(131026), 1);
    let dead = world.api.send(&tenant, CONTACT, "nobody is there").await;
    let told = endpoint.told("message.dead").await.body["data"].clone();
    assert_eq!((&told["messageId"], &told["error"]["code"]), (&dead.to_string().into(), &131026.into()), "{told}");
    world.idle().await;

    world.sim.fail_next(Fault::code(131000), 1);
    let late = json!({ "to": CONTACT, "text": "half price today", "expires_in": 60 });
    world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &late).await;
    world.waits().await;
    world.advance(TimeDelta::seconds(61));
    assert_eq!(endpoint.told("message.expired").await.body["data"]["error"]["class"], "expired");
    world.idle().await;

    world.sim.fail_next(Fault::code(132015), 1);
    let template = json!({ "name": "offer", "language": { "code": "en" } });
    let body = json!({ "to": CONTACT, "payload": { "type": "template", "template": template } });
    world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
    assert_eq!(endpoint.told("template.suspended").await.body["data"]["name"], "offer");
    world.idle().await;

    world.sim.fail_next(Fault::code(190), 1);
    let waits = world.api.send(&tenant, CONTACT, "waits for a token").await;
    world.waits().await;
    let reason = endpoint.told("channel.suspended").await.body["data"]["reason"].clone();
    assert!(reason.as_str().unwrap().contains("190"), "{reason}");
    let cancel = format!("/tenants/{}/messages/{waits}/cancel", tenant.id);
    assert_eq!(world.api.post(&cancel, &tenant.key, &json!({})).await.0, 200);
    assert_eq!(endpoint.told("message.canceled").await.body["data"]["messageId"], waits.to_string());
    let channel = format!("/tenants/{}/channels/{}", tenant.id, tenant.phone_number_id);
    world.api.put(&channel, &tenant.key, &json!({ "accessToken": "better" })).await;
    endpoint.told("channel.resumed").await;
    world.end().await;
}

#[tokio::test]
async fn what_happens_to_flows_is_told() {
    let world = builder().set("FLOW_FAILURES_TO_PAUSE", "1").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.api.upload(&tenant, "bot", hoopoe_plugin_build::test_component("test-guest").unwrap()).await;
    world.api.plugin(&tenant, "bot", "activate", &json!({})).await;
    let endpoint = Endpoint::start().await;
    Hook::create(&world, &tenant, &endpoint, &["flow.*"]).await;

    world.says(&tenant, CONTACT, "reject it").await;
    let failed = endpoint.told("flow.failed").await.body["data"].clone();
    assert_eq!((&failed["result"], &failed["attempt"]), (&"reject".into(), &1.into()), "{failed}");
    world.says(&tenant, CONTACT, "panic now").await;
    let paused = endpoint.told("flow.paused").await.body["data"].clone();
    assert_eq!(paused["plugin"], "bot");
    assert!(paused["reason"].as_str().unwrap().contains("panicked"), "{paused}");
    world.sim.clear_faults();
    let better = world.api.upload(&tenant, "bot", hoopoe_plugin_build::test_component("test-guest-2").unwrap()).await;
    world.api.plugin(&tenant, "bot", "activate", &json!({ "digest": better })).await;
    assert_eq!(endpoint.told("flow.resumed").await.body["data"]["digest"], better);

    let (_, page) = world.api.get(&format!("/tenants/{}/conversations", tenant.id), &tenant.key).await;
    let conversation = page["conversations"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/tenants/{}/conversations/{conversation}/hand-off", tenant.id);
    for _ in 0..2 {
        world.advance(TimeDelta::seconds(1));
        world.api.post(&path, &tenant.key, &json!({ "reason": "a person asked" })).await;
    }
    let handed = endpoint.told("flow.handed_off").await.body["data"].clone();
    assert_eq!((&handed["conversationId"], &handed["by"]), (&conversation.into(), &"api".into()), "{handed}");
    eventually("nothing waits", async || world.db.count("select count(*) from webhook_queue").await == 0).await;
    let handed = endpoint.kinds().iter().filter(|kind| *kind == "flow.handed_off").count();
    assert_eq!(handed, 1, "who has the conversation already is not told again");
    world.end().await;
}
