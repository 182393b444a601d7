//! `/tenants/{id}/templates` and `POST /tenants/{id}/send/template`.

use hoopoe_testing::{MASTER_KEY, Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::{Answer, answer};

/// The former system's example.
fn welcome() -> Value {
    json!({
        "key": "welcome_v1",
        "language": "en",
        "components": [{ "type": "body", "text": "Hello {{first_name}}, welcome to our service!" }],
        "metadata": { "description": "Welcome message" },
    })
}

fn body(text: &str) -> Value {
    json!([{ "type": "body", "text": text }])
}

/// A tenant's requests.
struct Caller<'a> {
    world: &'a World,
    tenant: &'a Tenant,
}

impl Caller<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/tenants/{}{path}", self.tenant.id);
        let request = self.world.api.request(method, &path, &self.tenant.key);
        answer(body.iter().fold(request, |request, body| request.json(body))).await
    }

    async fn create(&self, body: &Value) -> Answer {
        self.call(Method::POST, "/templates", Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    async fn send(&self, changes: Value) -> Answer {
        let mut body = json!({ "to": "+15551234567", "templateKey": "welcome_v1" });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.call(Method::POST, "/send/template", Some(&body)).await
    }

    /// The payload of the newest message.
    async fn payload(&self) -> Value {
        sqlx::query_scalar("select payload from messages where tenant_id = $1 order by id desc limit 1")
            .bind(self.tenant.id)
            .fetch_one(&self.world.db.pool)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_template_lives() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };

    let created = acme.create(&welcome()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let expected = json!({
        "key": "welcome_v1", "defaultLanguage": "en", "language": "en", "version": 1,
        "components": welcome()["components"], "metadata": welcome()["metadata"],
        "variables": [{ "name": "first_name", "default": null }],
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        "languages": [{
            "language": "en", "version": 1, "components": welcome()["components"], "metadata": welcome()["metadata"],
            "variables": [{ "name": "first_name", "default": null }], "updatedAt": "2026-01-01T00:00:00Z",
        }],
    });
    assert_eq!(created.body, expected);
    let shown = acme.get("/templates/welcome_v1").await;
    assert_eq!((shown.status, &shown.body), (200, &expected));

    let again = acme.create(&welcome()).await;
    again.refuses("a used key", 409, &["welcome_v1", "PUT"]);
    assert_eq!((&again.body["code"], &again.body["details"]), (&json!("key_taken"), &json!({ "key": "welcome_v1" })));

    let changed = acme.put("/templates/welcome_v1", &json!({ "components": body("Hi {{name|you}}") })).await;
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)), "{}", changed.body);
    assert_eq!(changed.body["metadata"], welcome()["metadata"], "what is left out stays");
    let cleared = json!({ "components": body("Hi {{name|you}}"), "metadata": {} });
    let cleared = acme.put("/templates/welcome_v1?language=EN", &cleared).await;
    assert_eq!((&cleared.body["version"], &cleared.body["metadata"]), (&json!(3), &json!({})));

    let deleted = acme.delete("/templates/welcome_v1").await;
    assert_eq!((deleted.status, &deleted.body), (204, &json!("")));
    for answer in [
        acme.get("/templates/welcome_v1").await,
        acme.delete("/templates/welcome_v1").await,
        acme.put("/templates/welcome_v1", &json!({ "components": body("x") })).await,
        acme.send(json!({})).await,
    ] {
        answer.refuses("a deleted template", 404, &["no template welcome_v1"]);
        assert_eq!(answer.body["code"], "unknown_template");
    }
    assert_eq!(acme.get("/templates").await.body, json!({ "templates": [], "next": null }));

    // The key is free again, and goes on counting: version 4 was the deletion.
    let revived = acme.create(&welcome()).await;
    assert_eq!((revived.status, &revived.body["version"]), (201, &json!(5)), "{}", revived.body);
    assert_eq!(world.db.count("select count(*) from template_versions").await, 5, "every version is kept");
    world.end().await;
}

