//! `GET /tenants/{id}/events[/{eventId}]`: what Meta told besides messages, in pages, by kind, and whole.

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::answer;

const ACCOUNT: &str = "102290129340398";
const CONTACT: &str = "16505551234";

/// Meta tells something of the tenant's number, ten minutes ago.
async fn told(world: &World, tenant: &Tenant, field: &str, list: &str, item: &Value) {
    let metadata = json!({ "display_phone_number": "15550783881", "phone_number_id": tenant.phone_number_id });
    let value = json!({ "messaging_product": "whatsapp", "metadata": metadata, list: [item] });
    let posted = world.sim.change_at(ACCOUNT, field, value, Some(1_767_225_000)).await;
    assert!(posted.is_acknowledged(), "{posted:?}");
}

async fn page(world: &World, tenant: &Tenant, query: &str) -> Value {
    let (status, page) = world.api.get(&format!("/tenants/{}/events{query}", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{query}: {page}");
    page
}

fn kinds(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_meta_tells_besides_messages_is_listed_newest_first_and_by_kind() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "mock_token").await;
    let other = world.api.register("Other", "106540352242923", "mock_token").await;
    assert_eq!(page(&world, &tenant, "").await, json!({ "events": [], "next": null }));

    let call = json!({ "id": "wacid.1", "from": CONTACT, "event": "connect", "timestamp": "1767225000",
        "direction": "USER_INITIATED" });
    told(&world, &tenant, "calls", "calls", &call).await;
    // Twice is once.
    told(&world, &tenant, "calls", "calls", &call).await;
    let history = json!({ "metadata": { "phase": 0, "chunk_order": 1, "progress": 55 }, "threads": [] });
    told(&world, &tenant, "history", "history", &history).await;
    let group = json!({ "group_id": "g1", "type": "group_create", "subject": "Friends of cake" });
    told(&world, &tenant, "group_lifecycle_update", "groups", &group).await;
    told(&world, &tenant, "something_new", "things", &json!({ "one": 1 })).await;
    // Messages, their answers and statuses are elsewhere, and so is what Meta tells of others.
    world.says(&tenant, CONTACT, "hello").await;
    world.idle().await;
    told(&world, &tenant, "messages", "statuses", &json!({ "id": "wamid.theirs", "status": "sent" })).await;
    told(&world, &other, "calls", "calls", &json!({ "id": "wacid.2", "from": CONTACT, "event": "connect" })).await;

    let all = page(&world, &tenant, "").await;
    assert_eq!(kinds(&all), ["something_new", "group_lifecycle_update", "history", "calls"]);
    let first = &all["events"][3];
    let expected = json!({ "id": first["id"], "kind": "calls", "phoneNumberId": "106540352242922",
        "occurredAt": "2025-12-31T23:50:00Z", "receivedAt": "2026-01-01T00:00:00Z", "note": null, "payload": call });
    assert_eq!(*first, expected);
    assert_eq!(kinds(&page(&world, &other, "").await), ["calls"]);
    for (query, expected) in [
        ("?kind=calls", &["calls"][..]),
        ("?kind=calls&limit=1", &["calls"]),
        ("?kind=message", &[]),
        ("?kind=status", &[]),
        ("?limit=2", &["something_new", "group_lifecycle_update"]),
    ] {
        assert_eq!(kinds(&page(&world, &tenant, query).await), expected, "{query}");
    }
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let page = page(&world, &tenant, &format!("?limit=1{before}")).await;
        paged.extend(page["events"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_i64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(Value::Array(paged), all["events"]);
    world.end().await;
}

#[tokio::test]
async fn an_event_is_shown_whole_to_its_tenant() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "mock_token").await;
    let other = world.api.register("Other", "106540352242923", "mock_token").await;
    let message = json!({ "id": "wamid.H1", "from": CONTACT, "type": "text", "text": { "body": "a".repeat(70_000) } });
    let history = json!({ "metadata": { "phase": 0 }, "threads": [{ "id": CONTACT, "messages": [message] }] });
    told(&world, &tenant, "history", "history", &history).await;
    let listed = page(&world, &tenant, "").await["events"][0].clone();
    assert_eq!((&listed["kind"], &listed["payload"]), (&"history".into(), &Value::Null), "it is too large for a list");
    let path = |tenant: &Tenant, event: &str| format!("/tenants/{}/events/{event}", tenant.id);
    let id = listed["id"].to_string();
    let (status, shown) = world.api.get(&path(&tenant, &id), &tenant.key).await;
    assert_eq!((status, &shown["payload"]), (200, &history));

    // The event of a message is in no list, but is shown by its id, which runs and notices name.
    world.says(&tenant, CONTACT, "hello").await;
    world.idle().await;
    let event: i64 =
        sqlx::query_scalar("select id from events where kind = 'message'").fetch_one(&world.db.pool).await.unwrap();
    let (_, shown) = world.api.get(&path(&tenant, &event.to_string()), &tenant.key).await;
    assert_eq!((&shown["kind"], &shown["payload"]["text"]["body"]), (&"message".into(), &"hello".into()), "{shown}");

    for (label, path) in [
        ("another tenant's", path(&other, &id)),
        ("an unknown one", path(&other, "4711")),
        ("an id that is none", path(&other, "wamid.1")),
    ] {
        answer(world.api.request(Method::GET, &path, &other.key)).await.refuses(label, 404, &["no event"]);
    }
    let stranger = world.api.request(Method::GET, &path(&tenant, &id), &other.key);
    answer(stranger).await.refuses("another tenant", 404, &["no tenant"]);
    for (query, words) in
        [("?limit=0", &["limit", "1 to 200"][..]), ("?before=x", &["before"]), ("?since=1", &["since"])]
    {
        let path = format!("/tenants/{}/events{query}", tenant.id);
        answer(world.api.request(Method::GET, &path, &tenant.key)).await.refuses(query, 400, words);
    }
    world.end().await;
}
