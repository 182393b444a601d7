//! Webhooks of tenants: what can be registered, and what is shown of it.

use hoopoe_testing::{MASTER_KEY, World};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::secrecy::everything;

#[tokio::test]
async fn what_cannot_be_a_webhook_is_told_by_field() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let path = format!("/tenants/{}/webhooks", tenant.id);
    let (url, long) = ("https://example.com/hooks", format!("https://example.com/{}", "a".repeat(2_048)));
    for (body, field, words) in [
        (json!({ "types": ["*"] }), "url", "missing"),
        (json!({ "url": url }), "types", "missing"),
        (json!({ "url": long, "types": ["*"] }), "url", "2048"),
        (json!({ "url": "example.com", "types": ["*"] }), "url", "https://"),
        (json!({ "url": "https://127.0.0.1/", "types": ["*"] }), "url", "loopback"),
        (json!({ "url": "https://a:b@example.com/", "types": ["*"] }), "url", "password"),
        (json!({ "url": url, "types": [] }), "types", "1 to 50"),
        (json!({ "url": url, "types": ["message.eaten"] }), "types", "message.sent"),
        (json!({ "url": url, "types": ["*"], "description": "a".repeat(201) }), "description", "200"),
        (json!({ "url": url, "types": ["*"], "secret": "whsec_x" }), "", "secret"),
    ] {
        let (status, answer) = world.api.post(&path, &tenant.key, &body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        let told = answer["details"]["field"].as_str().unwrap_or_default();
        assert!(field.is_empty() || told == field, "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{body}: {answer}");
    }
    for bounds in [json!({ "deadLetters": { "threshold": -1 } }), json!({ "queueAge": { "periodSeconds": 0 } })] {
        let (status, answer) = world.api.put(&format!("/tenants/{}/alerts", tenant.id), &tenant.key, &bounds).await;
        assert_eq!(status, 400, "{answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn webhooks_are_their_tenants_alone_and_limited_and_secrets_are_shown_once() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let path = format!("/tenants/{}/webhooks", tenant.id);
    let body = json!({ "url": "https://example.com/hooks", "types": ["message.*", "alert.*", "message.*"] });
    let (status, created) = world.api.post(&path, &tenant.key, &body).await;
    assert_eq!((status, &created["types"]), (201, &json!(["alert.*", "message.*"])), "{created}");
    let (id, secret) = (created["id"].as_str().unwrap().to_owned(), created["secret"].as_str().unwrap().to_owned());
    assert!(secret.starts_with("whsec_"), "{created}");

    for (status, answer) in [
        world.api.get(&format!("/tenants/{}/webhooks/{id}", other.id), &other.key).await,
        world.api.get(&format!("/tenants/{}/webhooks/{id}", other.id), MASTER_KEY).await,
        world.api.put(&format!("/tenants/{}/webhooks/{id}", other.id), &other.key, &json!({ "enabled": false })).await,
        world.api.post(&format!("/tenants/{}/webhooks/{id}/rotate-secret", other.id), &other.key, &json!({})).await,
        world.api.post(&format!("/tenants/{}/webhooks/{id}/test", other.id), &other.key, &json!({})).await,
        world.api.get(&format!("/tenants/{}/webhooks/{id}/deliveries", other.id), &other.key).await,
        world.api.delete(&format!("/tenants/{}/webhooks/{id}", other.id), &other.key).await,
        world.api.get(&format!("{path}/{id}"), &other.key).await,
        world.api.get(&format!("{path}/{}", Uuid::nil()), &tenant.key).await,
        world.api.get(&format!("{path}/nonsense"), &tenant.key).await,
    ] {
        assert_eq!(status, 404, "{answer}");
    }
    assert_eq!(
        world.api.get(&format!("/tenants/{}/webhooks", other.id), &other.key).await.1,
        json!({ "webhooks": [] })
    );

    let rotated = world.api.post(&format!("{path}/{id}/rotate-secret"), &tenant.key, &json!({})).await.1;
    world.api.post(&format!("{path}/{id}/test"), &tenant.key, &json!({})).await;
    let new = rotated["secret"].as_str().unwrap();
    let mut shown = everything(&world).await;
    for rest in ["", &format!("/{id}"), &format!("/{id}/deliveries")] {
        let (status, answer) = world.api.get(&format!("{path}{rest}"), &tenant.key).await;
        assert_eq!(status, 200, "{answer}");
        shown.push_str(&answer.to_string());
    }
    for secret in [&secret, new] {
        assert!(!shown.contains(secret) && !shown.contains(&secret[6..]), "a secret is in clear");
    }

    let changed = json!({ "url": "https://example.com/others", "enabled": false, "types": ["*"] });
    let (_, answer) = world.api.put(&format!("{path}/{id}"), &tenant.key, &changed).await;
    assert_eq!((&answer["url"], &answer["enabled"]), (&"https://example.com/others".into(), &false.into()), "{answer}");
    assert!(answer["disabledReason"].as_str().unwrap().contains("tenant"), "{answer}");
    for (body, status) in
        [(json!({}), 400), (json!({ "id": "evt_0" }), 404), (json!({ "since": "2026-01-01T00:00:00Z" }), 200)]
    {
        let (found, answer) = world.api.post(&format!("{path}/{id}/redrive"), &tenant.key, &body).await;
        assert_eq!(found, status, "{body}: {answer}");
    }
    for query in ["limit=0", "before=x", "before=1", "status=lost", "page=1"] {
        let (status, answer) = world.api.get(&format!("{path}/{id}/deliveries?{query}"), &tenant.key).await;
        assert_eq!(status, 400, "{query}: {answer}");
    }

    for _ in 1..20 {
        assert_eq!(world.api.post(&path, &tenant.key, &body).await.0, 201);
    }
    let (status, answer) = world.api.post(&path, &tenant.key, &body).await;
    assert_eq!((status, &answer["code"]), (409, &"limit_reached".into()), "{answer}");
    assert_eq!(world.api.delete(&format!("{path}/{id}"), &tenant.key).await, (204, Value::String(String::new())));
    assert_eq!(world.api.get(&format!("{path}/{id}"), &tenant.key).await.0, 404);
    assert_eq!(world.api.post(&path, &tenant.key, &body).await.0, 201);
    assert_eq!(world.db.count("select count(*) from webhook_queue").await, 0, "what waited went with its webhook");
    world.end().await;
}
