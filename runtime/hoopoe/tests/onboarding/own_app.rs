//! A tenant's own app at Meta: its secret and verify token, at an address of its own, and for its own numbers alone.

use chrono::TimeDelta;
use hoopoe_testing::{APP_SECRET, Client, MASTER_KEY, Tenant, VERIFY_TOKEN, World, eventually};
use meta_sim::{Inbound, sign};
use reqwest::Method;
use serde_json::{Value, json};

const OWN_SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const CONTACT: &str = "16505551234";

async fn put_app(world: &World, tenant: &Tenant, body: Value) -> (u16, Value) {
    world.api.put(&format!("/tenants/{}/app", tenant.id), &tenant.key, &body).await
}

/// Posts what the simulator would, to this path, signed with this secret.
async fn post(world: &World, path: &str, secret: &str, messages: Vec<Inbound>) -> (u16, Value) {
    let body = world.sim.body_of(messages);
    let request = world.api.request(Method::POST, path, "").header("x-hub-signature-256", sign(secret, &body));
    Client::answer(request.body(body)).await
}

#[tokio::test]
async fn an_own_app_delivers_to_its_own_numbers_alone() {
    let world = World::start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let (status, app) = put_app(&world, &acme, json!({ "appSecret": OWN_SECRET, "appId": "670843887433999" })).await;
    assert_eq!((status, &app["appId"]), (201, &"670843887433999".into()), "{app}");
    let path = app["webhook"].as_str().unwrap().to_owned();
    assert!(path.starts_with("/webhook/") && path.len() == "/webhook/".len() + 32, "{path}");
    assert!(!app.to_string().contains(OWN_SECRET));

    let own = Inbound::text(&acme.phone_number_id, CONTACT, "to Acme");
    let foreign = Inbound::text(&other.phone_number_id, CONTACT, "to Other");
    let unknown = Inbound::text("106540352242999", CONTACT, "to nobody");
    let batch = vec![foreign.clone(), own.clone(), unknown];
    let (status, receipt) = post(&world, &path, OWN_SECRET, batch).await;
    assert_eq!((status, &receipt["new"], &receipt["unrouted"]), (200, &1.into(), &2.into()), "{receipt}");
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["thanks for reaching us\n- team Acme"], "nobody else answers");
    assert!(world.api.messages(&other).await.is_empty());
    let reasons: Vec<String> =
        sqlx::query_scalar("select reason from unrouted_items order by route").fetch_all(&world.db.pool).await.unwrap();
    assert!(reasons.iter().all(|reason| reason.contains(&acme.id.to_string())), "{reasons:?}");

    // The same message by the platform's own webhook reaches its tenant: it was not taken for seen.
    let (status, receipt) = post(&world, "/whatsapp/webhook", APP_SECRET, vec![foreign]).await;
    assert_eq!((status, &receipt["new"]), (200, &1.into()), "{receipt}");
    world.idle().await;
    assert_eq!(world.api.messages(&other).await.len(), 2);
    // And a repeat by the tenant's is a repeat.
    let (_, receipt) = post(&world, &path, OWN_SECRET, vec![own]).await;
    assert_eq!((&receipt["new"], &receipt["repeated"]), (&0.into(), &1.into()), "{receipt}");
    world.end().await;
}

#[tokio::test]
async fn an_account_that_tenants_share_is_each_ones_own() {
    let world = World::builder().roles("api").start().await;
    let register = async |name: &str, number: &str| {
        let body =
            json!({ "name": name, "phoneNumberId": number, "accessToken": "token", "wabaId": "102290129340398" });
        let (status, answer) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
        assert_eq!(status, 201, "{answer}");
        (answer["id"].as_str().unwrap().to_owned(), answer["apiKey"].as_str().unwrap().to_owned())
    };
    let (first, _) = register("First", "106540352242922").await;
    let (second, key) = register("Second", "106540352242923").await;
    let (_, app) = world.api.put(&format!("/tenants/{second}/app"), &key, &json!({ "appSecret": OWN_SECRET })).await;
    let event = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290129340398", "changes": [
        { "field": "account_update", "value": { "event": "VERIFIED_ACCOUNT" } }] }] });
    let send = async |path: &str, secret: &str| {
        let body = event.to_string().into_bytes();
        let request = world.api.request(Method::POST, path, "").header("x-hub-signature-256", sign(secret, &body));
        let (status, receipt) = Client::answer(request.body(body)).await;
        assert_eq!(status, 200, "{receipt}");
        (receipt["new"].as_u64().unwrap(), receipt["repeated"].as_u64().unwrap())
    };
    assert_eq!(send(app["webhook"].as_str().unwrap(), OWN_SECRET).await, (1, 0), "its app speaks for its tenant alone");
    assert_eq!(send("/whatsapp/webhook", APP_SECRET).await, (1, 1), "the platform's for all; one knows it already");
    let owners: Vec<String> =
        sqlx::query_scalar("select tenant_id::text from events order by id").fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(owners, [second, first]);
    world.end().await;
}

