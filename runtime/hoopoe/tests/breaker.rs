//! A plugin that keeps failing is paused for its tenant: events wait, the reason is told, and a resume goes on in order.

#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_testing::{World, eventually};
use serde_json::json;

const CONTACT: &str = "16505551234";

#[tokio::test]
async fn a_failing_plugin_is_paused_and_goes_on_in_order_when_it_is_resumed() {
    let world = World::builder().set("FLOW_FAILURES_TO_PAUSE", "3").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    for tenant in [&tenant, &other] {
        let component = hoopoe_plugin_build::test_component("test-guest").unwrap();
        world.api.upload(tenant, "bot", component).await;
        world.api.plugin(tenant, "bot", "activate", &json!({})).await;
    }
    for text in ["panic one", "panic two", "reject is no failure", "panic three", "echo a", "echo b"] {
        world.says(&tenant, CONTACT, text).await;
    }
    world.says(&other, CONTACT, "echo somebody else's").await;
    let path = format!("/tenants/{}/plugins/bot", tenant.id);
    let paused = async || world.api.get(&path, &tenant.key).await.1;
    eventually("the plugin is paused", async || paused().await["plugin"]["pausedReason"].is_string()).await;
    let reason = paused().await["plugin"]["pausedReason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("3 runs failed in a row") && reason.contains("panicked: three"), "{reason}");
    eventually("the other tenant is answered", async || world.heard(CONTACT) == ["somebody else's"]).await;

    // A version that is better is activated; or, as here, the operator knows that it was the input.
    world.says(&tenant, CONTACT, "echo c").await;
    world.api.plugin(&tenant, "bot", "resume", &json!({})).await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["somebody else's", "a", "b", "c"]);
    let results: Vec<(i32, String)> = sqlx::query_as(
        "select attempt, result from flow_runs where tenant_id = $1 and result <> 'done' order by event_id, attempt",
    )
    .bind(tenant.id)
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    let results: Vec<_> = results.iter().map(|(attempt, result)| (*attempt, result.as_str())).collect();
    assert_eq!(results, [(1, "panic"), (1, "panic"), (1, "reject"), (1, "paused"), (2, "panic")]);
    world.end().await;
}
