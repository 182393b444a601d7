//! The state of access tokens: what Meta says of them is visible, an end that is near is warned of, and a token that dies
//! costs no message.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_testing::{Tenant, World, eventually, eventually_some};
use meta_sim::{Fault, Grant};
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Hook, builder};

const NUMBER: &str = "106540352242922";
const ONE: &str = "16505551234";
const TWO: &str = "16505550000";

async fn channel(world: &World, tenant: &Tenant) -> Value {
    let (status, answer) = world.api.get(&format!("/tenants/{}/channels", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{answer}");
    answer["channels"][0].clone()
}

async fn put_token(world: &World, tenant: &Tenant, token: &str) -> (u16, Value) {
    let path = format!("/tenants/{}/channels/{NUMBER}", tenant.id);
    world.api.put(&path, &tenant.key, &json!({ "accessToken": token })).await
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_token_is_looked_at_when_it_is_given() {
    let world = World::builder().set("APP_ID", "670843887433847").roles("api").start().await;
    let end = world.now() + TimeDelta::days(60);
    world.sim.grant(Grant::new("sixty-days").expires_at(end.timestamp()));
    let tenant = world.api.register("Acme", NUMBER, "sixty-days").await;
    let token = channel(&world, &tenant).await["token"].clone();
    assert_eq!((&token["valid"], moment(&token["expiresAt"])), (&true.into(), end), "{token}");
    assert_eq!(moment(&token["checkedAt"]), world.now());
    assert_eq!(token["scopes"], json!(["whatsapp_business_management", "whatsapp_business_messaging"]));
    assert_eq!(token["appId"], "670843887433847");
    assert!(!channel(&world, &tenant).await.to_string().contains("sixty-days"));

    // Of another app: it is asked for its own word.
    world.sim.add_app("670843887433999", "another-secret");
    world.sim.grant(Grant::new("of-other-app").of_app("670843887433999"));
    let (status, shown) = put_token(&world, &tenant, "of-other-app").await;
    assert_eq!((status, &shown["channels"][0]["token"]["appId"]), (200, &"670843887433999".into()), "{shown}");
    assert_eq!(shown["channels"][0]["token"]["expiresAt"], Value::Null, "{shown}");

    // One that Meta does not take is not taken here, and the one before stays.
    world.sim.revoke("dead");
    let (status, refused) = put_token(&world, &tenant, "dead").await;
    assert_eq!((status, &refused["details"]["field"]), (400, &"accessToken".into()), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("invalidated"), "Meta's words: {refused}");
    assert_eq!(channel(&world, &tenant).await["token"]["appId"], "670843887433999");
    let body = json!({ "name": "Dead", "phoneNumberId": "106540352242923", "accessToken": "dead" });
    let (status, refused) = world.api.post("/tenants/register", hoopoe_testing::MASTER_KEY, &body).await;
    assert_eq!((status, &refused["details"]["field"]), (400, &"accessToken".into()), "{refused}");
    assert_eq!(world.db.count("select count(*) from tenants").await, 1);

    // A mock is no token of Meta's.
    let calls = world.sim.calls("debug_token");
    put_token(&world, &tenant, "mock_token").await;
    assert_eq!(channel(&world, &tenant).await["token"]["valid"], Value::Null);
    assert_eq!(world.sim.calls("debug_token"), calls);
    world.end().await;
}

#[tokio::test]
async fn when_meta_is_away_a_token_is_taken_and_looked_at_later() {
    let world = World::start().await;
    world.sim.fail_call("debug_token", Fault::ServerError(503), 2);
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    // The watch found it unchecked, and Meta away as well.
    eventually("it is put off", async || {
        world.sim.calls("debug_token") == 2 && channel(&world, &tenant).await["token"]["reason"].is_string()
    })
    .await;
    assert_eq!(channel(&world, &tenant).await["token"]["valid"], Value::Null);
    world.api.send(&tenant, ONE, "hello").await;
    world.idle().await;
    assert_eq!(world.sim.times(ONE, "hello"), 1, "no message waits for that");
    world.advance(TimeDelta::minutes(6));
    eventually("it is looked at", async || channel(&world, &tenant).await["token"]["valid"] == true).await;
    world.end().await;
}

#[tokio::test]
async fn an_end_that_is_near_is_warned_of_and_a_new_token_is_the_end_of_that() {
    let world = builder().start().await;
    let end = world.now() + TimeDelta::days(20);
    world.sim.grant(Grant::new("twenty-days").expires_at(end.timestamp()));
    let tenant = world.api.register("Acme", NUMBER, "twenty-days").await;
    let endpoint = Endpoint::start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["alert.*"]).await;
    let checked = async |times: u64| {
        eventually("Meta was asked again", async || world.sim.calls("debug_token") >= times).await;
        let at = world.now();
        eventually("that is kept", async || moment(&channel(&world, &tenant).await["token"]["checkedAt"]) == at).await;
        hook.settled().await;
    };
    world.advance(TimeDelta::days(10));
    checked(2).await;
    assert!(endpoint.heard().is_empty(), "ten days are left");
    world.advance(TimeDelta::days(4));
    checked(3).await;
    let told = endpoint.told("alert.token_expiring").await.body["data"].clone();
    assert_eq!((&told["phoneNumberId"], moment(&told["expiresAt"])), (&NUMBER.into(), end), "{told}");
    world.advance(TimeDelta::days(1));
    checked(4).await;
    assert_eq!(endpoint.heard().len(), 1, "once");
    world.advance(TimeDelta::hours(24 * 4 + 6));
    checked(5).await;
    assert_eq!(endpoint.heard().len(), 2, "and once more on the last day");

    put_token(&world, &tenant, "never-ending").await;
    let over = endpoint.told("alert.resolved").await.body["data"].clone();
    assert_eq!((&over["alert"], &over["phoneNumberId"]), (&"alert.token_expiring".into(), &NUMBER.into()), "{over}");
    assert_eq!(channel(&world, &tenant).await["token"]["expiresAt"], Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_token_that_dies_without_a_send_suspends_its_channel_and_tells_the_tenant() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let endpoint = Endpoint::start().await;
    Hook::create(&world, &tenant, &endpoint, &["channel.*"]).await;
    world.sim.revoke("token");
    world.advance(TimeDelta::hours(6));
    let told = endpoint.told("channel.suspended").await.body["data"].clone();
    assert!(told["reason"].as_str().unwrap().contains("token"), "{told}");
    let shown = channel(&world, &tenant).await;
    assert_eq!(shown["token"]["valid"], false, "{shown}");
    assert!(shown["token"]["reason"].as_str().unwrap().contains("190"), "{shown}");
    assert!(shown["suspendedReason"].is_string(), "{shown}");
    assert_eq!(put_token(&world, &tenant, "another").await.0, 200);
    endpoint.told("channel.resumed").await;
    assert_eq!(channel(&world, &tenant).await["suspendedReason"], Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_token_that_dies_among_messages_costs_none_of_them_and_no_order() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", NUMBER, "first").await;
    let endpoint = Endpoint::start().await;
    Hook::create(&world, &tenant, &endpoint, &["channel.*"]).await;
    let mut ids = vec![world.api.send(&tenant, ONE, "1").await, world.api.send(&tenant, TWO, "1").await];
    world.idle().await;

    world.sim.revoke("first");
    ids.push(world.api.send(&tenant, ONE, "2").await);
    world.waits().await;
    let told = endpoint.told("channel.suspended").await.body["data"].clone();
    assert_eq!(told["phoneNumberId"], NUMBER);
    assert!(told["reason"].as_str().unwrap().contains("190"), "{told}");
    for text in ["3", "4"] {
        ids.push(world.api.send(&tenant, ONE, text).await);
        ids.push(world.api.send(&tenant, TWO, text).await);
    }
    // The flow goes on, and its answers wait with the others.
    world.says(&tenant, TWO, "are you there?").await;
    world.waits().await;
    assert_eq!(world.sim.accepted_count(), 2);
    let requests = world.sim.requests();
    assert!(requests <= 4, "the dead token is not tried with every message: {requests}");

    // A token that is as dead is refused, and changes nothing.
    assert_eq!(put_token(&world, &tenant, "first").await.0, 400);
    assert!(channel(&world, &tenant).await["suspendedReason"].is_string());

    assert_eq!(put_token(&world, &tenant, "second").await.0, 200);
    endpoint.told("channel.resumed").await;
    world.idle().await;
    assert_eq!(world.heard(ONE), ["1", "2", "3", "4"]);
    assert_eq!(world.heard(TWO), ["1", "3", "4", "thanks for reaching us\n- team Acme"]);
    assert!(world.sim.accepted().iter().skip(2).all(|sent| sent.token == "second"));
    for id in ids {
        let message = world.api.message(&tenant, id).await;
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{message}");
    }
    assert_eq!(world.db.count("select count(*) from messages where dead_at is not null").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_token_that_meta_repeats_is_shown_nowhere() {
    const TOKEN: &str = "EAAGm0PX4ZCpsBAKZC-malformed";
    let repeated =
        || Fault::GraphError { http_status: 401, code: 190, title: format!("Malformed access token {TOKEN}") };
    let world = builder().start().await;
    let tenant = world.api.register("Acme", NUMBER, TOKEN).await;
    let endpoint = Endpoint::start().await;
    Hook::create(&world, &tenant, &endpoint, &["channel.*"]).await;
    world.sim.fail_next(repeated(), 1);
    let id = world.api.send(&tenant, ONE, "hello").await;
    world.waits().await;
    let told = endpoint.told("channel.suspended").await.body.to_string();
    for words in [told, channel(&world, &tenant).await.to_string()] {
        assert!(words.contains("Malformed access token [token]") && !words.contains(TOKEN), "{words}");
    }
    let message = world.api.message(&tenant, id).await.to_string();
    assert!(!message.contains(TOKEN), "{message}");
    world.sim.fail_call("debug_token", repeated(), 1);
    let (status, refused) = put_token(&world, &tenant, TOKEN).await;
    assert!(status == 400 && refused.to_string().contains("[token]"), "{refused}");
    assert!(!refused.to_string().contains(TOKEN), "{refused}");
    world.end().await;
}

#[tokio::test]
async fn what_meta_says_to_the_former_token_does_not_count_against_the_new_one() {
    let world = builder().sim(|sim| sim.latency = std::time::Duration::from_millis(1_500)).start().await;
    let tenant = world.api.register("Acme", NUMBER, "first").await;
    let endpoint = Endpoint::start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["channel.*"]).await;
    // The request is on its way with the first token when that dies and the second comes.
    let id = world.api.send(&tenant, ONE, "hello").await;
    world.sim.wait_for_requests(1, hoopoe_testing::PATIENCE).await.unwrap();
    world.sim.revoke("first");
    assert_eq!(put_token(&world, &tenant, "second").await.0, 200);
    world.idle().await;
    assert_eq!((world.sim.refused_count(), world.sim.times(ONE, "hello")), (1, 1), "at once, though the clock stands");
    assert_eq!(channel(&world, &tenant).await["suspendedReason"], Value::Null);
    assert_eq!(world.api.message(&tenant, id).await["attempts"], 1);
    hook.settled().await;
    assert!(endpoint.heard().is_empty(), "nobody is alarmed: {:?}", endpoint.heard());
    world.end().await;
}

#[tokio::test]
async fn of_two_processes_one_asks_meta() {
    let mut world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let ours = world.store().clone();
    let before = world.sim.calls("debug_token");
    world.advance(TimeDelta::hours(6));
    // Both look at once: each token goes to one of them, for the lease.
    let lease = TimeDelta::minutes(5);
    let (one, other) = tokio::join!(ours.claim_token_checks(10, lease), ours.claim_token_checks(10, lease));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.len() + other.len(), world.sim.calls("debug_token")), (1, before));
    // Who took it dies; when its lease is over another process asks.
    world.set_roles("api,delivery");
    world.restart().await;
    world.advance(lease);
    eventually_some("another asks", async || (world.sim.calls("debug_token") == before + 1).then_some(())).await;
    eventually("and keeps it", async || moment(&channel(&world, &tenant).await["token"]["checkedAt"]) == world.now())
        .await;

    // What was checked of a token that is not the channel's any more is not kept.
    let stale = one.into_iter().chain(other).next().unwrap();
    put_token(&world, &tenant, "another").await;
    let dead = hoopoe_store::channel_tokens::TokenState { valid: Some(false), ..Default::default() };
    let kept = world.store().keep_token_state(&stale, &dead, world.now(), TimeDelta::days(7)).await.unwrap();
    assert!(!kept);
    assert_eq!(channel(&world, &tenant).await["token"]["valid"], true);
    world.end().await;
}

#[tokio::test]
async fn channels_of_the_release_before_are_found() {
    let mut world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    world.stop().await;
    world.db.execute("delete from channel_tokens").await;
    world.restart().await;
    eventually("it is checked", async || channel(&world, &tenant).await["token"]["valid"] == true).await;
    world.end().await;
}
