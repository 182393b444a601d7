//! Messenger and Instagram: who may be written to, what is refused, and how progress is told.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use meta_sim::{Direct, Platform, Sim};
use serde_json::{Value, json};

const PAGE: &str = "100841475479486";
const ACCOUNT: &str = "17841405822304914";

async fn post(sim: &Sim, node: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/v23.0/{node}/messages", sim.url());
    let answer = support::client().post(url).bearer_auth("token").json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn text(person: &str, text: &str) -> Value {
    json!({ "recipient": { "id": person }, "messaging_type": "RESPONSE",
        "message": { "text": text, "metadata": "ours" } })
}

#[tokio::test]
async fn progress_is_told_as_the_platforms_do() {
    for (platform, home, members) in [
        (Platform::Messenger, PAGE, ["message", "delivery", "read"].as_slice()),
        (Platform::Instagram, ACCOUNT, ["message", "read"].as_slice()),
    ] {
        let (sim, inbox) = support::pair(meta_sim::Options::default()).await;
        let event = Direct::text(platform, home, "77", "hello");
        assert!(sim.receive_direct(&[event]).await.is_acknowledged());
        let (status, answer) = post(&sim, PAGE, &text("77", "welcome")).await;
        assert_eq!((status, &answer["recipient_id"]), (200, &"77".into()), "{answer}");
        sim.wait_for_webhook_idle(support::SOON).await.unwrap();

        let items: Vec<Value> = inbox
            .posts()
            .iter()
            .flat_map(|post| post["entry"].as_array().unwrap().clone())
            .inspect(|entry| assert_eq!(entry["id"], home))
            .flat_map(|entry| entry["messaging"].as_array().unwrap().clone())
            .skip(1)
            .collect();
        assert_eq!(items.len(), members.len(), "{platform:?} {items:?}");
        for (item, member) in items.iter().zip(members) {
            assert!(item[member].is_object(), "{platform:?} {item}");
        }
        let echo = &items[0]["message"];
        assert_eq!((&echo["is_echo"], &echo["metadata"]), (&true.into(), &"ours".into()));
        assert_eq!(echo["mid"], answer["message_id"]);
    }
}

#[tokio::test]
async fn what_meta_would_refuse_is_refused() {
    let (sim, _) = support::pair(meta_sim::Options::default()).await;
    sim.receive_direct(&[Direct::text(Platform::Messenger, PAGE, "77", "hello")]).await;
    sim.receive_direct(&[Direct::text(Platform::Instagram, ACCOUNT, "88", "hello")]).await;
    let message =
        |message: Value| json!({ "recipient": { "id": "77" }, "messaging_type": "RESPONSE", "message": message });
    let replies: Vec<Value> = (0..14).map(|n| json!({ "content_type": "text", "title": n.to_string() })).collect();
    let cases = [
        ("a stranger", text("99", "hello"), "No matching user found"),
        ("too long", text("77", &"a".repeat(2001)), "message.text"),
        ("too long for Instagram", text("88", &"é".repeat(501)), "message.text"),
        ("nothing", message(json!({})), "either text or attachment"),
        ("both", message(json!({ "text": "a", "attachment": { "type": "image", "payload": {} } })), "either text"),
        ("no file", message(json!({ "attachment": { "type": "image", "payload": {} } })), "url or attachment_id"),
        ("a member too many", message(json!({ "text": "a", "caption": "b" })), "Invalid keys \"message.caption\""),
        ("quick replies", message(json!({ "text": "a", "quick_replies": replies })), "quick_replies"),
        ("no reason", json!({ "recipient": { "id": "77" }, "message": { "text": "a" } }), "messaging_type"),
        (
            "a tag for nothing",
            json!({ "recipient": { "id": "77" }, "messaging_type": "UPDATE", "tag": "HUMAN_AGENT", "message": { "text": "a" } }),
            "tag",
        ),
        ("an action", json!({ "recipient": { "id": "77" }, "sender_action": "react" }), "sender_action"),
    ];
    for (label, body, expected) in cases {
        let (status, answer) = post(&sim, PAGE, &body).await;
        let details = answer["error"]["error_data"]["details"].as_str().unwrap_or_default();
        assert!(status == 400 && details.contains(expected), "{label}: {status} {answer}");
    }
    let (_, answer) = post(&sim, PAGE, &text("99", "hello")).await;
    assert_eq!(answer["error"]["error_subcode"], 2_018_001);
    let (status, _) = post(&sim, "200841475479486", &text("77", "hello")).await;
    assert_eq!(status, 400, "by another page");
    assert_eq!(sim.accepted_count(), 0);
}