#[tokio::test]
async fn languages_stand_in_for_each_other() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    let german = json!({ "key": "bye", "language": "de", "components": body("Tschüss") });
    assert_eq!(acme.create(&german).await.status, 201);
    for (language, text) in [("en", "Bye"), ("pt-br", "Tchau")] {
        let added = acme.put("/templates/bye", &json!({ "language": language, "components": body(text) })).await;
        assert_eq!((added.status, &added.body["version"]), (200, &json!(1)), "{}", added.body);
    }
    let shown = acme.get("/templates/bye").await;
    let languages: Vec<_> =
        shown.body["languages"].as_array().unwrap().iter().map(|one| one["language"].as_str().unwrap()).collect();
    assert_eq!((&shown.body["language"], languages), (&json!("de"), vec!["de", "en", "pt_BR"]));

    let table = [
        ("en_GB", "en", "Bye"),
        ("en", "en", "Bye"),
        ("pt_BR", "pt_BR", "Tchau"),
        ("pt", "de", "Tschüss"),
        ("fr-CA", "de", "Tschüss"),
    ];
    for (asked, found, text) in table {
        let shown = acme.get(&format!("/templates/bye?language={asked}")).await;
        assert_eq!(shown.body["language"], found, "{asked}: {}", shown.body);
        let sent = acme.send(json!({ "templateKey": "bye", "language": asked })).await;
        assert_eq!(sent.status, 202, "{asked}: {}", sent.body);
        assert_eq!(acme.payload().await["text"]["body"], text, "{asked}");
    }

    acme.delete("/templates/bye?language=fr").await.refuses("a missing language", 404, &["no language fr"]);
    let default = acme.delete("/templates/bye?language=de").await;
    default.refuses("the default language", 409, &["de is the default language"]);
    assert_eq!(default.body["code"], "default_language");
    assert_eq!(acme.delete("/templates/bye?language=en").await.status, 204);
    assert_eq!(acme.get("/templates/bye?language=en").await.body["language"], "de", "en is gone");

    // Another one becomes the default; then the old one can go.
    let changed = json!({ "language": "pt_BR", "components": body("Tchau!"), "default": true });
    let changed = acme.put("/templates/bye", &changed).await;
    assert_eq!((&changed.body["defaultLanguage"], &changed.body["version"]), (&json!("pt_BR"), &json!(2)));
    assert_eq!(acme.delete("/templates/bye?language=de").await.status, 204);
    assert_eq!(acme.get("/templates/bye?language=de").await.body["language"], "pt_BR");
    world.end().await;
}

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
async fn templates_are_listed_by_key_and_belong_to_one_tenant() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let stranger = world.api.register("Other", "106540352242923", "token").await;
    let (acme, other) = (Caller { world: &world, tenant: &tenant }, Caller { world: &world, tenant: &stranger });
    for key in ["c", "a", "b"] {
        assert_eq!(acme.create(&json!({ "key": key, "components": body(key) })).await.status, 201);
    }
    let keys = |answer: &Answer| {
        let templates = answer.body["templates"].as_array().unwrap().iter();
        templates.map(|template| template["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = acme.get("/templates?limit=2").await;
    assert_eq!((keys(&first), &first.body["next"]), (vec!["a".to_owned(), "b".to_owned()], &json!("b")));
    assert_eq!(first.body["templates"][0]["components"], body("a"));
    let second = acme.get("/templates?limit=2&after=b").await;
    assert_eq!((keys(&second), &second.body["next"]), (vec!["c".to_owned()], &Value::Null));

    assert_eq!(other.get("/templates").await.body["templates"], json!([]));
    other.get("/templates/a").await.refuses("a stranger's", 404, &["no template a"]);
    other.send(json!({ "templateKey": "a" })).await.refuses("a stranger's", 404, &["no template a"]);
    assert_eq!(other.create(&json!({ "key": "a", "components": body("other") })).await.status, 201);
    assert_eq!(acme.get("/templates/a").await.body["components"], body("a"));

    let path = format!("/tenants/{}/templates", tenant.id);
    for (label, key, status) in [("no key", "", 401), ("another tenant's key", stranger.key.as_str(), 404)] {
        for method in [Method::GET, Method::POST] {
            let request = world.api.request(method, &path, key).json(&welcome());
            answer(request).await.refuses(label, status, &[]);
        }
    }
    let operator = world.api.request(Method::POST, &format!("/api{path}"), MASTER_KEY).json(&welcome());
    assert_eq!(answer(operator).await.status, 201);
    world.end().await;
}

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
async fn of_ten_creations_at_once_one_gets_the_key() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let path = format!("/tenants/{}/templates", tenant.id);
    let all = async |method: Method, path: &str, body: &Value| {
        let requests: Vec<_> = (0..10)
            .map(|_| tokio::spawn(answer(world.api.request(method.clone(), path, &tenant.key).json(body))))
            .collect();
        let mut statuses = Vec::new();
        for request in requests {
            statuses.push(request.await.unwrap().status);
        }
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(all(Method::POST, &path, &welcome()).await, [201, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
    let change = json!({ "components": body("Hi") });
    assert_eq!(all(Method::PUT, &format!("{path}/welcome_v1"), &change).await, [200; 10]);
    let (_, shown) = world.api.get(&format!("{path}/welcome_v1"), &tenant.key).await;
    assert_eq!(shown["version"], 11, "every change has a version of its own");
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