#[tokio::test]
async fn what_has_no_owner_is_kept_with_the_true_reason() {
    const SHARED: &str = "102290129340398";
    let world = World::builder().roles("api").start().await;
    let mut second = (String::new(), String::new());
    for (name, number) in [("First", "106540352242922"), ("Second", "106540352242923")] {
        let body = json!({ "name": name, "phoneNumberId": number, "accessToken": "token", "wabaId": SHARED });
        let (status, answer) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
        assert_eq!(status, 201, "{answer}");
        second = (answer["id"].as_str().unwrap().to_owned(), answer["apiKey"].as_str().unwrap().to_owned());
    }
    let (second, key) = second;
    let (_, app) = world.api.put(&format!("/tenants/{second}/app"), &key, &json!({ "appSecret": OWN_SECRET })).await;
    let own = app["webhook"].as_str().unwrap();
    let number = |number: &str| json!({ "display_phone_number": number, "event": "FLAGGED" });
    let preference = json!({ "user_preferences": [{ "wa_id": CONTACT, "value": "stop" }] });
    let of_number = json!({ "metadata": { "phone_number_id": "1" }, "messages": [{ "id": "m1", "from": CONTACT }] });
    let of_nobody = json!({ "metadata": {}, "messages": [{ "id": "m2", "from": CONTACT }] });
    let (platform, other) = ("/whatsapp/webhook", "102290129340399");
    for (path, account, field, value, expected) in [
        (
            platform,
            SHARED,
            "phone_number_quality_update",
            number("999"),
            Some("several tenants have this business account"),
        ),
        (platform, SHARED, "user_preferences", preference.clone(), Some("several tenants have this business account")),
        (platform, other, "phone_number_quality_update", number("998"), Some("no tenant has this business account")),
        (platform, other, "account_update", json!({ "event": "X" }), Some("no tenant has this business account")),
        (platform, SHARED, "messages", of_number, Some("no tenant has this phone number id")),
        (platform, SHARED, "messages", of_nobody, Some("cannot be read in it")),
        (own, SHARED, "phone_number_quality_update", number("997"), Some(second.as_str())),
        (own, "0", "messages", json!({ "metadata": {}, "statuses": [{}] }), Some("cannot be read in it")),
        // By a tenant's own app it is that tenant's.
        (own, SHARED, "user_preferences", preference, None),
    ] {
        let change = json!({ "field": field, "value": value });
        let event = json!({ "object": "whatsapp_business_account", "entry": [{ "id": account, "changes": [change] }] });
        let (body, secret) = (event.to_string().into_bytes(), if path == platform { APP_SECRET } else { OWN_SECRET });
        let request = world.api.request(Method::POST, path, "").header("x-hub-signature-256", sign(secret, &body));
        let (_, receipt) = Client::answer(request.body(body)).await;
        let Some(expected) = expected else {
            assert_eq!((&receipt["new"], &receipt["unrouted"]), (&1.into(), &0.into()), "{event}: {receipt}");
            continue;
        };
        assert_eq!(receipt["unrouted"], 1, "{event}: {receipt}");
        let reason = sqlx::query_scalar("select reason from unrouted_items order by id desc limit 1");
        let reason: String = reason.fetch_one(&world.db.pool).await.unwrap();
        assert!(reason.contains(expected), "{event}: {reason}");
    }
    let owner = "select tenant_id::text from events where kind = 'user_preferences'";
    let owner: String = sqlx::query_scalar(owner).fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(owner, second);
    world.end().await;
}

