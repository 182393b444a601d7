//! Nobody waits for a tenant that has much to send, and nobody for bulk.

use std::time::Duration;

use hoopoe_testing::{Tenant, World};
use serde_json::json;

const MANY: usize = 300;

/// A world in which nothing is delivered yet, and then few messages at a time.
async fn start() -> (World, Tenant) {
    let world = World::builder()
        .roles("api,flows")
        .set("DELIVERY_CONCURRENCY", "8")
        // All of it takes seconds: what a new process needs for its first connections does not count.
        .sim(|sim| sim.latency = Duration::from_millis(100))
        .start()
        .await;
    let tenant = world.api.register("Noisy", "106540352242922", "token").await;
    (world, tenant)
}

async fn bulk(world: &World, tenant: &Tenant) {
    let message = |number: usize| json!({ "to": format!("1650555{number:04}"), "text": "offer" });
    let messages: Vec<_> = (0..MANY).map(message).collect();
    let path = format!("/tenants/{}/send/batch", tenant.id);
    let (status, answer) = world.api.post(&path, &tenant.key, &json!({ "messages": messages })).await;
    assert_eq!((status, &answer["queued"]), (200, &MANY.into()), "{answer}");
}

/// How many messages were accepted before this text.
async fn place(world: &mut World, text: &str) -> usize {
    world.set_roles("api,flows,delivery");
    world.restart().await;
    world.idle().await;
    let accepted = world.sim.accepted();
    assert_eq!(accepted.len(), MANY + 1);
    accepted.iter().position(|one| one.text.as_deref() == Some(text)).unwrap()
}

#[tokio::test]
async fn a_tenant_with_much_to_send_delays_no_other() {
    let (mut world, noisy) = start().await;
    bulk(&world, &noisy).await;
    let quiet = world.api.register("Quiet", "206540352242922", "token").await;
    world.api.send(&quiet, "16505559999", "hello").await;
    let place = place(&mut world, "hello").await;
    assert!(place < MANY / 2, "{place} messages came first");
    world.end().await;
}

#[tokio::test]
async fn a_single_send_overtakes_bulk() {
    let (mut world, tenant) = start().await;
    bulk(&world, &tenant).await;
    world.api.send(&tenant, "16505559999", "your code is 42").await;
    let place = place(&mut world, "your code is 42").await;
    assert!(place < MANY / 2, "{place} messages came first");
    world.end().await;
}

#[tokio::test]
async fn an_answer_overtakes_bulk() {
    let (mut world, tenant) = start().await;
    bulk(&world, &tenant).await;
    world.says(&tenant, "16505559999", "hi").await;
    let answered = "select count(*) from messages where direction = 'OUT'";
    hoopoe_testing::eventually("the flow has answered", async || {
        world.db.count(answered).await == i64::try_from(MANY).unwrap() + 1
    })
    .await;
    let place = place(&mut world, "thanks for reaching us\n- team Noisy").await;
    assert!(place < MANY / 2, "{place} messages came first");
    world.end().await;
}

#[tokio::test]
async fn at_the_limit_of_its_number_an_answer_overtakes_the_bulk_that_waits_for_it() {
    // Twenty stand in line for the second that follows.
    let world = World::builder().system_clock().set("NUMBER_RATE", "20").start().await;
    let tenant = world.api.register("Noisy", "106540352242922", "token").await;
    bulk(&world, &tenant).await;
    let accepted = || world.sim.accepted_count();
    hoopoe_testing::eventually("the number has reached its limit", async || accepted() >= 25).await;
    let before = usize::try_from(accepted()).unwrap();
    world.says(&tenant, "16505559999", "hi").await;
    let heard = async || !world.heard("16505559999").is_empty();
    hoopoe_testing::eventually("the flow's answer has arrived", heard).await;
    let answered = world.sim.accepted();
    let place = answered.iter().position(|one| one.to == "16505559999").unwrap();
    // The flow takes its time in a debug build; behind the line it would be twenty and that.
    assert!(place - before < 15, "{} messages of the bulk came first", place - before);
    world.end().await;
}
