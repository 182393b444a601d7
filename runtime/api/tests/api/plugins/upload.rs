//! Uploads: what is taken, what is refused and in which words, and what is deleted.

use hoopoe_sandbox::Digest;
use hoopoe_testing::World;
use reqwest::Method;
use serde_json::{Value, json};

use super::guest::{Guest, plain};
use super::{call, component, put};
use crate::answers::answer;

#[tokio::test]
async fn a_version_is_described_and_kept_once() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let bytes = component("test-guest").await;
    let digest = Digest::of(&bytes).to_string();

    let first = put(&world, &acme, "bot", bytes.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let body = &first.body;
    assert_eq!(body["plugin"], "bot");
    assert_eq!((&body["world"], &body["activated"]), (&json!("flow"), &json!(false)));
    assert_eq!((body["digest"].as_str(), body["contract"].as_str()), (Some(&*digest), Some("0.1.0")));
    assert_eq!(body["version"], "0.1.0");
    assert_eq!(body["size"], bytes.len());
    assert_eq!(body["events"], json!(["message", "status", "timer", "http-response"]));
    assert!(body["compileMillis"].as_i64().is_some_and(|millis| millis >= 0), "{body}");
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&body["imports"]).iter().any(|name| name == "hoopoe:flow/host@0.1.0"), "{body}");
    assert!(names(&body["exports"]).iter().any(|name| name == "hoopoe:flow/handler@0.1.0"), "{body}");

    let again = put(&world, &acme, "bot", bytes.clone()).await;
    assert_eq!((again.status, &again.body["digest"]), (200, &json!(digest)), "{}", again.body);
    assert_eq!(world.db.count("select count(*) from plugin_versions").await, 1);

    // The octets' other name, and a second plugin of the same component.
    let path = format!("/tenants/{}/plugins/other-bot", acme.id);
    let request = world.api.request(Method::PUT, &path, &acme.key).header("content-type", "application/octet-stream");
    assert_eq!(answer(request.body(bytes)).await.status, 201);

    let (status, listed) = world.api.get(&format!("/tenants/{}/plugins", acme.id), &acme.key).await;
    assert_eq!(status, 200);
    let plugins = listed["plugins"].as_array().unwrap();
    assert_eq!(plugins.len(), 2, "{listed}");
    assert_eq!((&plugins[0]["name"], &plugins[1]["name"]), (&json!("bot"), &json!("other-bot")));
    assert_eq!(plugins[0]["active"], Value::Null);
    assert_eq!(plugins[0]["config"], json!({}));

    for version in [&*digest, &digest[..8], "0.1.0"] {
        let (status, one) = world.api.get(&format!("{path}/versions/{version}"), &acme.key).await;
        assert_eq!((status, &one["digest"]), (200, &json!(digest)), "{version}: {one}");
    }
    let (_, tenant) = world.api.get(&format!("/tenants/{}", acme.id), &acme.key).await;
    assert_eq!(tenant["flow"], "auto-reply", "an upload puts nothing in charge");
    world.end().await;
}

