//! `POST /tenants/register`, `GET /tenants/{id}` and `PUT /tenants/{id}/quota`.

use hoopoe_testing::{MASTER_KEY, Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::answer;

fn registration(changes: Value) -> Value {
    let mut body = json!({ "name": "Acme", "phoneNumberId": "106540352242922", "accessToken": "mock_token" });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_wrong_registration_is_refused_and_leaves_nothing() {
    let world = World::builder().roles("api").start().await;
    let register = |body: &Value| answer(world.api.request(Method::POST, "/tenants/register", MASTER_KEY).json(body));
    let cases: [(&str, Value, &str, &[&str]); 19] = [
        ("an empty name", json!({ "name": "" }), "name", &["1 to 200"]),
        ("a blank name", json!({ "name": " \t\n" }), "name", &["1 to 200"]),
        ("a long name", json!({ "name": "ü".repeat(201) }), "name", &["201", "200"]),
        ("a name with NUL", json!({ "name": "Ac\0me" }), "name", &["NUL"]),
        ("a name that is a number", json!({ "name": 5 }), "name", &["expected a string"]),
        ("no id", json!({ "phoneNumberId": "" }), "phoneNumberId", &["5 to 32 digits"]),
        ("an id that is a number", json!({ "phoneNumberId": 1065403 }), "phoneNumberId", &["expected a string"]),
        ("a phone number as id", json!({ "phoneNumberId": "+15550783881" }), "phoneNumberId", &["digits"]),
        ("letters as id", json!({ "phoneNumberId": "abcdef" }), "phoneNumberId", &["digits"]),
        ("a short id", json!({ "phoneNumberId": "1234" }), "phoneNumberId", &["5 to 32 digits"]),
        ("a long id", json!({ "phoneNumberId": "1".repeat(33) }), "phoneNumberId", &["5 to 32 digits"]),
        ("digits of another script", json!({ "phoneNumberId": "١٢٣٤٥٦" }), "phoneNumberId", &["digits"]),
        ("an empty token", json!({ "accessToken": "" }), "accessToken", &["1 to 4096"]),
        ("a token with a space", json!({ "accessToken": "EAA secret" }), "accessToken", &["visible ASCII"]),
        ("a token of two lines", json!({ "accessToken": "EAA\r\nsecret" }), "accessToken", &["visible ASCII"]),
        ("a long token", json!({ "accessToken": "secret".repeat(700) }), "accessToken", &["4096"]),
        ("a token that is a list", json!({ "accessToken": ["secret"] }), "accessToken", &["expected a string"]),
        ("an account that is a name", json!({ "wabaId": "Acme" }), "wabaId", &["5 to 32 digits"]),
        ("an account that is a number", json!({ "wabaId": 102290129340398_u64 }), "wabaId", &["expected a string"]),
    ];
    for (label, changes, field, words) in cases {
        let answer = register(&registration(changes)).await;
        answer.refuses_field(label, field, words);
        assert!(!answer.body.to_string().contains("secret"), "{label}: the token is repeated: {}", answer.body);
    }
    for field in ["name", "phoneNumberId", "accessToken"] {
        let mut body = registration(json!({}));
        body.as_object_mut().unwrap().remove(field);
        register(&body).await.refuses_field(field, field, &["missing"]);
    }
    register(&registration(json!({ "plan": "gold" }))).await.refuses("an unknown field", 400, &["`plan`"]);
    assert_eq!(world.db.count("select count(*) from tenants").await, 0);

    // The longest name, in characters.
    let answer = register(&registration(json!({ "name": "ü".repeat(200) }))).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    world.end().await;
}

#[tokio::test]
async fn a_tenant_is_registered_by_the_operator_only() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let body = registration(json!({ "phoneNumberId": "106540352242923" }));
    let register = |key: &str| answer(world.api.request(Method::POST, "/tenants/register", key).json(&body));
    let cases = [
        ("no key", "", "Authorization: Bearer"),
        ("a tenant's key", &acme.key, "MASTER_KEY"),
        ("half of MASTER_KEY", &MASTER_KEY[..32], "MASTER_KEY"),
    ];
    for (label, key, word) in cases {
        register(key).await.refuses(label, 401, &[word]);
    }
    assert_eq!(world.db.count("select count(*) from tenants").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_number_belongs_to_one_tenant() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let again = registration(json!({ "name": "Other", "accessToken": "mock_other" }));
    let answer = answer(world.api.request(Method::POST, "/tenants/register", MASTER_KEY).json(&again)).await;
    answer.refuses("the number twice", 409, &["106540352242922", "registered already"]);
    assert_eq!(answer.body["code"], "phone_number_taken");
    assert_eq!(answer.body["details"], json!({ "phoneNumberId": "106540352242922" }));
    for table in ["select count(*) from tenants", "select count(*) from channels", "select count(*) from api_keys"] {
        assert_eq!(world.db.count(table).await, 1, "{table}");
    }
    let (status, shown) = world.api.get(&format!("/tenants/{}", acme.id), &acme.key).await;
    assert_eq!((status, &shown["name"]), (200, &json!("Acme")));
    world.end().await;
}

#[tokio::test]
async fn a_tenant_is_shown_as_it_was_registered() {
    let world = World::builder().roles("api").start().await;
    let body = registration(json!({ "name": "  Acme  ", "wabaId": "102290129340398" }));
    let registered = answer(world.api.request(Method::POST, "/tenants/register", MASTER_KEY).json(&body)).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let mut registered = registered.body;
    let key = registered.as_object_mut().unwrap().remove("apiKey").unwrap();
    let key = key.as_str().unwrap();
    assert!(key.starts_with("hoopoe_") && key.len() == 39, "{key}");

    let path = format!("/tenants/{}", registered["id"].as_str().unwrap());
    let shown = world.api.get(&path, key).await;
    assert_eq!(shown, (200, registered.clone()), "shown as it was answered, but for the key");
    assert_eq!(world.api.get(&path, MASTER_KEY).await, shown);
    assert_eq!(registered["name"], "Acme");
    assert_eq!(registered["flow"], "auto-reply");
    assert_eq!(registered["createdAt"], "2026-01-01T00:00:00Z");
    let channels = registered["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 1);
    assert_eq!(channels[0]["phoneNumberId"], "106540352242922");
    assert_eq!(channels[0]["wabaId"], "102290129340398");
    world.end().await;
}

#[tokio::test]
async fn a_quota_is_the_operators_to_set_within_its_limits() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "mock_token").await;
    let other = world.api.register("Other", "106540352242923", "mock_token").await;
    let (path, unknown) = (format!("/tenants/{}/quota", acme.id), format!("/tenants/{}/quota", uuid::Uuid::nil()));
    let put = |path: &str, key: &str, body: Value| answer(world.api.request(Method::PUT, path, key).json(&body));
    let shown = async |tenant: &Tenant| {
        let (status, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
        assert_eq!(status, 200, "{shown}");
        shown["messagesPerSecond"].clone()
    };
    let set = put(&path, MASTER_KEY, json!({ "messagesPerSecond": 3 })).await;
    assert_eq!((set.status, &set.body["messagesPerSecond"]), (200, &json!(3.0)), "{}", set.body);
    assert_eq!((shown(&acme).await, shown(&other).await), (json!(3.0), Value::Null));

    let more = json!({ "messagesPerSecond": 500 });
    put(&path, &acme.key, more.clone()).await.refuses("the tenant itself", 401, &["MASTER_KEY"]);
    put(&path, &other.key, more.clone()).await.refuses("another tenant", 401, &["MASTER_KEY"]);
    put(&unknown, MASTER_KEY, more).await.refuses("an unknown tenant", 404, &["no tenant"]);
    for wrong in [0.0, 0.009, -1.0, 10_000.1] {
        let answer = put(&path, MASTER_KEY, json!({ "messagesPerSecond": wrong })).await;
        answer.refuses_field(&wrong.to_string(), "messagesPerSecond", &["0.01 to 10000"]);
    }
    let text = put(&path, MASTER_KEY, json!({ "messagesPerSecond": "3" })).await;
    text.refuses_field("a text", "messagesPerSecond", &["expected f64"]);
    put(&path, MASTER_KEY, json!({ "perSecond": 3 })).await.refuses("an unknown field", 400, &["perSecond"]);
    assert_eq!(shown(&acme).await, json!(3.0), "what is refused changes nothing");

    for none in [json!({ "messagesPerSecond": null }), json!({})] {
        for (body, expected) in [(json!({ "messagesPerSecond": 0.01 }), json!(0.01)), (none, Value::Null)] {
            let set = put(&path, MASTER_KEY, body).await;
            assert_eq!((set.status, shown(&acme).await), (200, expected), "{}", set.body);
        }
    }
    world.end().await;
}