#[tokio::test]
async fn only_its_own_secret_signs_and_a_change_of_it_overlaps() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let (_, app) = put_app(&world, &tenant, json!({ "appSecret": OWN_SECRET })).await;
    let path = app["webhook"].as_str().unwrap().to_owned();
    let message = || vec![Inbound::text(&tenant.phone_number_id, CONTACT, "hello")];
    let status = async |path: &str, secret: &str| post(&world, path, secret, message()).await.0;

    assert_eq!(status(&path, OWN_SECRET).await, 200);
    for (label, at, secret) in [
        ("the platform's secret at the own address", path.as_str(), APP_SECRET),
        ("the own secret at the platform's address", "/whatsapp/webhook", OWN_SECRET),
        ("a guess", &path, "guess"),
    ] {
        assert_eq!(status(at, secret).await, 401, "{label}");
    }
    let body = world.sim.body_of(message());
    let (unsigned, answer) = Client::answer(world.api.request(Method::POST, &path, "").body(body)).await;
    assert_eq!(unsigned, 401, "{answer}");
    assert_eq!(status("/webhook/00000000000000000000000000000000", OWN_SECRET).await, 404);

    const NEXT: &str = "aaaabbbbccccddddeeeeffff00001111";
    let (changed, app) = put_app(&world, &tenant, json!({ "appSecret": NEXT })).await;
    assert_eq!((changed, app["webhook"].as_str()), (200, Some(path.as_str())), "the address stays: {app}");
    assert!(app["formerUntil"].is_string() && app.get("verifyToken").is_none(), "{app}");
    assert_eq!((status(&path, NEXT).await, status(&path, OWN_SECRET).await), (200, 200));
    // Once more the same is no change: the former one is still the former one.
    let (_, app) = put_app(&world, &tenant, json!({ "appSecret": NEXT })).await;
    assert!(app["formerUntil"].is_string(), "{app}");
    assert_eq!(status(&path, OWN_SECRET).await, 200);
    world.advance(TimeDelta::hours(25));
    eventually("the former secret is taken no more", async || status(&path, OWN_SECRET).await == 401).await;
    assert_eq!(status(&path, NEXT).await, 200);

    // It leaked: at once.
    let (_, app) = put_app(&world, &tenant, json!({ "appSecret": OWN_SECRET, "revokeFormer": true })).await;
    assert_eq!(app["formerUntil"], Value::Null);
    assert_eq!((status(&path, OWN_SECRET).await, status(&path, NEXT).await), (200, 401));

    let route = format!("/tenants/{}/app", tenant.id);
    assert_eq!(world.api.delete(&route, &tenant.key).await.0, 204);
    assert_eq!(status(&path, OWN_SECRET).await, 404);
    assert_eq!(world.api.delete(&route, &tenant.key).await.0, 404);
    let (_, again) = put_app(&world, &tenant, json!({ "appSecret": OWN_SECRET })).await;
    assert_ne!(again["webhook"], path, "a new app has a new address");
    world.end().await;
}

#[tokio::test]
async fn the_address_is_verified_with_the_apps_own_token() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let (_, app) = put_app(&world, &tenant, json!({ "appSecret": OWN_SECRET })).await;
    let path = app["webhook"].as_str().unwrap().to_owned();
    let made = app["verifyToken"].as_str().unwrap().to_owned();
    assert_eq!((made.len(), &app["verifiedAt"]), (32, &Value::Null), "{app}");
    let verify = async |path: &str, token: &str| {
        let query = format!("?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
        world.api.get(&format!("{path}{query}"), "").await
    };
    assert_eq!(verify(&path, &made).await, (200, json!(1158201444)));
    for (label, path, token) in [
        ("the platform's token", path.as_str(), VERIFY_TOKEN),
        ("the own token at the platform's address", "/whatsapp/webhook", made.as_str()),
        ("none", &path, ""),
    ] {
        let (status, answer) = verify(path, token).await;
        assert_eq!(status, 403, "{label}: {answer}");
        assert!(!answer.to_string().contains(&made), "{label}: {answer}");
    }
    let (_, shown) = world.api.get(&format!("/tenants/{}/app", tenant.id), &tenant.key).await;
    assert!(shown["verifiedAt"].is_string() && shown.get("verifyToken").is_none(), "{shown}");

    let body = json!({ "appSecret": OWN_SECRET, "verifyToken": "chosen-by-us" });
    assert_eq!(put_app(&world, &tenant, body).await.1["verifyToken"], "chosen-by-us");
    assert_eq!((verify(&path, "chosen-by-us").await.0, verify(&path, &made).await.0), (200, 403));
    world.end().await;
}

