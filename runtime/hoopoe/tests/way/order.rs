//! Events and messages of one contact keep their order; contacts do not wait for each other.

use chrono::TimeDelta;
use hoopoe_testing::{Tenant, World};
use meta_sim::{Fault, Inbound};

const A: &str = "16505550001";
const B: &str = "16505550002";

async fn start() -> (World, Tenant) {
    let world = World::builder().plugin("test-guest").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.set_flow(&tenant, "test-guest", &["message"]).await;
    (world, tenant)
}

/// The texts that Meta accepted for a contact, in order.
fn texts(world: &World, to: &str) -> Vec<String> {
    let accepted = world.sim.accepted().into_iter();
    accepted.filter(|reply| reply.to == to).filter_map(|reply| reply.text).collect()
}

#[tokio::test]
async fn messages_of_a_contact_are_handled_and_answered_one_after_the_other() {
    let (world, tenant) = start().await;
    let contacts = ["16505550001", "16505550002", "16505550003"];
    // Each POST holds ten messages of each contact, mixed.
    for _ in 0..3 {
        let batch = (0..30).map(|number| Inbound::text(&tenant.phone_number_id, contacts[number % 3], "count"));
        let delivery = world.sim.receive_batch(batch.collect()).await;
        assert!(delivery.is_acknowledged(), "{delivery:?}");
    }
    world.idle().await;
    let expected: Vec<String> = (1..=30).map(|number| number.to_string()).collect();
    for contact in contacts {
        assert_eq!(texts(&world, contact), expected, "{contact}");
    }
    world.end().await;
}

#[tokio::test]
async fn several_messages_of_one_outcome_arrive_in_its_order() {
    let (world, tenant) = start().await;
    world.says(&tenant, A, "many 12").await;
    world.says(&tenant, A, "echo last").await;
    world.idle().await;
    let expected: Vec<String> = (1..=12).map(|n| format!("part {n}")).chain(["last".to_owned()]).collect();
    assert_eq!(texts(&world, A), expected);
    world.end().await;
}

#[tokio::test]
async fn a_contact_whose_flow_is_tried_again_holds_its_own_later_messages_and_no_others() {
    let (world, tenant) = start().await;
    world.says(&tenant, A, "retry-until 2").await;
    world.says(&tenant, A, "echo later").await;
    world.says(&tenant, B, "echo at once").await;
    assert_eq!(world.waits().await.len(), 1, "only one contact waits");
    assert_eq!(texts(&world, B), ["at once"]);
    assert_eq!(texts(&world, A), [""; 0]);

    world.advance_past_waits().await;
    world.idle().await;
    assert_eq!(texts(&world, A), ["ok after 2", "later"]);
    world.end().await;
}

#[tokio::test]
async fn a_message_that_is_tried_again_holds_the_next_to_the_same_contact_and_no_others() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.sim.fail_to(A, Fault::code(131000), 2);
    for (to, text) in [(A, "one"), (A, "two"), (B, "one"), (A, "three"), (B, "two")] {
        world.api.send(&tenant, to, text).await;
    }
    for _ in 0..2 {
        assert_eq!(world.waits().await.len(), 1, "only one contact waits");
        assert_eq!(texts(&world, B), ["one", "two"]);
        assert_eq!(texts(&world, A), [""; 0]);
        world.advance_past_waits().await;
    }
    world.idle().await;
    assert_eq!(texts(&world, A), ["one", "two", "three"]);
    world.end().await;
}

#[tokio::test]
async fn a_contact_that_gave_up_a_message_gets_the_next() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.sim.fail_to(A, Fault::code(131026), 1);
    let one = world.api.send(&tenant, A, "one").await;
    let two = world.api.send(&tenant, A, "two").await;
    world.idle().await;
    assert_eq!(texts(&world, A), ["two"]);
    assert_eq!(world.api.message(&tenant, one).await["status"], "failed");
    assert_eq!(world.api.message(&tenant, two).await["status"], "read");
    world.advance(TimeDelta::hours(1));
    world.idle().await;
    assert_eq!(world.sim.requests(), 2);
    world.end().await;
}
