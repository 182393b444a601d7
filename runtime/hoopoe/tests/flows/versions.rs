//! A tenant's own plugin in charge: a new version between two events, state handed over, canaries, rollback.

use hoopoe_testing::{Tenant, World};
use serde_json::json;

const CONTACT: &str = "16505551234";

fn component(name: &str) -> Vec<u8> {
    hoopoe_plugin_build::test_component(name).unwrap()
}

/// A tenant whose plugin `bot` has both versions, the first one active.
async fn start() -> (World, Tenant, String, String) {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let first = world.api.upload(&tenant, "bot", component("test-guest")).await;
    world.api.plugin(&tenant, "bot", "activate", &json!({})).await;
    let second = world.api.upload(&tenant, "bot", component("test-guest-2")).await;
    (world, tenant, first, second)
}

async fn says(world: &World, tenant: &Tenant, contact: &str, text: &str) -> String {
    world.says(tenant, contact, text).await;
    world.idle().await;
    world.heard(contact).pop().unwrap_or_default()
}

#[tokio::test]
async fn a_new_version_takes_over_between_two_events_with_the_state_and_can_be_rolled_back() {
    let (world, tenant, _, second) = start().await;
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "1");
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "2");
    world.api.plugin(&tenant, "bot", "activate", &json!({ "digest": second })).await;
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "v2: 3");
    world.api.plugin(&tenant, "bot", "rollback", &json!({})).await;
    // The first version cannot read the second's state: that version keeps the conversation, and new ones begin anew.
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "v2: 4");
    assert_eq!(says(&world, &tenant, "16505550000", "count").await, "1");
    let note: String = sqlx::query_scalar("select reason from flow_runs where reason is not null")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert!(note.starts_with("migrate-state from test-guest@2.0.0 to 0.1.0 failed"), "{note}");
    world.end().await;
}

#[tokio::test]
async fn a_version_that_cannot_take_over_the_state_is_not_activated_and_says_why() {
    let (world, tenant, _, second) = start().await;
    for _ in 0..13 {
        world.says(&tenant, CONTACT, "count").await;
    }
    world.idle().await;
    let path = format!("/tenants/{}/plugins/bot/activate", tenant.id);
    let (status, answer) = world.api.post(&path, &tenant.key, &json!({ "digest": second })).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("13 is unlucky"), "{answer}");
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "14", "the old version stays");

    let other = says(&world, &tenant, "16505550000", "count").await;
    assert_eq!(other, "1");
    for _ in 0..12 {
        world.says(&tenant, "16505550000", "count").await;
    }
    world.idle().await;
    let body = json!({ "digest": second, "force": true });
    world.api.plugin(&tenant, "bot", "activate", &body).await;
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "v2: 15");
    assert_eq!(says(&world, &tenant, "16505550000", "count").await, "14", "its 13 stays with the old version");
    world.end().await;
}

#[tokio::test]
async fn a_canary_gets_its_share_always_the_same_conversations() {
    let (world, tenant, _, second) = start().await;
    let body = json!({ "digest": second, "canaryPercent": 50 });
    world.api.plugin(&tenant, "bot", "activate", &body).await;
    let contacts: Vec<String> = (0..40).map(|n| format!("1650555{n:04}")).collect();
    for _ in 0..2 {
        for contact in &contacts {
            world.says(&tenant, contact, "count").await;
        }
        world.idle().await;
    }
    let mut on_trial = 0;
    for contact in &contacts {
        match world.heard(contact).iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["1", "2"] => {}
            ["v2: 1", "v2: 2"] => on_trial += 1,
            ref other => panic!("{contact}: {other:?}"),
        }
    }
    assert!((8..=32).contains(&on_trial), "{on_trial} of 40");
    world.end().await;
}

#[tokio::test]
async fn a_canary_that_fails_is_taken_back_and_everybody_is_answered() {
    let (world, tenant, first, second) = start().await;
    let body = json!({ "digest": second, "canaryPercent": 99 });
    world.api.plugin(&tenant, "bot", "activate", &body).await;
    // The first version panics as well: what counts here is which one had the last word.
    for n in 0..6 {
        world.says(&tenant, &format!("1650555000{n}"), "panic on trial").await;
        world.idle().await;
    }
    assert_eq!(says(&world, &tenant, CONTACT, "count").await, "1", "the first version is back");
    let (status, plugin) = world.api.get(&format!("/tenants/{}/plugins/bot", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{plugin}");
    assert_eq!(plugin["plugin"]["active"], json!(first), "{plugin}");
    assert!(plugin["plugin"]["canary"].is_null(), "{plugin}");
    let told = plugin["activations"].as_array().unwrap().iter().any(|entry| {
        entry["action"] == "canary-failed" && entry["reason"].as_str().unwrap_or_default().contains("on trial")
    });
    assert!(told, "{plugin}");
    let results: Vec<String> =
        sqlx::query_scalar("select result from flow_runs where result <> 'done' order by event_id, attempt")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    assert_eq!(results.iter().filter(|result| *result == "canary-failed").count(), 3, "{results:?}");
    assert_eq!(results.iter().filter(|result| *result == "panic").count(), 6, "{results:?}");
    world.end().await;
}
