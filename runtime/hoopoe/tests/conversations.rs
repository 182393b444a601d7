//! What flows do to a conversation besides messages: tags, and the hand-off to people.

#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_testing::{Tenant, World};
use serde_json::{Value, json};

const CONTACT: &str = "16505551234";

async fn start() -> (World, Tenant) {
    let world = World::builder().plugin("test-guest").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.set_flow(&tenant, "test-guest", &["message"]).await;
    (world, tenant)
}

async fn conversations(world: &World, tenant: &Tenant, query: &str) -> Vec<Value> {
    let path = format!("/tenants/{}/conversations{query}", tenant.id);
    let (status, mut answer) = world.api.get(&path, &tenant.key).await;
    assert_eq!(status, 200, "{answer}");
    match answer["conversations"].take() {
        Value::Array(found) => found,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn tags_stay_with_the_contact_and_the_flow_sees_them() {
    let (world, tenant) = start().await;
    for text in ["tag vip", "tag asked", "tag vip", "untag asked", "untag never", "tag b", "context"] {
        world.says(&tenant, CONTACT, text).await;
    }
    world.idle().await;
    let known: Value = serde_json::from_str(world.heard(CONTACT).last().unwrap()).unwrap();
    assert_eq!(known["tags"], json!(["b", "vip"]));
    assert_eq!(conversations(&world, &tenant, "").await[0]["tags"], json!(["b", "vip"]));
    world.end().await;
}

#[tokio::test]
async fn a_conversation_that_was_handed_off_is_left_alone_until_it_is_released() {
    let (world, tenant) = start().await;
    world.says(&tenant, CONTACT, "hand-off wants a person").await;
    world.says(&tenant, CONTACT, "echo lost").await;
    world.says(&tenant, "16505550000", "echo others are answered").await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["a person will answer"]);
    assert_eq!(world.heard("16505550000"), ["others are answered"]);

    let waiting = conversations(&world, &tenant, "?handedOff=true").await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["handedOffReason"], "wants a person");
    assert_eq!(waiting[0]["waId"], CONTACT);
    let silent: Vec<String> = sqlx::query_scalar("select result from flow_runs where result <> 'done'")
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(silent, ["handed-off"]);

    let id = waiting[0]["id"].as_str().unwrap();
    let path = format!("/tenants/{}/conversations/{id}", tenant.id);
    let (status, released) = world.api.post(&format!("{path}/release"), &tenant.key, &json!({})).await;
    assert_eq!((status, released["handedOffAt"].is_null()), (200, true), "{released}");
    world.says(&tenant, CONTACT, "echo back").await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["a person will answer", "back"]);

    let body = json!({ "reason": "by hand" });
    let (status, handed) = world.api.post(&format!("{path}/hand-off"), &tenant.key, &body).await;
    assert_eq!((status, handed["handedOffReason"].as_str()), (200, Some("by hand")), "{handed}");
    world.says(&tenant, CONTACT, "echo silence").await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT).len(), 2);
    let nobody = format!("/tenants/{}/conversations/{}/release", tenant.id, uuid::Uuid::nil());
    assert_eq!(world.api.post(&nobody, &tenant.key, &json!({})).await.0, 404);
    world.end().await;
}