#[tokio::test]
async fn an_app_is_its_tenants_alone_and_its_fields_are_checked() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    put_app(&world, &acme, json!({ "appSecret": OWN_SECRET, "verifyToken": "only-acme-knows" })).await;
    let route = format!("/tenants/{}/app", acme.id);
    assert_eq!(world.api.get(&route, &other.key).await.0, 404);
    assert_eq!(world.api.put(&route, &other.key, &json!({ "appSecret": OWN_SECRET })).await.0, 404);
    assert_eq!(world.api.delete(&route, &other.key).await.0, 404);
    assert_eq!(world.api.get(&format!("/tenants/{}/app", other.id), &other.key).await.0, 404);
    for (field, body) in [
        ("appSecret", json!({})),
        ("appSecret", json!({ "appSecret": "short" })),
        ("appSecret", json!({ "appSecret": "with a space in it, long" })),
        ("appId", json!({ "appSecret": OWN_SECRET, "appId": "my-app" })),
        ("verifyToken", json!({ "appSecret": OWN_SECRET, "verifyToken": "short" })),
    ] {
        let (status, answer) = put_app(&world, &acme, body.clone()).await;
        assert_eq!((status, &answer["details"]["field"]), (400, &field.into()), "{body}: {answer}");
    }
    // Neither secret is anywhere in clear.
    for secret in [OWN_SECRET, "only-acme-knows"] {
        let clear: i64 = sqlx::query_scalar("select count(*) from meta_apps m where m::text like '%' || $1 || '%'")
            .bind(secret)
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
        assert_eq!(clear, 0, "{secret}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_flood_by_an_own_app_is_that_tenants_alone() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let (_, app) = put_app(&world, &acme, json!({ "appSecret": OWN_SECRET })).await;
    let path = app["webhook"].as_str().unwrap();
    let send = async |body: String| {
        let body = body.into_bytes();
        let request = world.api.request(Method::POST, path, "").header("x-hub-signature-256", sign(OWN_SECRET, &body));
        Client::answer(request.body(body)).await
    };
    let flood = |number: &str, items: usize| {
        let statuses: Vec<String> = (0..items).map(|n| format!(r#"{{"id":"{n}","status":"sent"}}"#)).collect();
        format!(
            r#"{{"entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"{number}"}},
               "statuses":[{}]}}}}]}}]}}"#,
            statuses.join(",")
        )
    };
    let (status, answer) = send(flood(&acme.phone_number_id, 100_000)).await;
    assert_eq!(status, 400, "more than a webhook holds: {answer}");
    let (status, answer) = send(flood(&acme.phone_number_id, 9_000)).await;
    assert_eq!(status, 503, "more than the tenant's share: {answer}");
    // Items of somebody else's numbers are kept for the operator, but not without end.
    let (status, answer) = send(flood(&other.phone_number_id, 900)).await;
    assert_eq!((status, &answer["unrouted"]), (200, &900.into()), "{answer}");
    let (status, _) = send(flood(&other.phone_number_id, 200)).await;
    assert_eq!(status, 503);
    assert_eq!(world.db.count("select count(*) from events").await, 0);
    // The tenant's own items, and everybody else's, go their way.
    let (status, _) = post(&world, path, OWN_SECRET, vec![Inbound::text(&acme.phone_number_id, CONTACT, "hi")]).await;
    assert_eq!(status, 200);
    let text = Inbound::text(&other.phone_number_id, CONTACT, "hi");
    assert_eq!(post(&world, "/whatsapp/webhook", APP_SECRET, vec![text]).await.0, 200);
    world.end().await;
}
