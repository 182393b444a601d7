//! Configuration, hosts and secrets.

use hoopoe_store::plugins::open_secret;
use hoopoe_testing::{MASTER_KEY, Tenant, World};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::guest::{Guest, plain};
use super::{call, component};
use crate::secrecy::everything;

async fn world() -> (World, Tenant) {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    (world, acme)
}

fn with_schema(version: &'static str, schema: Value) -> Vec<u8> {
    Guest { name: "guest", version, schema: Some(schema.to_string()) }.component()
}

async fn config(world: &World, tenant: &Tenant) -> Value {
    let (_, shown) = world.api.get(&format!("/tenants/{}/plugins/bot", tenant.id), &tenant.key).await;
    shown["plugin"]["config"].clone()
}

#[tokio::test]
async fn a_configuration_fits_the_schemas_of_what_runs() {
    let (world, acme) = world().await;
    let greeting = json!({ "type": "string", "minLength": 1 });
    let one = with_schema(
        "1.0.0",
        json!({
            "type": "object", "required": ["greeting"], "additionalProperties": false,
            "properties": { "greeting": greeting },
        }),
    );
    let two = with_schema(
        "2.0.0",
        json!({
            "type": "object", "required": ["greeting", "bye"], "properties": { "greeting": greeting, "bye": greeting },
        }),
    );
    let first = world.api.upload(&acme, "bot", one).await;
    let put = |body: Value| {
        let (world, acme) = (&world, &acme);
        async move { call(world, acme, Method::PUT, "bot/config", body).await }
    };
    for (label, body, path, rule, words) in [
        ("nothing", json!({}), "", "/required", "greeting"),
        ("a number", json!({ "greeting": 1 }), "/greeting", "/properties/greeting/type", "string"),
        ("empty", json!({ "greeting": "" }), "/greeting", "/properties/greeting/minLength", "shorter"),
        ("more", json!({ "greeting": "hi", "x": 1 }), "", "/additionalProperties", "'x'"),
    ] {
        let refused = put(body).await;
        refused.refuses(label, 400, &["config:", path, words]);
        assert_eq!(refused.body["code"], "config_invalid", "{label}");
        let violation = &refused.body["details"]["violations"][0];
        assert_eq!((&violation["path"], &violation["rule"]), (&json!(path), &json!(rule)), "{label}");
    }
    put(json!([1])).await.refuses("a list", 400, &["map"]);
    let refused = call(&world, &acme, Method::POST, "bot/activate", json!({})).await;
    refused.refuses("activation without the configuration", 409, &["greeting", "config"]);
    assert_eq!(refused.body["code"], "config_invalid");

    assert_eq!(put(json!({ "greeting": "hi" })).await.body, json!({ "config": { "greeting": "hi" } }));
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": first })).await;
    let of_flow = "select c.config->>'greeting' from tenants t
                   join plugin_configs c on c.tenant_id = t.id and c.id = t.flow_config_id";
    let in_charge = || async { sqlx::query_scalar::<_, String>(of_flow).fetch_one(&world.db.pool).await.unwrap() };
    assert_eq!(in_charge().await, "hi");
    assert_eq!(put(json!({ "greeting": "hello" })).await.status, 200);
    assert_eq!(in_charge().await, "hello", "it holds from the next event");

    // The next version wants more than the first allows: the two change together.
    world.advance(chrono::TimeDelta::minutes(1));
    world.api.upload(&acme, "bot", two).await;
    let both = json!({ "greeting": "hello", "bye": "bye" });
    put(both.clone()).await.refuses("what runs does not allow it", 400, &["'bye'"]);
    let refused = call(&world, &acme, Method::POST, "bot/activate", json!({})).await;
    refused.refuses("without it", 409, &["bye"]);
    let trial = json!({ "canaryPercent": 10, "config": both });
    let refused = call(&world, &acme, Method::POST, "bot/activate", trial).await;
    refused.refuses("a trial shares it with what runs", 409, &["'bye'"]);
    assert_eq!(config(&world, &acme).await, json!({ "greeting": "hello" }), "nothing was changed");
    world.api.plugin(&acme, "bot", "activate", &json!({ "config": both })).await;
    assert_eq!(config(&world, &acme).await, both);
    assert_eq!(world.db.count("select count(*) from plugin_configs").await, 3, "each of them is kept");

    let large = json!({ "greeting": "x".repeat(64 * 1024), "bye": "bye" });
    put(large).await.refuses("too large", 400, &["65536"]);
    world.end().await;
}

