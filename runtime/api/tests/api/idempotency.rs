//! `idempotency_key`: a second request with the same key sends nothing, and says which message the first one was.

use hoopoe_testing::{PATIENCE, World};
use reqwest::Method;
use serde_json::json;

use crate::answers::{Answer, answer};

fn conflicts_with(answer: &Answer, first: &str) {
    answer.refuses("a used key", 409, &[]);
    // To the letter as the former system answered.
    assert_eq!(answer.body["error"], "Conflict");
    assert_eq!(answer.body["message"], "Request with the given idempotency_key already processed");
    assert_eq!(answer.body["code"], "idempotency_key_used");
    assert_eq!(answer.body["details"], json!({ "messageId": first }));
}

#[tokio::test]
async fn a_key_counts_once_per_tenant() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let request = |path: &str, key: &str, body| answer(world.api.request(Method::POST, path, key).json(&body));
    let path = format!("/tenants/{}/send", acme.id);
    let body = json!({ "to": "+919012345678", "text": "Hello", "idempotency_key": "order-1234" });

    let first = request(&path, &acme.key, body.clone()).await;
    assert_eq!(first.status, 202, "{}", first.body);
    assert_eq!(first.body["idempotency_key"], "order-1234");
    let id = first.body["id"].as_str().unwrap();
    conflicts_with(&request(&path, &acme.key, body.clone()).await, id);

    // What is sent to whom makes no difference, nor does the name in the camel case of the other fields.
    let changed = json!({ "to": "+4915123456789", "text": "Bye", "idempotencyKey": "order-1234" });
    conflicts_with(&request(&path, &acme.key, changed).await, id);

    let elsewhere = request(&format!("/tenants/{}/send", other.id), &other.key, body).await;
    assert_eq!(elsewhere.status, 202, "the same key in another tenant is free: {}", elsewhere.body);
    let longest = json!({ "to": "+919012345678", "text": "a", "idempotency_key": "ü".repeat(256) });
    assert_eq!(request(&path, &acme.key, longest).await.status, 202);
    assert_eq!(world.db.count("select count(*) from messages").await, 3);
    assert_eq!(world.db.count("select count(*) from outbox").await, 3);
    world.end().await;
}

#[tokio::test]
async fn of_twenty_requests_at_once_one_is_sent() {
    let world = World::builder().roles("api,delivery").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({ "to": "+919012345678", "text": "Hello", "idempotency_key": "order-1234" });

    let requests: Vec<_> = (0..20)
        .map(|_| tokio::spawn(answer(world.api.request(Method::POST, &path, &tenant.key).json(&body))))
        .collect();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for request in requests {
        let answer = request.await.unwrap();
        if answer.status == 202 { taken.push(answer) } else { refused.push(answer) }
    }
    assert_eq!((taken.len(), refused.len()), (1, 19));
    for answer in refused {
        conflicts_with(&answer, taken[0].body["id"].as_str().unwrap());
    }

    world.sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    world.idle().await;
    assert_eq!(world.sim.times("919012345678", "Hello"), 1);
    assert_eq!(world.sim.requests(), 1);
    world.end().await;
}
