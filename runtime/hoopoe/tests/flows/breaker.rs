//! A plugin that keeps failing is paused for its tenant: events wait, the reason is told, and a resume goes on in order.

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

#[tokio::test]
async fn a_late_failure_of_a_former_version_does_not_pause_the_one_in_charge() {
    let world = World::builder().set("FLOW_FAILURES_TO_PAUSE", "1").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let component = |name: &str| hoopoe_plugin_build::test_component(name).unwrap();
    world.api.upload(&tenant, "bot", component("test-guest")).await;
    world.api.plugin(&tenant, "bot", "activate", &json!({})).await;

    // The run of the first version waits for the table of templates, which it needs to fail.
    let mut lock = world.db.pool.begin().await.unwrap();
    sqlx::query("lock table templates in access exclusive mode").execute(&mut *lock).await.unwrap();
    world.says(&tenant, CONTACT, "template missing").await;
    eventually("the run waits", async || {
        let waiting = "select count(*) from pg_locks where not granted and relation = 'templates'::regclass";
        world.db.count(waiting).await == 1
    })
    .await;
    let second = world.api.upload(&tenant, "bot", component("test-guest-2")).await;
    world.api.plugin(&tenant, "bot", "activate", &json!({ "digest": second })).await;
    lock.rollback().await.unwrap();

    world.says(&tenant, CONTACT, "count").await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["v2: 1"]);
    let results: Vec<String> = sqlx::query_scalar("select result from flow_runs where actions = 0 order by event_id")
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(results[0], "template", "{results:?}");
    let (_, shown) = world.api.get(&format!("/tenants/{}/plugins/bot", tenant.id), &tenant.key).await;
    assert!(shown["plugin"]["pausedReason"].is_null(), "{shown}");
    world.end().await;
}
