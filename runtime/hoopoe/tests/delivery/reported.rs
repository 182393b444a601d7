//! Failures that Meta reports of messages that it had taken, where they are the number's or the template's: what comes
//! behind them is kept from the same fate, until a status tells that it will not meet it.

use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_testing::{MASTER_KEY, PATIENCE, Tenant, World, eventually};
use meta_sim::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CONTACT, OTHER, contact, post, start, start_with, suspended};

fn unpaid() -> Fault {
    Fault::AcceptThenFail { code: 131042, title: "Business eligibility payment issue".to_owned() }
}

/// The next message is taken, and reported as failed: the number is suspended.
async fn suspend(world: &World, tenant: &Tenant, to: &str) -> Uuid {
    world.sim.fail_to(to, unpaid(), 1);
    let failed = world.api.send(tenant, to, "one").await;
    eventually("the channel says why", async || {
        let reason = suspended(world, tenant).await;
        reason.as_str().is_some_and(|reason| reason.contains("(#131042) Business eligibility payment issue"))
    })
    .await;
    world.idle().await;
    failed
}

/// Meta tells this of a message.
async fn report(world: &World, tenant: &Tenant, wamid: &str, status: &str) {
    let item = json!({ "id": wamid, "status": status, "timestamp": "1767225600", "recipient_id": CONTACT });
    let metadata = json!({ "display_phone_number": "1", "phone_number_id": tenant.phone_number_id });
    let value = json!({ "messaging_product": "whatsapp", "metadata": metadata, "statuses": [item] });
    let body = json!({ "object": "whatsapp_business_account",
        "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] });
    let delivery = world.sim.post_signed(body.to_string().into_bytes()).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
}

#[tokio::test]
async fn a_number_whose_messages_fail_after_meta_took_them_is_suspended_too() {
    let (world, tenant) = start().await;
    let failed = suspend(&world, &tenant, CONTACT).await;
    assert_eq!(world.api.message(&tenant, failed).await["status"], "failed");
    let waiting = world.api.send(&tenant, OTHER, "two").await;
    world.waits().await;
    assert_eq!(world.sim.requests(), 1, "all others are kept from the same fate");
    world.advance_past_waits().await;
    world.idle().await;
    assert_eq!(world.api.message(&tenant, waiting).await["status"], "read");
    assert_eq!(suspended(&world, &tenant).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn that_meta_takes_a_message_says_nothing_and_that_it_arrives_does() {
    let (world, tenant) = start().await;
    world.api.send(&tenant, CONTACT, "before").await;
    world.idle().await;
    suspend(&world, &tenant, CONTACT).await;
    let contacts: Vec<String> = (1..=4).map(|number| format!("1650555000{number}")).collect();
    for contact in &contacts {
        world.api.send(&tenant, contact, "offer").await;
    }
    assert_eq!(world.waits().await.len(), 4);
    assert_eq!(world.sim.requests(), 2);

    // One is tried, and fails as those before it; the others wait for longer.
    world.sim.fail_next(unpaid(), 1);
    world.advance_past_waits().await;
    assert_eq!(world.waits().await.len(), 3, "the channel was resumed");
    world.sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
    assert_eq!(world.waits().await.len(), 3, "the channel was resumed");
    assert_ne!(suspended(&world, &tenant).await, Value::Null);

    // Nothing is told of the next one at first, and what is told of one from before is no news of the number.
    world.sim.configure(|options| options.statuses.clear());
    world.advance_past_waits().await;
    assert_eq!(world.waits().await.len(), 2);
    report(&world, &tenant, &world.sim.accepted()[0].wamid, "played").await;
    assert_ne!(suspended(&world, &tenant).await, Value::Null);
    assert_eq!(world.waits().await.len(), 2);
    assert_eq!(world.sim.requests(), 4);

    let tried = world.sim.accepted().pop().unwrap();
    report(&world, &tenant, &tried.wamid, "delivered").await;
    assert_eq!(suspended(&world, &tenant).await, Value::Null);
    world.idle().await;
    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (6, 6));
    for contact in &contacts {
        assert_eq!(world.sim.times(contact, "offer"), 1, "{contact}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_status_that_is_faster_than_the_answer_lets_the_number_go_on() {
    let (world, tenant) = start().await;
    suspend(&world, &tenant, CONTACT).await;
    world.sim.fail_to(OTHER, Fault::AcceptThenHang(Duration::from_secs(2)), 1);
    world.api.send(&tenant, OTHER, "two").await;
    world.advance_past_waits().await;
    eventually("it works again", async || suspended(&world, &tenant).await == Value::Null).await;
    assert_eq!(world.db.count("select count(*) from outbox").await, 1, "the answer has not come yet");
    world.idle().await;
    assert_eq!(suspended(&world, &tenant).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_read_mark_is_no_trial_of_a_number_that_a_status_has_suspended() {
    let (world, tenant) = start().await;
    suspend(&world, &tenant, OTHER).await;
    let mark = json!({ "to": CONTACT, "read": { "message_id": "wamid.of-theirs" } });
    let (status, answer) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &mark).await;
    assert_eq!(status, 202, "{answer}");
    world.api.send(&tenant, CONTACT, "two").await;
    assert_eq!(world.waits().await.len(), 1);
    assert!(world.sim.marked_read().is_empty());
    world.advance_past_waits().await;
    // Nothing tells of the mark: the message behind it is tried at once.
    world.idle().await;
    assert_eq!((world.sim.marked_read().len(), world.sim.times(CONTACT, "two")), (1, 1));
    assert_eq!(suspended(&world, &tenant).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_message_whose_template_is_stopped_leaves_the_trial_of_its_number_to_the_next_one() {
    let (world, tenant) = start().await;
    let template = json!({ "name": "offer", "language": { "code": "en" } });
    let offer = json!({ "to": CONTACT, "payload": { "type": "template", "template": template } });
    world.sim.fail_next(Fault::code(132015), 1);
    post(&world, &tenant, "/send", offer.clone()).await;
    world.idle().await;
    suspend(&world, &tenant, OTHER).await;
    let stopped = post(&world, &tenant, "/send", offer).await;
    world.api.send(&tenant, CONTACT, "two").await;
    assert_eq!(world.waits().await, [TimeDelta::minutes(5)]);
    assert_eq!(world.sim.requests(), 2);

    world.advance_past_waits().await;
    assert!(world.waits().await.is_empty(), "what is behind it waits for another trial");
    world.idle().await;
    let message = world.api.message(&tenant, stopped["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"failed".into(), &0.into()), "{message}");
    assert_eq!((world.sim.requests(), world.sim.times(CONTACT, "two")), (3, 1));
    assert_eq!(suspended(&world, &tenant).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_message_that_its_rate_keeps_leaves_the_trial_of_its_number_to_the_next_one() {
    let (world, tenant) = start_with(World::builder().set("PAIR_BURST", "1").set("PAIR_PERIOD", "3600s")).await;
    world.api.send(&tenant, CONTACT, "before").await;
    world.idle().await;
    suspend(&world, &tenant, OTHER).await;
    let (trial, apart) = (TimeDelta::minutes(5), TimeDelta::milliseconds(10));
    world.api.send(&tenant, CONTACT, "too soon").await;
    assert_eq!(world.waits().await, [trial]);
    world.api.send(&tenant, &contact(1), "two").await;
    assert_eq!(world.waits().await, [trial, trial + apart]);

    world.advance(trial);
    let [next, later] = world.waits().await[..] else { panic!("both wait") };
    assert!(next == apart && later > trial, "{next}, {later}");
    assert_eq!(world.sim.requests(), 2);
    world.advance(apart);
    eventually("it works again", async || suspended(&world, &tenant).await == Value::Null).await;
    assert_eq!((world.sim.times(&contact(1), "two"), world.sim.times(CONTACT, "too soon")), (1, 0));
    world.end().await;
}

#[tokio::test]
async fn a_template_that_is_paused_after_meta_took_its_message_is_stopped_too() {
    let (world, tenant) = start().await;
    let (number, account) = ("106540352242923", "102290129340398");
    let new = json!({ "phoneNumberId": number, "accessToken": "token", "wabaId": account });
    let (status, added) = world.api.post(&format!("/tenants/{}/channels", tenant.id), MASTER_KEY, &new).await;
    assert_eq!(status, 201, "{added}");
    let send = async |name: &str| -> Uuid {
        let payload = json!({ "type": "template", "template": { "name": name, "language": { "code": "en" } } });
        let body = json!({ "to": CONTACT, "from": number, "payload": payload });
        let (status, sent) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
        assert_eq!(status, 202, "{sent}");
        world.idle().await;
        sent["id"].as_str().unwrap().parse().unwrap()
    };
    world.sim.fail_next(Fault::AcceptThenFail { code: 132015, title: "Template is paused".to_owned() }, 1);
    let paused = send("offer").await;
    assert_eq!(world.api.message(&tenant, paused).await["error"]["class"], "reported");
    let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
    let stopped = &shown["suspendedTemplates"];
    assert_eq!((&stopped[0]["name"], &stopped[0]["language"]), (&"offer".into(), &"en".into()), "{shown}");
    assert_eq!(stopped[0]["wabaId"], account, "{shown}");
    assert!(stopped[0]["reason"].as_str().unwrap().contains("(#132015) Template is paused"), "{shown}");

    let refused = send("offer").await;
    let taken = send("welcome").await;
    assert_eq!(world.sim.requests(), 2, "the second offer was not tried");
    assert_eq!(world.api.message(&tenant, refused).await["error"]["class"], "suspend_template");
    assert_eq!(world.api.message(&tenant, taken).await["status"], "read");
    world.end().await;
}
