//! Meta delivers again what was not acknowledged, and sometimes what was: it is stored once and answered once.

use futures_util::future::join_all;
use hoopoe_testing::{Tenant, World};
use meta_sim::{Delivery, Inbound};
use serde_json::Value;

const CONTACT: &str = "16505551234";
const ANSWER: &str = "thanks for reaching us\n- team Acme";

async fn start() -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    (world, tenant)
}

/// New and repeated items, as the runtime's receipts add up.
fn receipts<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> (u64, u64) {
    deliveries.into_iter().fold((0, 0), |(new, repeated), delivery| {
        assert!(delivery.is_acknowledged(), "{delivery:?}");
        let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
        (new + receipt["new"].as_u64().unwrap(), repeated + receipt["repeated"].as_u64().unwrap())
    })
}

async fn stored(world: &World) -> (i64, i64) {
    let messages = world.db.count("select count(*) from messages where direction = 'IN'").await;
    (world.db.count("select count(*) from events").await, messages)
}

#[tokio::test]
async fn a_message_posted_again_is_known_before_and_after_its_answer_and_after_a_restart() {
    let (mut world, tenant) = start().await;
    let message = Inbound::text(&tenant.phone_number_id, CONTACT, "hello");
    let first = world.sim.receive(message.clone()).await;
    let second = world.sim.receive(message.clone()).await;
    assert_eq!((receipts([&first]), receipts([&second])), ((1, 0), (0, 1)));
    world.idle().await;
    assert_eq!(receipts([&world.sim.receive(message.clone()).await]), (0, 1));
    world.restart().await;
    assert_eq!(receipts([&world.sim.receive(message).await]), (0, 1));
    world.idle().await;

    assert_eq!(stored(&world).await, (1, 1));
    assert_eq!((world.sim.times(CONTACT, ANSWER), world.sim.requests()), (1, 1));
    world.end().await;
}

#[tokio::test]
async fn a_message_that_is_three_times_in_one_post_is_stored_once() {
    let (world, tenant) = start().await;
    let message = Inbound::text(&tenant.phone_number_id, CONTACT, "hello");
    let delivery = world.sim.receive_batch(vec![message.clone(), message.clone(), message]).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
    world.idle().await;

    assert_eq!(stored(&world).await, (1, 1));
    assert_eq!((world.sim.times(CONTACT, ANSWER), world.sim.requests()), (1, 1));
    world.end().await;
}

#[tokio::test]
async fn of_many_posts_of_one_message_at_the_same_time_one_is_the_first() {
    let (world, tenant) = start().await;
    let messages: Vec<_> =
        (0..3).map(|number| Inbound::text(&tenant.phone_number_id, &format!("1650555000{number}"), "hello")).collect();
    let posts = (0..60).map(|number| world.sim.receive(messages[number % messages.len()].clone()));
    assert_eq!(receipts(&join_all(posts).await), (3, 57));
    world.idle().await;

    assert_eq!(stored(&world).await, (3, 3));
    for number in 0..3 {
        assert_eq!(world.sim.times(&format!("1650555000{number}"), ANSWER), 1);
    }
    assert_eq!(world.sim.requests(), 3);
    world.end().await;
}

#[tokio::test]
async fn the_same_id_on_two_numbers_is_two_messages() {
    let (world, tenant) = start().await;
    let other = world.api.register("Other", "206540352242922", "token").await;
    for tenant in [&tenant, &other] {
        let message = Inbound::text(&tenant.phone_number_id, CONTACT, "hello").id("wamid.same");
        assert_eq!(receipts([&world.sim.receive(message).await]), (1, 0));
    }
    world.idle().await;

    assert_eq!(stored(&world).await, (2, 2));
    assert_eq!(world.sim.times(CONTACT, ANSWER), 1);
    assert_eq!(world.sim.times(CONTACT, "thanks for reaching us\n- team Other"), 1);
    world.end().await;
}

#[tokio::test]
async fn repeated_statuses_are_one_step_each() {
    let world = World::builder().sim(|sim| sim.status_repeats = 2).start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    world.idle().await;
    // A repeat may still be under way when the last status was acknowledged: the next message's come after it.
    world.api.send(&tenant, CONTACT, "hello again").await;
    world.idle().await;

    let message = world.api.message(&tenant, id).await;
    assert_eq!(message["status"], "read");
    assert_eq!(message["timeline"].as_array().unwrap().len(), 4, "{message}");
    world.end().await;
}
