//! Bodies: 1 MiB to the API, 3 MiB to the webhook, 8 MiB of a batch, and not a byte more.

use hoopoe_testing::{MASTER_KEY, World};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::answers::answer;
use crate::webhook::signed;

const MIB: usize = 1024 * 1024;

/// The same JSON with so many spaces in front that it has this size.
fn padded(json: &str, size: usize) -> String {
    " ".repeat(size - json.len()) + json
}

#[tokio::test]
async fn a_request_may_have_one_mebibyte() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let send = format!("/tenants/{}/send", tenant.id);
    let body = json!({ "to": "+919012345678", "text": "Hello" }).to_string();
    let request = |path: &str, size: usize| {
        let request = world.api.request(Method::POST, path, MASTER_KEY).header(CONTENT_TYPE, "application/json");
        answer(request.body(padded(&body, size)))
    };
    for path in [&send, "/tenants/register", &format!("/api{send}")] {
        for size in [MIB + 1, 2 * MIB, 3 * MIB + 1] {
            request(path, size).await.refuses(&format!("{size} bytes at {path}"), 413, &["1048576 bytes"]);
        }
    }
    assert_eq!(world.db.count("select count(*) from messages").await, 0);
    let largest = request(&send, MIB).await;
    assert_eq!(largest.status, 202, "{}", largest.body);
    world.end().await;
}

#[tokio::test]
async fn a_batch_has_room_for_a_thousand_long_texts() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let path = format!("/tenants/{}/send/batch", tenant.id);
    let text = "x".repeat(4_096);
    let messages = |count: usize| -> Vec<_> {
        (0..count).map(|number| json!({ "to": format!("1650555{number:04}"), "text": text })).collect()
    };
    let body = json!({ "messages": messages(1_000) }).to_string();
    let request = |size: usize| {
        let request = world.api.request(Method::POST, &path, &tenant.key).header(CONTENT_TYPE, "application/json");
        answer(request.body(padded(&body, size)))
    };
    request(8 * MIB + 1).await.refuses("a batch", 413, &["8388608 bytes"]);
    assert_eq!(world.db.count("select count(*) from messages").await, 0);
    let (status, result) = world.api.post(&path, &tenant.key, &json!({ "messages": messages(1_000) })).await;
    assert_eq!((status, &result["queued"]), (200, &1_000.into()));
    assert_eq!(world.db.count("select count(*) from messages where length(body) = 4096").await, 1_000);
    world.end().await;
}

#[tokio::test]
async fn a_webhook_may_have_three_mebibytes() {
    let world = World::builder().roles("api").start().await;
    world.api.register("Acme", "106540352242922", "token").await;
    let webhook = |id: &str, text: usize| {
        let message = json!({
            "from": "16505551234", "id": id, "timestamp": "1767225600", "type": "text",
            "text": { "body": "x".repeat(text) },
        });
        let value = json!({ "metadata": { "phone_number_id": "106540352242922" }, "messages": [message] });
        json!({ "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] }).to_string()
    };
    for path in ["/whatsapp/webhook", "/api/webhook"] {
        for size in [3 * MIB + 1, 4 * MIB] {
            let body = padded(&webhook("wamid.1", 1), size);
            answer(signed(&world.api, path, body)).await.refuses(&format!("{size} bytes"), 413, &["3145728 bytes"]);
        }
    }
    assert_eq!(world.db.count("select count(*) from events").await, 0);

    for body in [webhook("wamid.2", 29 * MIB / 10), padded(&webhook("wamid.3", 1), 3 * MIB)] {
        let answer = answer(signed(&world.api, "/whatsapp/webhook", body)).await;
        assert_eq!((answer.status, &answer.body["new"]), (200, &json!(1)), "{}", answer.body);
    }
    assert_eq!(world.db.count("select max(length(raw::text))::bigint from events").await / MIB as i64, 2);
    assert_eq!(world.db.count("select max(length(body))::bigint from messages").await, 4097, "cut, and marked as cut");
    world.end().await;
}
