//! Templates as they are sent, by the built-in renderer and by a tenant's own.

use hoopoe_testing::World;
use reqwest::Method;
use serde_json::json;

use super::{Caller, body, welcome};
use crate::answers::answer;

#[tokio::test]
async fn a_template_is_sent_with_its_values() {
    let world = World::builder().roles("api,delivery").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    assert_eq!(acme.create(&welcome()).await.status, 201);

    let key = json!({ "variables": { "first_name": "Sam" }, "idempotency_key": "send:order:12345" });
    let sent = acme.send(key.clone()).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    assert_eq!((&sent.body["status"], &sent.body["to"]), (&json!("queued"), &json!("15551234567")));
    assert_eq!(sent.body["idempotency_key"], "send:order:12345");
    world.idle().await;
    assert_eq!(world.sim.times("15551234567", "Hello Sam, welcome to our service!"), 1);

    let again = acme.send(key).await;
    again.refuses("a used key", 409, &["already processed"]);
    assert_eq!(again.body["details"]["messageId"], sent.body["id"]);
    world.idle().await;
    assert_eq!(world.sim.times("15551234567", "Hello Sam, welcome to our service!"), 1);
    world.end().await;
}

#[tokio::test]
async fn each_kind_of_template_has_its_payload() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    let approved = json!({ "meta": { "name": "order_update", "language": "en_US" } });
    let buttons =
        json!({ "type": "buttons", "buttons": [{ "type": "quick_reply", "text": "Yes", "id": "yes:{{id}}" }] });
    let cases = [
        (
            "positional",
            json!({ "components": body("{{2}}, {{1}}") }),
            json!(["world", 5]),
            json!({ "type": "text", "text": { "body": "5, world", "preview_url": false } }),
        ),
        (
            "buttons",
            json!({ "components": [{ "type": "body", "text": "OK?" }, buttons] }),
            json!({ "id": 7 }),
            json!({ "type": "interactive", "interactive": {
                "type": "button", "body": { "text": "OK?" },
                "action": { "buttons": [{ "type": "reply", "reply": { "id": "yes:7", "title": "Yes" } }] },
            } }),
        ),
        (
            "a link",
            json!({ "components": [{ "type": "body", "text": "Look" }, { "type": "buttons", "buttons": [
                { "type": "url", "text": "Open", "url": "https://a.example/{{id}}" },
            ] }] }),
            json!({ "id": "x y" }),
            json!({ "type": "interactive", "interactive": {
                "type": "cta_url", "body": { "text": "Look" },
                "action": { "name": "cta_url", "parameters": { "display_text": "Open", "url": "https://a.example/x%20y" } },
            } }),
        ),
        (
            "a picture",
            json!({ "components": [
                { "type": "header", "format": "image", "link": "https://a.example/p.png" }, { "type": "body", "text": "Look" },
            ] }),
            json!({}),
            json!({ "type": "image", "image": { "link": "https://a.example/p.png", "caption": "Look" } }),
        ),
        (
            "approved, positional",
            json!({ "components": body("Hi {{1}}, {{2}}"), "metadata": approved }),
            json!({ "2": "b", "1": "a" }),
            json!({ "type": "template", "template": {
                "name": "order_update", "language": { "code": "en_US" },
                "components": [{ "type": "body", "parameters": [
                    { "type": "text", "text": "a" }, { "type": "text", "text": "b" },
                ] }],
            } }),
        ),
        (
            "approved, named",
            json!({ "components": body("Hi {{name}}"), "metadata": approved }),
            json!({ "name": "Sam" }),
            json!({ "type": "template", "template": {
                "name": "order_update", "language": { "code": "en_US" },
                "components": [{ "type": "body", "parameters": [
                    { "type": "text", "parameter_name": "name", "text": "Sam" },
                ] }],
            } }),
        ),
        (
            "approved, without variables",
            json!({ "components": body("Hi"), "metadata": approved }),
            json!(null),
            json!({ "type": "template", "template": { "name": "order_update", "language": { "code": "en_US" } } }),
        ),
    ];
    for (place, (label, mut template, variables, expected)) in cases.into_iter().enumerate() {
        let key = format!("t{place}");
        template["key"] = json!(key);
        let created = acme.create(&template).await;
        assert_eq!(created.status, 201, "{label}: {}", created.body);
        let sent = acme.send(json!({ "templateKey": key, "variables": variables })).await;
        assert_eq!((sent.status, &sent.body["type"]), (202, &expected["type"]), "{label}: {}", sent.body);
        assert_eq!(acme.payload().await, expected, "{label}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_tenants_own_renderer_takes_over() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    let own = |what: &str| json!({ "components": [{ "type": "own", "do": what }] });
    let mut tell = own("tell");
    tell["key"] = json!("own");
    acme.create(&tell).await.refuses_field("no own renderer yet", "components[0].type", &["body"]);

    let component = tokio::task::spawn_blocking(|| hoopoe_plugin_build::test_component("test-renderer").unwrap());
    let path = format!("/tenants/{}/plugins/mine?activate=true", tenant.id);
    let upload = world.api.request(Method::PUT, &path, &tenant.key).body(component.await.unwrap());
    let uploaded = answer(upload.header("content-type", "application/wasm")).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    let config = acme.put("/plugins/mine/config", &json!({ "greeting": "Moin" })).await;
    assert_eq!(config.status, 200, "{}", config.body);

    assert_eq!(acme.create(&tell).await.status, 201);
    let send = async || acme.send(json!({ "templateKey": "own", "variables": { "b": "1", "a": "2" } })).await;
    assert_eq!(send().await.status, 202);
    let told = acme.payload().await["text"]["body"].clone();
    assert_eq!(told, "Moin Acme: own en v1 [a=2 b=1] at 1767225600000");

    let cases: [(&str, u16, &str, &[&str]); 7] = [
        ("miss", 400, "missing_variables", &["one, two"]),
        ("refuse", 400, "invalid_template", &["not today"]),
        ("long", 400, "invalid_template", &["4097", "4096"]),
        ("raw", 400, "invalid_template", &["not a JSON object"]),
        ("panic", 422, "renderer_failed", &["test-renderer", "boom"]),
        ("stored", 422, "renderer_failed", &["stored"]),
        ("spin", 422, "renderer_failed", &["out-of-fuel"]),
    ];
    for (what, status, code, words) in cases {
        assert_eq!(acme.put("/templates/own", &own(what)).await.status, 200);
        let answer = send().await;
        answer.refuses(what, status, words);
        assert_eq!(answer.body["code"], code, "{what}");
    }
    assert_eq!(world.db.count("select count(*) from messages").await, 1);

    // Another tenant's templates are rendered by the built-in plugin as before.
    let stranger = world.api.register("Other", "106540352242923", "token").await;
    let other = Caller { world: &world, tenant: &stranger };
    assert_eq!(other.create(&welcome()).await.status, 201);
    assert_eq!(other.send(json!({ "variables": { "first_name": "Sam" } })).await.status, 202);
    world.end().await;
}
