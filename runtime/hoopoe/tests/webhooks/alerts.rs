//! Alerts: raised once, resolved once, by the tenant's own bounds.

use chrono::TimeDelta;
use meta_sim::Fault;
use serde_json::json;

use crate::endpoint::{CONTACT, Endpoint, Hook, builder};

#[tokio::test]
async fn too_many_dead_letters_are_told_once_and_so_is_their_end() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let endpoint = Endpoint::start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["alert.*"]).await;
    let path = format!("/tenants/{}/alerts", tenant.id);
    let bounds = json!({ "deadLetters": { "threshold": 1, "periodSeconds": 60 } });
    let (status, shown) = world.api.put(&path, &tenant.key, &bounds).await;
    assert_eq!(
        (status, &shown["deadLetters"]["threshold"], &shown["deadLetters"]["raised"]),
        (200, &1.into(), &false.into())
    );
    assert_eq!(shown["queueAge"]["threshold"], 300, "{shown}");

    let die = async |count: u32| {
        world.sim.fail_next(Fault::code(131026), count);
        for number in 0..count {
            world.api.send(&tenant, CONTACT, &format!("number {number}")).await;
            world.idle().await;
        }
    };
    die(1).await;
    assert_eq!(world.store().check_alerts().await.unwrap(), 0, "one is within the bounds");
    die(2).await;
    assert_eq!(world.store().check_alerts().await.unwrap(), 1);
    assert_eq!(world.store().check_alerts().await.unwrap(), 0, "it is raised already");
    let raised = endpoint.told("alert.dead_letters").await;
    let data = &raised.body["data"];
    assert!(raised.is_signed_with(&hook.secret));
    assert_eq!(
        (&data["threshold"], &data["value"], &data["periodSeconds"]),
        (&1.into(), &2.into(), &60.into()),
        "{data}"
    );
    assert_eq!(world.api.get(&path, &tenant.key).await.1["deadLetters"]["raised"], true);

    world.advance(TimeDelta::seconds(61));
    assert_eq!(world.store().check_alerts().await.unwrap(), 1);
    assert_eq!(world.store().check_alerts().await.unwrap(), 0, "it is resolved already");
    let resolved = endpoint.told("alert.resolved").await.body["data"].clone();
    assert_eq!((&resolved["alert"], &resolved["raisedAt"]), (&"alert.dead_letters".into(), &data["raisedAt"]));
    die(2).await;
    assert_eq!(world.store().check_alerts().await.unwrap(), 1, "what comes later is another alert");
    hook.settled().await;
    assert_eq!(endpoint.kinds(), ["alert.dead_letters", "alert.dead_letters", "alert.resolved"]);
    world.end().await;
}

#[tokio::test]
async fn work_that_nobody_begins_is_told() {
    // Nobody sends.
    let world = builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let endpoint = Endpoint::start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["alert.queue_age"]).await;
    world.api.send(&tenant, CONTACT, "hello").await;
    assert_eq!(world.store().check_alerts().await.unwrap(), 0);
    world.advance(TimeDelta::seconds(301));
    assert_eq!(world.store().check_alerts().await.unwrap(), 1);
    let waiting = hook.get("/deliveries").await;
    assert_eq!(waiting["deliveries"][0]["type"], "alert.queue_age", "{waiting}");
    world.end().await;
}
