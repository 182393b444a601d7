//! Several numbers of one tenant: which one a send goes out by, and what Meta says of each.

use hoopoe_testing::{MASTER_KEY, Tenant, World};
use meta_sim::{BusinessNumber, Fault};
use serde_json::{Value, json};

const FIRST: &str = "106540352242922";
const SECOND: &str = "106540352242923";
const CONTACT: &str = "16505551234";

async fn add(world: &World, tenant: &Tenant, body: Value) -> (u16, Value) {
    world.api.post(&format!("/tenants/{}/channels", tenant.id), MASTER_KEY, &body).await
}

async fn channels(world: &World, tenant: &Tenant) -> Vec<Value> {
    let (status, answer) = world.api.get(&format!("/tenants/{}/channels", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{answer}");
    answer["channels"].as_array().unwrap().clone()
}

/// The numbers that messages were sent from, in order.
fn senders(world: &World) -> Vec<(String, String)> {
    world.sim.accepted().into_iter().map(|sent| (sent.phone_number_id, sent.token)).collect()
}

#[tokio::test]
async fn a_send_goes_out_by_the_number_that_it_names_or_by_the_default() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", FIRST, "token-one").await;
    let new = json!({ "phoneNumberId": SECOND, "accessToken": "token-two", "wabaId": "102290129340398",
        "messagesPerSecond": 200.0 });
    let (status, added) = add(&world, &tenant, new).await;
    assert_eq!((status, &added["phoneNumberId"], &added["default"]), (201, &SECOND.into(), &false.into()), "{added}");
    assert_eq!((&added["messagesPerSecond"], &added["token"]["valid"]), (&200.0.into(), &true.into()), "{added}");
    let shown = channels(&world, &tenant).await;
    assert_eq!(shown.len(), 2);
    assert_eq!((&shown[0]["default"], &shown[1]["default"]), (&true.into(), &false.into()), "the oldest: {shown:?}");

    let template = json!({ "key": "hi", "language": "en", "components": [{ "type": "body", "text": "Hi" }] });
    let (status, answer) = world.api.post(&format!("/tenants/{}/templates", tenant.id), &tenant.key, &template).await;
    assert_eq!(status, 201, "{answer}");
    let one = (FIRST.to_owned(), "token-one".to_owned());
    let two = (SECOND.to_owned(), "token-two".to_owned());
    let send = async |from: Option<&str>| {
        world.sim.reset();
        let mut body = json!({ "to": CONTACT, "text": "hello" });
        let mut by_template = json!({ "to": CONTACT, "templateKey": "hi" });
        if let Some(from) = from {
            body["from"] = json!(from);
            by_template["from"] = json!(from);
        }
        let batch = json!({ "messages": [body] });
        for (path, body) in [("/send", &body), ("/send/template", &by_template), ("/send/batch", &batch)] {
            let path = format!("/tenants/{}{path}", tenant.id);
            let (status, answer) = world.api.post(&path, &tenant.key, body).await;
            assert!(status == 202 || (status == 200 && answer["queued"] == 1), "{path}: {status} {answer}");
        }
        world.idle().await;
        senders(&world)
    };
    assert_eq!(send(None).await, vec![one.clone(); 3]);
    assert_eq!(send(Some(SECOND)).await, vec![two.clone(); 3]);

    let (status, shown) = world
        .api
        .put(&format!("/tenants/{}/channels/{SECOND}", tenant.id), &tenant.key, &json!({ "default": true }))
        .await;
    assert_eq!((status, &shown["channels"][1]["default"]), (200, &true.into()), "{shown}");
    assert_eq!(shown["channels"][0]["default"], false, "there is one: {shown}");
    assert_eq!(send(None).await, vec![two.clone(); 3]);
    assert_eq!(send(Some(FIRST)).await, vec![one.clone(); 3]);

    // Who writes to a number is answered by it, whatever the default is.
    world.sim.reset();
    world.says(&tenant, CONTACT, "hello").await;
    world.idle().await;
    assert_eq!(senders(&world), [one]);
    world.end().await;
}

#[tokio::test]
async fn to_make_a_number_the_default_does_not_end_its_suspension() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", FIRST, "token").await;
    world.sim.fail_next(Fault::code(131031), 1);
    world.api.send(&tenant, CONTACT, "hello").await;
    world.waits().await;
    let path = format!("/tenants/{}/channels/{FIRST}", tenant.id);
    let (status, shown) = world.api.put(&path, &tenant.key, &json!({ "default": true })).await;
    assert_eq!(status, 200, "{shown}");
    assert!(shown["channels"][0]["suspendedReason"].is_string(), "{shown}");
    world.end().await;
}

