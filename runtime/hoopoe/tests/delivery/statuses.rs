//! Statuses come in any order, repeatedly, and sometimes before the answer of the send.

use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_testing::{PATIENCE, Tenant, World, eventually};
use meta_sim::{Accepted, Fault, StatusOrder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CONTACT, start_with};

/// A runtime whose statuses the test posts itself.
async fn start() -> (World, Tenant) {
    start_with(World::builder().sim(|sim| sim.statuses.clear())).await
}

async fn sent(world: &World, tenant: &Tenant, to: &str) -> (Uuid, Accepted) {
    let id = world.api.send(tenant, to, "hello").await;
    world.idle().await;
    let accepted = world.sim.accepted().into_iter().find(|accepted| accepted.to == to).unwrap();
    (id, accepted)
}

/// Status items of one message in one POST.
async fn report(world: &World, tenant: &Tenant, items: Vec<Value>) {
    let metadata = json!({ "display_phone_number": "1", "phone_number_id": tenant.phone_number_id });
    let value = json!({ "messaging_product": "whatsapp", "metadata": metadata, "statuses": items });
    let body = json!({ "object": "whatsapp_business_account",
        "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] });
    let delivery = world.sim.post_signed(body.to_string().into_bytes()).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
}

fn item(wamid: &str, status: &str, second: u32) -> Value {
    json!({ "id": wamid, "status": status, "timestamp": (1_767_225_600 + second).to_string(),
        "recipient_id": CONTACT })
}

async fn status(world: &World, tenant: &Tenant, id: Uuid) -> String {
    world.api.message(tenant, id).await["status"].as_str().unwrap().to_owned()
}

fn rank(status: &str) -> usize {
    ["sent", "delivered", "read"].iter().position(|known| *known == status).unwrap()
}

#[tokio::test]
async fn whatever_the_order_a_message_ends_read_and_never_goes_back() {
    let (world, tenant) = start().await;
    let orders = [
        ["sent", "delivered", "read"],
        ["sent", "read", "delivered"],
        ["delivered", "sent", "read"],
        ["delivered", "read", "sent"],
        ["read", "sent", "delivered"],
        ["read", "delivered", "sent"],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let (id, accepted) = sent(&world, &tenant, &format!("1650555000{number}")).await;
        let mut highest = 0;
        // The whole order twice: every status is repeated.
        for word in order.into_iter().chain(order) {
            world.advance(TimeDelta::milliseconds(1));
            report(&world, &tenant, vec![item(&accepted.wamid, word, rank(word) as u32)]).await;
            highest = highest.max(rank(word));
            assert_eq!(rank(&status(&world, &tenant, id).await), highest, "after {word} of {order:?}");
        }
        let message = world.api.message(&tenant, id).await;
        let steps: Vec<_> = message["timeline"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
        let expected: Vec<_> = ["accepted"].into_iter().chain(order).collect();
        assert_eq!(steps, expected, "each status is one step, in the order of arrival");
    }
    // All in one POST, with repeats.
    for (number, order) in orders.into_iter().enumerate() {
        let (id, accepted) = sent(&world, &tenant, &format!("1650555100{number}")).await;
        let items = order.iter().chain(&order).map(|word| item(&accepted.wamid, word, rank(word) as u32));
        report(&world, &tenant, items.collect()).await;
        assert_eq!(status(&world, &tenant, id).await, "read", "{order:?} in one POST");
    }
    world.end().await;
}

#[tokio::test]
async fn failed_is_final_and_keeps_metas_reason() {
    let (world, tenant) = start().await;
    let (id, accepted) = sent(&world, &tenant, CONTACT).await;
    let mut failed = item(&accepted.wamid, "failed", 1);
    failed["errors"] = json!([{ "code": 131026, "title": "Message undeliverable",
        "error_data": { "details": "The number is not on WhatsApp" } }]);
    for item in [item(&accepted.wamid, "sent", 0), failed, item(&accepted.wamid, "delivered", 2)] {
        report(&world, &tenant, vec![item]).await;
    }
    report(&world, &tenant, vec![item(&accepted.wamid, "read", 3)]).await;

    let message = world.api.message(&tenant, id).await;
    assert_eq!(message["status"], "failed");
    let expected = json!({ "class": "reported", "code": 131026,
        "message": "Message undeliverable: The number is not on WhatsApp" });
    assert_eq!(message["error"], expected);
    world.end().await;
}

#[tokio::test]
async fn a_failure_that_meta_reports_later_reaches_the_message() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.sim.fail_next(Fault::AcceptThenFail { code: 131049, title: "Not delivered".to_owned() }, 1);
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    world.idle().await;
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["error"]["code"]), (&"failed".into(), &131049.into()));
    assert_eq!(world.sim.requests(), 1);
    world.end().await;
}

#[tokio::test]
async fn words_that_are_no_step_are_kept_and_move_nothing() {
    let (world, tenant) = start().await;
    let (id, accepted) = sent(&world, &tenant, CONTACT).await;
    for word in ["delivered", "deleted", "teleported"] {
        world.advance(TimeDelta::milliseconds(1));
        report(&world, &tenant, vec![item(&accepted.wamid, word, 1)]).await;
    }
    let message = world.api.message(&tenant, id).await;
    assert_eq!(message["status"], "delivered");
    let steps: Vec<_> = message["timeline"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert_eq!(steps, ["accepted", "delivered", "deleted", "teleported"]);
    world.end().await;
}

#[tokio::test]
async fn statuses_that_are_faster_than_the_answer_find_the_message_by_our_id() {
    let world = World::builder().sim(|sim| sim.status_order = StatusOrder::Reversed).start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.sim.fail_next(Fault::AcceptThenHang(Duration::from_secs(2)), 1);
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    eventually("it is read", async || status(&world, &tenant, id).await == "read").await;
    assert_eq!(world.db.count("select count(*) from outbox").await, 1, "the answer has not come yet");
    world.idle().await;

    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()));
    assert_eq!(message["waMessageId"], world.sim.accepted()[0].wamid.as_str());
    assert_eq!(world.sim.requests(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_status_of_a_message_that_is_not_ours_is_recorded_and_touches_nobody_elses() {
    let (world, tenant) = start().await;
    let other = world.api.register("Other", "206540352242922", "token").await;
    let (id, accepted) = sent(&world, &tenant, CONTACT).await;
    // Another tenant's number reports on a message with this tenant's ids.
    let mut foreign = item(&accepted.wamid, "read", 1);
    foreign["biz_opaque_callback_data"] = json!(id.to_string());
    report(&world, &other, vec![foreign]).await;
    report(&world, &tenant, vec![item("wamid.of-somebody", "delivered", 2)]).await;
    // Callback data that is no id of ours is left aside; Meta's id still finds the message.
    let mut odd = item(&accepted.wamid, "delivered", 3);
    odd["biz_opaque_callback_data"] = json!("not-an-id");
    report(&world, &tenant, vec![odd]).await;

    assert_eq!(status(&world, &tenant, id).await, "delivered");
    let strangers: Vec<String> = sqlx::query_scalar("select external_id from events where kind = 'status' order by id")
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    let expected = [format!("{}/read/1767225601", accepted.wamid), "wamid.of-somebody/delivered/1767225602".to_owned()];
    assert_eq!(strangers, expected);
    world.sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
    world.end().await;
}
