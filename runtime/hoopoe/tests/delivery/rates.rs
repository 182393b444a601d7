//! Meta's rates, and the operator's: what is too fast waits, in order, and uses up no attempt.

use chrono::TimeDelta;
use hoopoe_testing::{MASTER_KEY, Tenant, World};
use meta_sim::Fault;
use serde_json::{Value, json};

use crate::{CONTACT, contact, start_with};

async fn start(settings: &[(&str, &str)]) -> (World, Tenant) {
    start_with(settings.iter().fold(World::builder(), |world, (name, value)| world.set(name, value))).await
}

#[tokio::test]
async fn a_number_sends_at_its_rate() {
    let (world, tenant) = start(&[("NUMBER_RATE", "20")]).await;
    for number in 0..6 {
        world.api.send(&tenant, &contact(number), "hello").await;
    }
    let mut accepted = Vec::new();
    for _ in 0..3 {
        world.waits().await;
        accepted.push(world.sim.accepted_count());
        world.advance(TimeDelta::milliseconds(100));
    }
    world.idle().await;
    assert_eq!(accepted, [2, 4, 6], "two at once, and two more each tenth of a second: never much more than 20 in one");
    for message in world.api.messages(&tenant).await {
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{message}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_number_may_have_a_rate_of_its_own() {
    let (world, tenant) = start(&[("NUMBER_RATE", "20")]).await;
    let path = format!("/tenants/{}/channels/{}", tenant.id, tenant.phone_number_id);
    for (rate, status) in [(0.0, 400), (20_000.0, 400), (50.0, 200)] {
        let (found, answer) = world.api.put(&path, &tenant.key, &json!({ "messagesPerSecond": rate })).await;
        assert_eq!(found, status, "{answer}");
    }
    for number in 0..7 {
        world.api.send(&tenant, &contact(number), "hello").await;
    }
    world.waits().await;
    assert_eq!(world.sim.accepted_count(), 5);
    world.end().await;
}

#[tokio::test]
async fn one_contact_gets_a_burst_and_then_one_message_at_a_time_in_order() {
    let (world, tenant) = start(&[("PAIR_BURST", "3"), ("PAIR_PERIOD", "6s")]).await;
    let texts: Vec<String> = (0..6).map(|number| number.to_string()).collect();
    for text in &texts {
        world.api.send(&tenant, CONTACT, text).await;
    }
    world.api.send(&tenant, &contact(1), "another").await;
    world.waits().await;
    assert_eq!(world.heard(CONTACT), texts[..3]);
    assert_eq!(world.heard(&contact(1)), ["another"], "others do not wait");
    for count in 4..=6 {
        world.advance(TimeDelta::seconds(6));
        world.waits().await;
        assert_eq!(world.heard(CONTACT), texts[..count]);
    }
    world.idle().await;
    world.end().await;
}

#[tokio::test]
async fn a_number_that_meta_calls_too_fast_rests_and_goes_on_slower() {
    let (world, tenant) = start(&[("NUMBER_RATE", "10")]).await;
    world.sim.fail_next(Fault::code(130429), 1);
    world.api.send(&tenant, &contact(0), "hello").await;
    world.waits().await;
    world.api.send(&tenant, &contact(1), "hello").await;
    world.waits().await;
    assert_eq!(world.sim.requests(), 1, "the number rests");
    world.advance_past_waits().await;
    world.waits().await;
    world.advance_past_waits().await;
    world.idle().await;
    assert_eq!(world.sim.accepted_count(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_tenant_may_have_a_limit_over_all_its_numbers() {
    let (world, tenant) = start(&[("TENANT_RATE", "3")]).await;
    for number in 0..5 {
        world.api.send(&tenant, &contact(number), "hello").await;
    }
    world.waits().await;
    assert_eq!(world.sim.accepted_count(), 3);
    world.advance(TimeDelta::seconds(1));
    world.idle().await;
    assert_eq!(world.sim.accepted_count(), 5);
    world.end().await;
}

async fn set_quota(world: &World, tenant: &Tenant, rate: &Value) {
    let path = format!("/tenants/{}/quota", tenant.id);
    let (status, answer) = world.api.put(&path, MASTER_KEY, &json!({ "messagesPerSecond": rate })).await;
    assert_eq!((status, &answer["messagesPerSecond"]), (200, rate), "{answer}");
}

/// How many messages of the tenant the simulated Meta has accepted.
fn accepted(world: &World, tenant: &Tenant) -> usize {
    world.sim.accepted().iter().filter(|sent| sent.phone_number_id == tenant.phone_number_id).count()
}

#[tokio::test]
async fn a_tenant_may_have_a_quota_of_its_own_which_holds_at_once() {
    let (world, tenant) = start(&[("TENANT_RATE", "0")]).await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    for (rate, expected) in [(json!(3.0), 3), (json!(2.0), 2), (Value::Null, 4)] {
        world.sim.reset();
        set_quota(&world, &tenant, &rate).await;
        for number in 0..4 {
            world.api.send(&tenant, &contact(number), "hello").await;
            world.api.send(&other, &contact(number), "hello").await;
        }
        world.waits().await;
        assert_eq!((accepted(&world, &tenant), accepted(&world, &other)), (expected, 4), "{rate}");
        // What waits goes out, and the bucket is full again for the next.
        for _ in 0..2 {
            world.advance(TimeDelta::seconds(5));
            world.idle().await;
        }
        assert_eq!(accepted(&world, &tenant), 4, "{rate}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_waits_for_a_small_quota_does_not_wait_for_its_old_turn_when_that_is_raised() {
    let (world, tenant) = start(&[("TENANT_RATE", "0")]).await;
    set_quota(&world, &tenant, &json!(0.01)).await;
    for number in 0..4 {
        world.api.send(&tenant, &contact(number), "hello").await;
    }
    world.waits().await;
    assert_eq!(accepted(&world, &tenant), 1, "the others' turns are 100 s and more away");
    set_quota(&world, &tenant, &json!(10.0)).await;
    // Asked again, and then the tokens of the new quota.
    for _ in 0..2 {
        world.advance(TimeDelta::seconds(10));
        world.waits().await;
    }
    assert_eq!(accepted(&world, &tenant), 4);
    world.end().await;
}

#[tokio::test]
async fn a_quota_takes_the_place_of_the_rate_for_all_tenants() {
    let (world, tenant) = start(&[("TENANT_RATE", "2")]).await;
    set_quota(&world, &tenant, &json!(4.0)).await;
    for number in 0..5 {
        world.api.send(&tenant, &contact(number), "hello").await;
    }
    world.waits().await;
    assert_eq!(accepted(&world, &tenant), 4);
    world.end().await;
}