#[tokio::test]
async fn hosts_are_names() {
    let (world, acme) = world().await;
    world.api.upload(&acme, "bot", plain("1.0.0")).await;
    let put = |hosts: Value| {
        let (world, acme) = (&world, &acme);
        async move { call(world, acme, Method::PUT, "bot/hosts", json!({ "hosts": hosts })).await }
    };
    let set = put(json!(["b.example.com", "*.example.org", "b.example.com"])).await;
    assert_eq!(set.body, json!({ "hosts": ["*.example.org", "b.example.com"] }));
    for (host, word) in [
        ("https://example.com", "api.example.com"),
        ("example.com/path", "no host"),
        ("*", "every host"),
        ("*.com", "too many"),
    ] {
        put(json!(["a.example.com", host])).await.refuses_field(host, "hosts[1]", &[word]);
    }
    put(json!(vec!["a.example.com"; 51])).await.refuses_field("too many", "hosts", &["at most 50"]);
    let (_, shown) = world.api.get(&format!("/tenants/{}/plugins/bot", acme.id), &acme.key).await;
    assert_eq!(shown["plugin"]["hosts"], set.body["hosts"], "what is refused changes nothing");
    assert_eq!(put(json!([])).await.body, json!({ "hosts": [] }));
    world.end().await;
}

#[tokio::test]
async fn secrets_are_written_and_never_read() {
    const VALUE: &str = "sk-live-4242424242424242";
    let (world, acme) = world().await;
    let digest = world.api.upload(&acme, "bot", component("test-guest").await).await;
    let secret = |method: Method, name: &str, value: &str| {
        let (world, acme, path) = (&world, &acme, format!("bot/secrets/{name}"));
        let body = json!({ "value": value });
        async move { call(world, acme, method, &path, body).await }
    };
    assert_eq!(secret(Method::PUT, "API_KEY", "another").await.status, 204);
    assert_eq!(secret(Method::PUT, "API_KEY", VALUE).await.status, 204);
    assert_eq!(secret(Method::PUT, "other", VALUE).await.status, 204);
    for (name, value, field) in [
        ("A%20B", VALUE, "secret"),
        (&"x".repeat(65), VALUE, "secret"),
        ("API_KEY", "", "value"),
        ("API_KEY", "a\r\nHost: b", "value"),
        ("API_KEY", "\u{e9}", "value"),
        ("API_KEY", &"x".repeat(4097), "value"),
    ] {
        let refused = secret(Method::PUT, name, value).await;
        refused.refuses_field(name, field, &[]);
        assert!(value.is_empty() || !refused.body.to_string().contains(value), "the value is repeated");
    }

    let shows = ["", "/bot", &format!("/bot/versions/{digest}")];
    for path in shows {
        let (status, shown) = world.api.get(&format!("/tenants/{}/plugins{path}", acme.id), &acme.key).await;
        assert_eq!(status, 200);
        assert!(!shown.to_string().contains(VALUE), "{path}");
    }
    let (_, shown) = world.api.get(&format!("/tenants/{}/plugins/bot", acme.id), &acme.key).await;
    let names: Vec<&Value> = shown["plugin"]["secrets"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("API_KEY"), &json!("other")]);

    let all = everything(&world).await;
    assert!(all.contains("API_KEY"), "the scan sees the table");
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!all.contains(VALUE) && !all.contains(&hex), "the value is in the database");

    // Sealed for its place: copied to another name it cannot be opened.
    let key = hoopoe_secrets::MasterKey::new(MASTER_KEY.to_owned().into()).unwrap();
    let wanted = ["API_KEY".to_owned(), "none".to_owned()];
    let found = world.store().plugin_secrets(acme.id, "bot", &wanted).await.unwrap();
    let [(name, sealed)] = found.as_slice() else { panic!("{found:?}") };
    let opened = open_secret(&key, acme.id, ("bot", name), sealed).unwrap();
    assert_eq!(opened.expose_secret(), VALUE);
    assert!(open_secret(&key, acme.id, ("bot", "other"), sealed).is_err());

    assert_eq!(secret(Method::DELETE, "API_KEY", "").await.status, 204);
    secret(Method::DELETE, "API_KEY", "").await.refuses("it is gone", 404, &["no secret API_KEY"]);
    world.end().await;
}
