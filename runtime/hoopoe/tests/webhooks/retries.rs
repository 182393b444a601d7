//! Attempts: when, how often, with which signatures, and what ends them.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_testing::{Tenant, World, eventually};
use serde_json::{Value, json};

use crate::endpoint::{Answer, Endpoint, Hook, builder};

async fn start() -> (World, Tenant, Endpoint) {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    (world, tenant, Endpoint::start().await)
}

/// How long a notice waits for its next attempt, in milliseconds.
fn pause(world: &World, delivery: &Value) -> i64 {
    let at: DateTime<Utc> = delivery["nextAttemptAt"].as_str().unwrap().parse().unwrap();
    (at - world.now()).num_milliseconds()
}

#[tokio::test]
async fn an_endpoint_that_does_not_take_a_notice_is_asked_again_in_time() {
    let (world, tenant, endpoint) = start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["*"]).await;
    endpoint.next(&[Answer::RetryAfter(429, 120), Answer::Status(500), Answer::Status(302)]);
    let notice = hook.test().await;
    let waiting = hook.delivery(&notice, "waiting", 1).await;
    assert_eq!(waiting["responseStatus"], 429, "{waiting}");
    assert_eq!(pause(&world, &waiting), 120_000, "as it asked");
    world.advance(TimeDelta::seconds(119));
    // A notice that is ready is posted before the one behind it is written down.
    let second = hook.test().await;
    hook.delivery(&second, "waiting", 1).await;
    assert_eq!(endpoint.heard().iter().filter(|heard| heard.id == notice).count(), 1, "too soon");

    world.advance(TimeDelta::seconds(1));
    let waiting = hook.delivery(&notice, "waiting", 2).await;
    assert_eq!((&waiting["responseStatus"], &waiting["response"]), (&302.into(), &"no, thanks".into()), "{waiting}");
    assert!((300_000..=330_000).contains(&pause(&world, &waiting)), "{waiting}");
    let shown = hook.show().await;
    assert!(shown["failingSince"].is_string() && shown["lastFailure"] == "302 no, thanks", "{shown}");
    world.advance(TimeDelta::milliseconds(pause(&world, &waiting)));
    let done = hook.delivery(&notice, "delivered", 3).await;
    assert_eq!((&done["responseStatus"], &done["nextAttemptAt"]), (&204.into(), &Value::Null), "{done}");
    hook.delivery(&second, "delivered", 2).await;
    assert_eq!(hook.show().await["failingSince"], Value::Null);

    let attempts: Vec<_> = endpoint.heard().into_iter().filter(|heard| heard.id == notice).collect();
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|heard| heard.is_signed_with(&hook.secret) && heard.raw == attempts[0].raw));
    assert!(attempts.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp), "each is signed at its time");
    world.end().await;
}

#[tokio::test]
async fn what_used_up_its_attempts_has_failed_and_can_be_redriven() {
    let (world, tenant, endpoint) = start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["*"]).await;
    endpoint.always(Answer::Status(500));
    let began = world.now();
    let notice = hook.test().await;
    for attempt in 1..8 {
        let waiting = hook.delivery(&notice, "waiting", attempt).await;
        world.advance(TimeDelta::milliseconds(pause(&world, &waiting)));
    }
    hook.delivery(&notice, "failed", 8).await;
    let hours = (world.now() - began).num_minutes() as f64 / 60.0;
    assert!((27.5..31.0).contains(&hours), "{hours} hours");
    let shown = hook.show().await;
    assert_eq!(
        (&shown["recentFailures"][0]["id"], &shown["enabled"]),
        (&notice.clone().into(), &true.into()),
        "{shown}"
    );
    assert_eq!(hook.get("/deliveries?status=failed").await["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(hook.get("/deliveries?status=waiting").await["deliveries"], json!([]));

    endpoint.always(Answer::Status(204));
    assert_eq!(hook.post("/redrive", &json!({ "since": world.now() })).await["redriven"], 0);
    assert_eq!(hook.post("/redrive", &json!({ "since": began })).await["redriven"], 1);
    hook.delivery(&notice, "delivered", 1).await;
    // One that was delivered is sent once more when it is named.
    assert_eq!(hook.post("/redrive", &json!({ "id": notice })).await["redriven"], 1);
    eventually("it comes once more", async || endpoint.heard().len() == 10).await;
    assert!(endpoint.heard().iter().all(|heard| heard.id == notice));
    world.end().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_what_waits_goes_out_once_it_is_back() {
    let (world, tenant, endpoint) = start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["*"]).await;
    endpoint.next(&[Answer::Status(410)]);
    let notice = hook.test().await;
    eventually("it is disabled", async || hook.show().await["enabled"] == false).await;
    let shown = hook.show().await;
    assert!(shown["disabledReason"].as_str().unwrap().contains("410 Gone"), "{shown}");
    let (status, answer) =
        world.api.post(&format!("/tenants/{}/webhooks/{}/test", tenant.id, hook.id), &tenant.key, &json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &"disabled".into()), "{answer}");
    // Nothing is written for it meanwhile.
    world.says(&tenant, "16505551234", "hello").await;
    world.idle().await;
    assert_eq!(hook.get("/deliveries").await["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(endpoint.heard().len(), 1);

    let shown = hook.put(&json!({ "enabled": true })).await;
    assert_eq!((&shown["enabled"], &shown["disabledReason"]), (&true.into(), &Value::Null));
    hook.delivery(&notice, "delivered", 2).await;
    world.end().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let (world, tenant, endpoint) = start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["*"]).await;
    endpoint.always(Answer::Status(500));
    let began = world.now();
    while hook.show().await["enabled"] == true {
        assert!(world.now() - began < TimeDelta::days(7), "it is still asked");
        // Of those before it some are tried again now, which may end it.
        let posts = endpoint.heard().len();
        let path = format!("/tenants/{}/webhooks/{}/test", tenant.id, hook.id);
        world.api.post(&path, &tenant.key, &json!({})).await;
        eventually("it is asked, or disabled", async || {
            let is_asked = endpoint.heard().len() > posts && hook.under_way().await == 0;
            is_asked || hook.show().await["enabled"] == false
        })
        .await;
        world.advance(TimeDelta::hours(12));
    }
    assert!(world.now() - began >= TimeDelta::days(5), "{:?}", world.now() - began);
    let shown = hook.show().await;
    assert!(shown["disabledReason"].as_str().unwrap().contains("5 days"), "{shown}");
    world.end().await;
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let (world, tenant, endpoint) = start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["*"]).await;
    let rotated = hook.post("/rotate-secret", &json!({})).await;
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, hook.secret);
    hook.test().await;
    let both = endpoint.posts(1).await.remove(0);
    assert_eq!(both.signatures.len(), 2, "{both:?}");
    assert!(both.is_signed_with(new) && both.is_signed_with(&hook.secret));
    assert!(hook.show().await["formerSecretUntil"].is_string());

    world.advance(TimeDelta::hours(24));
    hook.test().await;
    let one = endpoint.posts(2).await.remove(1);
    assert_eq!(one.signatures.len(), 1, "{one:?}");
    assert!(one.is_signed_with(new) && !one.is_signed_with(&hook.secret));
    assert_eq!(hook.show().await["formerSecretUntil"], Value::Null);
    world.end().await;
}