#[tokio::test]
async fn a_number_belongs_to_one_tenant_and_what_is_wrong_is_named() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", FIRST, "token").await;
    let other = world.api.register("Other", SECOND, "token").await;
    let new = |number: &str| json!({ "phoneNumberId": number, "accessToken": "token" });
    for taken in [FIRST, SECOND] {
        let (status, answer) = add(&world, &acme, new(taken)).await;
        assert_eq!((status, &answer["code"]), (409, &"phone_number_taken".into()), "{answer}");
    }
    // Whose a number is decides who gets its messages: a tenant cannot take one.
    let path = format!("/tenants/{}/channels", acme.id);
    assert_eq!(world.api.post(&path, &acme.key, &new("106540352242924")).await.0, 401);
    let unknown = format!("/tenants/{}/channels", uuid::Uuid::nil());
    assert_eq!(world.api.post(&unknown, MASTER_KEY, &new("106540352242924")).await.0, 404);
    for (field, body) in [
        ("phoneNumberId", new("+16505550000")),
        ("accessToken", json!({ "phoneNumberId": "106540352242924", "accessToken": "" })),
        ("wabaId", json!({ "phoneNumberId": "106540352242924", "accessToken": "token", "wabaId": "mine" })),
        (
            "messagesPerSecond",
            json!({ "phoneNumberId": "106540352242924", "accessToken": "t", "messagesPerSecond": 0 }),
        ),
    ] {
        let (status, answer) = add(&world, &acme, body).await;
        assert_eq!((status, &answer["details"]["field"]), (400, &field.into()), "{answer}");
    }
    let put = async |number: &str, body: Value| {
        world.api.put(&format!("/tenants/{}/channels/{number}", acme.id), &acme.key, &body).await
    };
    let foreign = put(SECOND, json!({ "default": true })).await;
    assert_eq!(foreign.0, 404, "another tenant's number is none: {}", foreign.1);
    assert_eq!(put(FIRST, json!({ "default": false })).await.1["details"]["field"], "default");
    assert_eq!(world.api.get(&format!("/tenants/{}/channels/{SECOND}", acme.id), &acme.key).await.0, 404);
    assert_eq!(channels(&world, &acme).await.len(), 1);
    assert_eq!(channels(&world, &other).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn meta_is_asked_for_name_quality_throughput_and_profile() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", FIRST, "token").await;
    world.api.register("Trial", "106540352242999", "mock_token").await;
    world.sim.add_number(BusinessNumber::new(FIRST, "102290129340398"));
    let path = format!("/tenants/{}/channels/{FIRST}", tenant.id);
    let (status, shown) = world.api.get(&path, &tenant.key).await;
    assert_eq!((status, &shown["metaError"]), (200, &Value::Null), "{shown}");
    let meta = &shown["meta"];
    for (field, expected) in [
        ("verifiedName", "Lucky Shrub"),
        ("qualityRating", "GREEN"),
        ("throughput", "STANDARD"),
        ("messagingLimitTier", "TIER_1K"),
        ("displayPhoneNumber", "+1 650-555-0000"),
        ("nameStatus", "APPROVED"),
        ("status", "PENDING"),
    ] {
        assert_eq!(meta[field], expected, "{field}: {meta}");
    }
    assert_eq!(meta["profile"]["vertical"], "RETAIL");
    assert_eq!(meta["profile"]["websites"], json!(["https://www.example.com/"]));
    assert_eq!(shown["phoneNumberId"], FIRST, "what is kept here is beside it: {shown}");

    // What Meta does not say does not hide what is known here.
    world.sim.fail_call("profile", Fault::ServerError(503), 1);
    let (status, shown) = world.api.get(&path, &tenant.key).await;
    assert_eq!((status, &shown["meta"], &shown["phoneNumberId"]), (200, &Value::Null, &FIRST.into()), "{shown}");
    world.sim.revoke("token");
    let (status, shown) = world.api.get(&path, &tenant.key).await;
    assert_eq!((status, &shown["metaError"]["code"]), (200, &190.into()), "{shown}");
    assert!(!shown.to_string().contains("\"token\":\"token\""), "{shown}");
    world.end().await;
}
