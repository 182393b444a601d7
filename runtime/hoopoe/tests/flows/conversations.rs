//! What happens to a conversation besides messages and answers: tags, the hand-off to people, and what people write
//! elsewhere.

use chrono::TimeDelta;
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

#[tokio::test]
async fn what_people_write_in_the_whatsapp_business_app_is_kept_and_runs_no_flow() {
    const ACCOUNT: &str = "102290129340398";
    let (world, tenant) = start().await;
    world.says(&tenant, CONTACT, "echo hi").await;
    world.idle().await;
    world.advance(TimeDelta::hours(25));
    let metadata = json!({ "display_phone_number": "15550783881", "phone_number_id": tenant.phone_number_id });
    let echoes = json!({ "messaging_product": "whatsapp", "metadata": metadata, "message_echoes": [
        { "from": "15550783881", "to": CONTACT, "id": "wamid.app1", "timestamp": "1767229200", "type": "text",
          "text": { "body": "Sam here" } },
        { "from": "15550783881", "to": "16505550000", "id": "wamid.app2", "timestamp": "1767229200", "type": "image",
          "image": { "id": "1003383421387256", "caption": "your cake" } },
    ] });
    for (new, repeated) in [(2, 0), (0, 2)] {
        let delivery = world.sim.change(ACCOUNT, "smb_message_echoes", echoes.clone()).await;
        let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(receipt, json!({ "ok": true, "new": new, "repeated": repeated, "unrouted": 0 }));
    }
    // Should Meta tell how far it came, it is found.
    let read = json!({ "id": "wamid.app1", "status": "read", "timestamp": "1767229300", "recipient_id": CONTACT });
    let statuses = json!({ "metadata": metadata, "statuses": [read] });
    assert!(world.sim.change(ACCOUNT, "messages", statuses).await.is_acknowledged());
    world.idle().await;

    let messages = world.api.messages(&tenant).await;
    let shown =
        messages.iter().map(|it| ["direction", "type", "body", "status", "contact"].map(|name| it[name].clone()));
    let shown: Vec<_> = shown.skip(2).collect();
    let expected = [["OUT", "text", "Sam here", "read", CONTACT], ["OUT", "image", "your cake", "sent", "16505550000"]];
    assert_eq!(shown, expected.map(|message| message.map(Value::from)), "{messages:?}");
    assert_eq!(world.db.count("select count(*) from flow_runs").await, 1, "no flow sees them");
    assert_eq!((world.sim.accepted_count(), world.db.count("select count(*) from unread").await), (1, 0));
    let (_, events) = world.api.get(&format!("/tenants/{}/events?kind=echo", tenant.id), &tenant.key).await;
    assert_eq!(events["events"].as_array().map(Vec::len), Some(2), "as they came: {events}");

    // The contact itself wrote too long ago.
    let body = json!({ "to": CONTACT, "text": "hello" });
    let (status, refused) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("outside_window")), "{refused}");
    world.end().await;
}