#[tokio::test]
async fn a_core_module_that_carries_its_wit_becomes_a_component() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let guest = Guest { name: "guest", version: "1.0.0", schema: None };
    let answer = put(&world, &acme, "bot", guest.core()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let again = put(&world, &acme, "bot", guest.core()).await;
    assert_eq!(
        (again.status, &again.body["digest"]),
        (200, &answer.body["digest"]),
        "the same module, the same digest"
    );
    world.end().await;
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_advice() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let good = plain("1.0.0");
    let schema =
        |schema: Value| Guest { name: "guest", version: "1.0.0", schema: Some(schema.to_string()) }.component();
    let unversioned = Guest { name: "guest", version: "one", schema: None }.component();
    let bare = Guest { name: "guest", version: "1.0.0", schema: None }.bare();
    let foreign = wat::parse_str(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#).unwrap();
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    let refusals: [(&str, Vec<u8>, &[&str]); 9] = [
        ("nothing", Vec::new(), &["WebAssembly"]),
        ("a text", b"#!/bin/sh".to_vec(), &["WebAssembly"]),
        ("a module without WIT", bare, &["component"]),
        ("an empty component", wat::parse_str("(component)").unwrap(), &["hoopoe:flow/handler@0.1.0"]),
        ("another world", foreign, &["hoopoe:flow/handler@0.1.0"]),
        ("half of it", cut, &[]),
        ("a version that is none", unversioned, &["version"]),
        ("a schema that is fetched", schema(json!({ "$ref": "https://example.com/s" })), &["config schema", "$ref"]),
        ("a schema that is none", schema(json!({ "type": "strin" })), &["config schema", "/type"]),
    ];
    for (label, bytes, words) in refusals {
        let answer = put(&world, &acme, "bot", bytes).await;
        answer.refuses(label, 400, words);
        assert_eq!(answer.body["code"], "plugin_refused", "{label}: {}", answer.body);
    }
    for (name, words) in [
        ("rules", ["built-in", "my-rules"]),
        ("auto-reply", ["built-in", "my-auto-reply"]),
        ("templates", ["built-in", "my-templates"]),
        ("Bot", ["1 to 64", "a-z"]),
        ("b.t", ["1 to 64", "a-z"]),
        (&"x".repeat(65), ["1 to 64", "a-z"]),
    ] {
        put(&world, &acme, name, good.clone()).await.refuses_field(name, "name", &words);
    }
    put(&world, &acme, "bot?force=true", good.clone()).await.refuses("an unknown parameter", 400, &["force"]);
    let path = format!("/tenants/{}/plugins/bot", acme.id);
    let request = world.api.request(Method::PUT, &path, &acme.key).header("content-type", "text/plain");
    answer(request.body(good.clone())).await.refuses_field(
        "a text",
        "Content-Type",
        &["text/plain", "application/wasm"],
    );

    let mut large = good.clone();
    let limit = hoopoe_sandbox::Limits::default().component_bytes;
    large.resize(limit + 1, 0);
    let answer = put(&world, &acme, "bot", large).await;
    answer.refuses("too large", 413, &[&format!("{limit} bytes")]);
    assert!(answer.body["details"]["advice"].as_str().is_some_and(|advice| advice.contains("release")));

    assert_eq!(world.db.count("select count(*) from plugins").await, 0, "nothing of all that is kept");
    assert_eq!(put(&world, &acme, "bot", good).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let mut digests = Vec::new();
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        digests.push(world.api.upload(&acme, "bot", plain(version)).await);
    }
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": digests[0] })).await;
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": digests[1], "canaryPercent": 10 })).await;
    let delete = |path: String| {
        let (world, acme) = (&world, &acme);
        async move { call(world, acme, Method::DELETE, &path, json!({})).await }
    };
    for (label, path, words) in [
        ("the active version", format!("bot/versions/{}", digests[0]), ["active", "deactivate"]),
        ("the canary", format!("bot/versions/{}", digests[1]), ["canary", "rollback"]),
        ("the plugin", "bot".to_owned(), ["active", "deactivate"]),
    ] {
        let answer = delete(path).await;
        answer.refuses(label, 409, &words);
        assert_eq!(answer.body["code"], "in_use", "{label}");
    }
    assert_eq!(delete(format!("bot/versions/{}", digests[2])).await.status, 204);
    delete(format!("bot/versions/{}", digests[2])).await.refuses("a version that is gone", 404, &["no version"]);
    delete("none".to_owned()).await.refuses("a plugin that is none", 404, &["no plugin"]);

    world.api.plugin(&acme, "bot", "deactivate", &json!({})).await;
    assert_eq!(delete("bot".to_owned()).await.status, 204);
    for table in [
        "select count(*) from plugins",
        "select count(*) from plugin_versions",
        "select count(*) from plugin_activations",
        "select count(*) from plugin_secrets",
    ] {
        assert_eq!(world.db.count(table).await, 0, "{table}");
    }
    assert_eq!(put(&world, &acme, "bot", plain("1.0.0")).await.status, 201, "the name is free again");
    world.end().await;
}

#[tokio::test]
async fn another_tenants_plugins_look_like_none() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let other = world.api.register("Other", "106540352242923", "mock_token").await;
    let digest = world.api.upload(&acme, "bot", plain("1.0.0")).await;
    let event = json!({ "event": { "text": "hi" } });
    let version = format!("bot/versions/{digest}");
    let routes = [
        (Method::GET, "bot", json!({})),
        (Method::GET, &version, json!({})),
        (Method::DELETE, "bot", json!({})),
        (Method::DELETE, &version, json!({})),
        (Method::POST, "bot/activate", json!({})),
        (Method::POST, "bot/rollback", json!({})),
        (Method::POST, "bot/deactivate", json!({})),
        (Method::POST, "bot/resume", json!({})),
        (Method::PUT, "bot/config", json!({})),
        (Method::PUT, "bot/hosts", json!({ "hosts": [] })),
        (Method::PUT, "bot/secrets/KEY", json!({ "value": "x" })),
        (Method::DELETE, "bot/secrets/KEY", json!({})),
        (Method::POST, "bot/simulate", event),
        (Method::POST, "bot/replay", json!({ "eventId": 1 })),
    ];
    for (method, path, body) in &routes {
        let label = format!("{method} {path}");
        // The other tenant's key at this tenant's path, and this plugin's name at the other tenant's path.
        let foreign = format!("/tenants/{}/plugins/{path}", acme.id);
        let request = world.api.request(method.clone(), &foreign, &other.key).json(body);
        answer(request).await.refuses(&label, 404, &["no tenant"]);
        let own = call(&world, &other, method.clone(), path, body.clone()).await;
        let expected: &[&str] =
            if path.contains("KEY") && *method == Method::DELETE { &["no secret"] } else { &["no plugin"] };
        own.refuses(&label, 404, expected);
    }
    let path = format!("/tenants/{}/plugins/bot", acme.id);
    let request = world.api.request(Method::PUT, &path, &other.key).header("content-type", "application/wasm");
    answer(request.body(plain("2.0.0"))).await.refuses("an upload", 404, &["no tenant"]);
    let (_, listed) = world.api.get(&format!("/tenants/{}/plugins", other.id), &other.key).await;
    assert_eq!(listed, json!({ "plugins": [] }));
    let (_, shown) = world.api.get(&path, &acme.key).await;
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["plugin"]["active"], Value::Null);
    world.end().await;
}
