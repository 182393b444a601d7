//! Pages and Instagram accounts beside numbers: they are defaults, they come by the tenant's own app, and Meta is not
//! asked of what only numbers have.

use hoopoe_testing::{Client, MASTER_KEY, Tenant, World};
use meta_sim::{Direct, Platform, sign};
use reqwest::Method;
use serde_json::{Value, json};

const NUMBER: &str = "106540352242922";
const PAGE: &str = "100841475479486";
const ACCOUNT: &str = "17841405822304914";
const PERSON: &str = "6543219876123456";
const CONTACT: &str = "16505551234";
const OWN_SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

async fn add(world: &World, tenant: &Tenant, kind: &str, body: Value) {
    let path = format!("/tenants/{}/channels/{kind}", tenant.id);
    let (status, answer) = world.api.post(&path, MASTER_KEY, &body).await;
    assert_eq!(status, 201, "{answer}");
}

async fn add_both(world: &World, tenant: &Tenant) {
    add(world, tenant, "messenger", json!({ "pageId": PAGE, "accessToken": "EAApage" })).await;
    let account = json!({ "instagramId": ACCOUNT, "pageId": PAGE, "accessToken": "EAApage" });
    add(world, tenant, "instagram", account).await;
}

#[tokio::test]
async fn a_page_may_be_the_default() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "EAAnumber").await;
    add_both(&world, &tenant).await;
    let greeting = Direct::text(Platform::Messenger, PAGE, PERSON, "hello");
    assert!(world.sim.receive_direct(&[greeting]).await.is_acknowledged());
    world.idle().await;

    let path = format!("/tenants/{}/channels/{PAGE}", tenant.id);
    let (status, shown) = world.api.put(&path, &tenant.key, &json!({ "default": true })).await;
    let kinds = |shown: &Value| -> Vec<(Value, Value)> {
        let channels = shown["channels"].as_array().unwrap();
        channels.iter().map(|channel| (channel["kind"].clone(), channel["default"].clone())).collect()
    };
    let expected = [("whatsapp", false), ("messenger", true), ("instagram", false)];
    let expected: Vec<_> = expected.iter().map(|(kind, is)| (json!(kind), json!(is))).collect();
    assert_eq!((status, kinds(&shown)), (200, expected.clone()), "{shown}");
    let (_, listed) = world.api.get(&format!("/tenants/{}/channels", tenant.id), &tenant.key).await;
    assert_eq!(kinds(&listed), expected, "{listed}");

    for (body, node, token) in [
        (json!({ "to": PERSON, "text": "by default" }), PAGE, "EAApage"),
        (json!({ "to": CONTACT, "from": NUMBER, "text": "by name" }), NUMBER, "EAAnumber"),
    ] {
        world.sim.reset();
        // Who wrote is forgotten with the rest.
        let again = Direct::text(Platform::Messenger, PAGE, PERSON, "again");
        assert!(world.sim.receive_direct(&[again]).await.is_acknowledged());
        world.idle().await;
        let (status, answer) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
        assert_eq!(status, 202, "{body} {answer}");
        world.idle().await;
        let sent = world.sim.accepted().into_iter().find(|sent| sent.text.as_deref() == body["text"].as_str());
        let sent = sent.unwrap_or_else(|| panic!("{body}"));
        assert_eq!((sent.phone_number_id.as_str(), sent.token.as_str()), (node, token), "{body}");
    }
    world.end().await;
}

#[tokio::test]
async fn meta_is_asked_of_numbers_alone() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", NUMBER, "EAAnumber").await;
    add_both(&world, &tenant).await;
    world.sim.revoke("EAAother");
    for (channel, kind, place) in [(PAGE, "messenger", 1), (ACCOUNT, "instagram", 2)] {
        let path = format!("/tenants/{}/channels/{channel}", tenant.id);
        // Of a number Meta would be asked, and say no.
        let (status, shown) = world.api.put(&path, &tenant.key, &json!({ "accessToken": "EAAother" })).await;
        assert_eq!((status, &shown["channels"][place]["token"]["checkedAt"]), (200, &Value::Null), "{shown}");
        let (status, shown) = world.api.get(&path, &tenant.key).await;
        assert_eq!((status, &shown["kind"], &shown["meta"]), (200, &kind.into(), &Value::Null), "{shown}");
        assert!(shown["metaError"]["message"].as_str().unwrap().contains(kind), "{shown}");
    }
    let checked = "select count(*) from channel_tokens";
    assert_eq!(world.db.count(checked).await, 1, "the number's");
    world.end().await;
}

#[tokio::test]
async fn an_own_app_delivers_what_people_write_to_its_pages() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", NUMBER, "EAAnumber").await;
    let other = world.api.register("Other", "106540352242923", "EAAother").await;
    add_both(&world, &acme).await;
    add(&world, &other, "messenger", json!({ "pageId": "200841475479486", "accessToken": "EAApage" })).await;
    let app = format!("/tenants/{}/app", acme.id);
    let (_, app) = world.api.put(&app, &acme.key, &json!({ "appSecret": OWN_SECRET })).await;
    let path = app["webhook"].as_str().unwrap();
    for (object, home, new, unrouted) in
        [("page", PAGE, 1, 0), ("instagram", ACCOUNT, 1, 0), ("page", "200841475479486", 0, 1)]
    {
        let event = json!({ "sender": { "id": PERSON }, "recipient": { "id": home }, "timestamp": 1_751_000_000_000_u64,
            "message": { "mid": format!("m_{home}"), "text": "hello" } });
        let entry = json!({ "id": home, "time": 1_751_000_000_000_u64, "messaging": [event] });
        let body = json!({ "object": object, "entry": [entry] }).to_string().into_bytes();
        let request = world.api.request(Method::POST, path, "").header("x-hub-signature-256", sign(OWN_SECRET, &body));
        let (status, receipt) = Client::answer(request.body(body)).await;
        assert_eq!(
            (status, &receipt["new"], &receipt["unrouted"]),
            (200, &new.into(), &unrouted.into()),
            "{home} {receipt}"
        );
    }
    let messages = world.api.messages(&acme).await;
    let mut homes: Vec<_> = messages.iter().map(|message| message["phoneNumberId"].as_str().unwrap()).collect();
    homes.sort_unstable();
    assert_eq!(homes, [PAGE, ACCOUNT]);
    assert!(world.api.messages(&other).await.is_empty());
    world.end().await;
}
