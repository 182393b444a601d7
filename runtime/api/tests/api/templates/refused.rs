//! What is wrong with a template, or with what is to be sent of it.

use hoopoe_testing::World;
use serde_json::{Value, json};

use super::{Caller, body, welcome};

#[tokio::test]
async fn a_wrong_template_is_refused_and_leaves_nothing() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    let with = |changes: Value| {
        let mut body = welcome();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    let cases: [(&str, Value, &str, &[&str]); 12] = [
        ("an empty key", with(json!({ "key": "" })), "key", &["1 to 64"]),
        ("a key that fits no path", with(json!({ "key": "a/b" })), "key", &["1 to 64"]),
        ("a key that is a number", with(json!({ "key": 1 })), "key", &["expected a string"]),
        ("no language", with(json!({ "language": "english" })), "language", &["en or pt_BR"]),
        ("no list", with(json!({ "components": "Hello" })), "components", &["a list is needed"]),
        ("an open variable", with(json!({ "components": body("Hi {{name") })), "components[0].text", &["{{", "}}"]),
        (
            "mixed variables",
            with(json!({ "components": body("{{a}} {{1}}") })),
            "components[0].text",
            &["named and positional"],
        ),
        (
            "a long text",
            with(json!({ "components": body(&"x".repeat(4097)) })),
            "components[0].text",
            &["4097", "4096"],
        ),
        ("an unknown component", with(json!({ "components": [{ "type": "card" }] })), "components[0].type", &["body"]),
        ("no object", with(json!({ "metadata": [] })), "metadata", &["an object"]),
        (
            "metadata that is too large",
            with(json!({ "metadata": { "a": "x".repeat(20_000) } })),
            "metadata",
            &["16384"],
        ),
        (
            "a name of Meta's form",
            with(json!({ "metadata": { "meta": { "name": "A B" } } })),
            "metadata.meta.name",
            &["a-z"],
        ),
    ];
    for (label, body, field, words) in cases {
        acme.create(&body).await.refuses_field(label, field, words);
    }
    acme.create(&json!({ "key": "a" })).await.refuses_field("no components", "components", &["missing"]);
    acme.create(&with(json!({ "name": "a" }))).await.refuses("an unknown field", 400, &["`name`"]);
    assert_eq!(world.db.count("select count(*) from template_versions").await, 0);

    assert_eq!(acme.create(&welcome()).await.status, 201);
    let put = json!({ "components": body("{{1}} {{3}}") });
    acme.put("/templates/welcome_v1", &put).await.refuses_field("a gap", "components", &["{{2}}"]);
    let put = json!({ "components": body("x"), "language": "de" });
    let two = acme.put("/templates/welcome_v1?language=en", &put).await;
    two.refuses_field("two languages", "language", &["de", "en"]);
    acme.get("/templates/welcome_v1?lang=en").await.refuses("an unknown parameter", 400, &["lang"]);
    acme.get("/templates?limit=0").await.refuses_field("no page", "limit", &["1 to 200"]);
    acme.get("/templates/a%2Fb").await.refuses("a key that cannot be", 404, &["no template a/b"]);
    assert_eq!(acme.get("/templates/welcome_v1").await.body["version"], 1);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before_it_is_queued() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    assert_eq!(acme.create(&welcome()).await.status, 201);

    for variables in [json!(null), json!({}), json!([]), json!({ "first_name": null }), json!({ "name": "Sam" })] {
        let missing = acme.send(json!({ "variables": variables })).await;
        missing.refuses("a missing variable", 400, &["variables: ", "welcome_v1", "first_name"]);
        assert_eq!(missing.body["code"], "missing_variables");
        assert_eq!(missing.body["details"], json!({ "missing": ["first_name"] }), "{variables}");
    }
    let long = acme.send(json!({ "variables": { "first_name": "x".repeat(4096) } })).await;
    long.refuses("a long text", 400, &["components[0].text", "4096"]);
    assert_eq!(long.body["code"], "invalid_template");

    let sam = json!({ "first_name": "Sam" });
    let cases: [(&str, Value, &str, &[&str]); 6] = [
        ("no number", json!({ "to": "hello", "variables": sam }), "to", &[]),
        ("an unknown number", json!({ "from": "999999999999999", "variables": sam }), "from", &["no such number"]),
        ("an empty key", json!({ "idempotency_key": "", "variables": sam }), "idempotency_key", &["1 to 256"]),
        ("no language", json!({ "language": "english", "variables": sam }), "language", &["en or pt_BR"]),
        ("a value that is a list", json!({ "variables": { "first_name": [] } }), "variables.first_name", &["a text"]),
        ("variables in a text", json!({ "variables": "Sam" }), "variables", &["an object", "a list"]),
    ];
    for (label, changes, field, words) in cases {
        acme.send(changes).await.refuses_field(label, field, words);
    }
    let unknown = acme.send(json!({ "templateKey": "welcome_v2" })).await;
    unknown.refuses("an unknown key", 404, &["no template welcome_v2"]);
    acme.send(json!({ "templateKey": "../x\0" })).await.refuses("a key that cannot be", 404, &["no template"]);
    acme.send(json!({ "template": "welcome_v1" })).await.refuses("an unknown field", 400, &["`template`"]);
    assert_eq!(world.db.count("select count(*) from messages").await, 0);
    world.end().await;
}
