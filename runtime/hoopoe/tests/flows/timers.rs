//! Timers that flows set: they fire in time and once, survive a restart, and can be replaced and cancelled.

use chrono::TimeDelta;
use hoopoe_testing::{Tenant, World, eventually};

const CONTACT: &str = "16505551234";

async fn start() -> (World, Tenant) {
    let world = World::builder().plugin("test-guest").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.set_flow(&tenant, "test-guest", &["message", "timer"]).await;
    (world, tenant)
}

async fn timers(world: &World) -> Vec<String> {
    sqlx::query_scalar("select name from timers order by name").fetch_all(&world.db.pool).await.unwrap()
}

/// Waits until this many events of the kind timer are in the journal and nothing is left to do.
async fn fired(world: &World, count: i64) {
    eventually("the timers have fired", async || {
        let found: i64 = sqlx::query_scalar("select count(*) from events where kind = 'timer'")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
        found == count
    })
    .await;
    world.idle().await;
}

#[tokio::test]
async fn a_timer_fires_once_also_after_a_restart() {
    let (mut world, tenant) = start().await;
    world.says(&tenant, CONTACT, "timer reminder 60000 water the plants").await;
    world.idle().await;
    assert_eq!(timers(&world).await, ["reminder"]);
    assert_eq!(world.heard(CONTACT), [""; 0]);

    world.advance(TimeDelta::seconds(59));
    world.restart().await;
    assert_eq!(timers(&world).await, ["reminder"], "one second is left");
    world.advance(TimeDelta::seconds(1));
    fired(&world, 1).await;
    assert_eq!(world.heard(CONTACT), ["timer reminder: water the plants"]);
    assert_eq!(timers(&world).await, [""; 0]);

    world.restart().await;
    world.advance(TimeDelta::hours(1));
    world.says(&tenant, CONTACT, "echo after").await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["timer reminder: water the plants", "after"]);
    world.end().await;
}

#[tokio::test]
async fn timers_are_replaced_and_cancelled_by_name_and_fire_in_order() {
    let (world, tenant) = start().await;
    for text in [
        "timer a 30000 first",
        "timer a 20000 second",
        "timer b 10000 b",
        "timer c 5000 c",
        "cancel c",
        "cancel nothing",
        // A moment that is past is due at once.
        "timer now 0 n",
    ] {
        world.says(&tenant, CONTACT, text).await;
    }
    fired(&world, 1).await;
    assert_eq!(timers(&world).await, ["a", "b"]);
    world.advance(TimeDelta::seconds(60));
    fired(&world, 3).await;
    assert_eq!(world.heard(CONTACT), ["timer now: n", "timer b: b", "timer a: second"]);
    world.end().await;
}

#[tokio::test]
async fn a_flood_of_timers_is_refused_with_its_limit() {
    let (world, tenant) = start().await;
    for n in 0..101 {
        world.says(&tenant, CONTACT, &format!("timer t{n} 60000 x")).await;
    }
    world.says(&tenant, CONTACT, "timer t0 70000 replaced").await;
    world.idle().await;
    assert_eq!(timers(&world).await.len(), 100);
    let failed: Vec<(String, String)> = sqlx::query_as("select result, reason from flow_runs where result <> 'done'")
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "too-many-timers");
    assert!(failed[0].1.contains("100 are allowed"), "{}", failed[0].1);
    world.end().await;
}
