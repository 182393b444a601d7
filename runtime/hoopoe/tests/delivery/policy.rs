//! What delivery decides without Meta, or after Meta has refused more than one message: numbers and templates that are
//! suspended, messages that come too late, dead letters.

use chrono::TimeDelta;
use hoopoe_testing::{MASTER_KEY, Tenant, World};
use meta_sim::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{CONTACT, OTHER, post, start, steps, suspended};

async fn queued(world: &World, tenant: &Tenant, body: Value) -> Uuid {
    post(world, tenant, "/send", body).await["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_waits_for_a_refused_number_goes_out_with_a_new_token() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(190), 1);
    let first = world.api.send(&tenant, CONTACT, "one").await;
    world.waits().await;
    assert!(suspended(&world, &tenant).await.as_str().unwrap().contains("(#190)"));
    let second = world.api.send(&tenant, OTHER, "two").await;
    world.waits().await;
    assert_eq!(world.sim.requests(), 1, "the second was not tried");

    let path = format!("/tenants/{}/channels/{}", tenant.id, tenant.phone_number_id);
    let (status, shown) = world.api.put(&path, &tenant.key, &json!({ "accessToken": "better" })).await;
    assert_eq!((status, &shown["channels"][0]["suspendedReason"]), (200, &Value::Null), "{shown}");
    world.idle().await;
    assert_eq!((world.sim.times(CONTACT, "one"), world.sim.times(OTHER, "two")), (1, 1));
    for id in [first, second] {
        let message = world.api.message(&tenant, id).await;
        assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{message}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_refused_number_is_tried_again_with_one_message() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(131031), 2);
    for contact in [CONTACT, OTHER] {
        world.api.send(&tenant, contact, "hello").await;
        world.waits().await;
    }
    assert_eq!(world.sim.requests(), 1);
    // The trial fails, the next one does not; then all goes out.
    for expected in [2, 3] {
        world.advance_past_waits().await;
        world.waits().await;
        assert!(world.sim.requests() >= expected, "{} requests", world.sim.requests());
    }
    world.idle().await;
    assert_eq!((world.sim.times(CONTACT, "hello"), world.sim.times(OTHER, "hello")), (1, 1));
    assert_eq!(suspended(&world, &tenant).await, Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_stopped_template_is_not_tried_for_a_while_and_others_are() {
    let (world, tenant) = start().await;
    let template = |name: &str| {
        let template = json!({ "name": name, "language": { "code": "en" } });
        json!({ "to": CONTACT, "payload": { "type": "template", "template": template } })
    };
    world.sim.fail_next(Fault::code(132015), 1);
    let paused = queued(&world, &tenant, template("offer")).await;
    world.idle().await;
    let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
    assert_eq!(shown["suspendedTemplates"][0]["name"], "offer", "{shown}");

    let refused = queued(&world, &tenant, template("offer")).await;
    let taken = queued(&world, &tenant, template("welcome")).await;
    world.idle().await;
    assert_eq!(world.sim.requests(), 2, "the second offer was not tried");
    for (id, requests) in [(paused, 1), (refused, 0)] {
        let message = world.api.message(&tenant, id).await;
        assert_eq!((&message["status"], &message["attempts"]), (&"failed".into(), &requests.into()), "{message}");
        assert_eq!(message["error"]["class"], "suspend_template", "{message}");
    }
    assert_eq!(world.api.message(&tenant, taken).await["status"], "read");

    world.advance(TimeDelta::minutes(61));
    let mut world = world;
    world.restart().await;
    let again = queued(&world, &tenant, template("offer")).await;
    world.idle().await;
    assert_eq!(world.api.message(&tenant, again).await["status"], "read");
    world.end().await;
}

#[tokio::test]
async fn a_template_that_one_account_may_not_send_goes_out_by_another() {
    let (world, tenant) = start().await;
    // Of the first number no account is known.
    let mut numbers = vec![(tenant.phone_number_id.as_str(), Value::Null)];
    for (number, account) in [("106540352242923", "102290129340398"), ("106540352242924", "102290129340399")] {
        let new = json!({ "phoneNumberId": number, "accessToken": "token", "wabaId": account });
        let (status, added) = world.api.post(&format!("/tenants/{}/channels", tenant.id), MASTER_KEY, &new).await;
        assert_eq!(status, 201, "{added}");
        numbers.push((number, account.into()));
    }
    let send = async |from: &str| {
        let template = json!({ "name": "offer", "language": { "code": "en" } });
        let payload = json!({ "type": "template", "template": template });
        let id = queued(&world, &tenant, json!({ "to": CONTACT, "from": from, "payload": payload })).await;
        world.idle().await;
        world.api.message(&tenant, id).await
    };
    for count in 1..=numbers.len() {
        world.sim.fail_next(Fault::code(132015), 1);
        let refused = send(numbers[count - 1].0).await;
        assert_eq!(refused["error"]["class"], "suspend_template", "{refused}");
        let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
        let stopped = shown["suspendedTemplates"].as_array().unwrap().iter().map(|one| &one["wabaId"]);
        assert!(stopped.eq(numbers[..count].iter().map(|(_, account)| account)), "{shown}");
        let requests = world.sim.requests();
        for (place, (number, _)) in numbers.iter().enumerate() {
            let expected = if place < count { "failed" } else { "read" };
            let message = send(number).await;
            assert_eq!(message["status"], expected, "{count}, {number}: {message}");
        }
        assert_eq!(
            world.sim.requests() - requests,
            (numbers.len() - count) as u64,
            "those that are stopped are not tried"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn a_message_that_comes_too_late_is_not_sent() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(131000), 10);
    let late = queued(&world, &tenant, json!({ "to": CONTACT, "text": "half price today", "expires_in": 60 })).await;
    world.waits().await;
    world.advance(TimeDelta::seconds(61));
    world.idle().await;
    let message = world.api.message(&tenant, late).await;
    assert_eq!((&message["status"], &message["error"]["class"]), (&"failed".into(), &"expired".into()), "{message}");
    assert_eq!((world.sim.requests(), &message["attempts"]), (1, &1.into()), "{message}");
    world.end().await;
}

#[tokio::test]
async fn a_message_may_have_fewer_attempts() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(131000), 10);
    let once = queued(&world, &tenant, json!({ "to": CONTACT, "text": "hello", "max_attempts": 1 })).await;
    world.idle().await;
    let message = world.api.message(&tenant, once).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"failed".into(), &1.into()), "{message}");
    assert_eq!(message["error"]["last"], true);
    world.end().await;
}

#[tokio::test]
async fn dead_letters_are_listed_sent_once_more_and_taken_off_the_list() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::code(131026), 3);
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(world.api.send(&tenant, CONTACT, text).await);
        world.idle().await;
    }
    let list = async || -> Vec<Uuid> {
        let (_, page) = world.api.get(&format!("/tenants/{}/dead-letters", tenant.id), &tenant.key).await;
        page["messages"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(list().await, [ids[2], ids[1], ids[0]]);

    // Days later their validity begins anew.
    world.advance(TimeDelta::days(3));
    let named = post(&world, &tenant, "/dead-letters/redrive", json!({ "messages": [ids[1], Uuid::nil()] })).await;
    assert_eq!(named["messages"], json!([ids[1]]));
    world.idle().await;
    let message = world.api.message(&tenant, ids[1]).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &1.into()), "{message}");
    assert_eq!(steps(&message)[..3], ["failed", "redriven", "accepted"]);
    let again = post(&world, &tenant, "/dead-letters/redrive", json!({ "messages": [ids[1]] })).await;
    assert_eq!(again["messages"], json!([]), "it is none any more");

    let oldest = post(&world, &tenant, "/dead-letters/redrive", json!({ "oldest": 1 })).await;
    assert_eq!(oldest["messages"], json!([ids[0]]));
    let purged = post(&world, &tenant, "/dead-letters/purge", json!({ "oldest": 10 })).await;
    assert_eq!(purged["messages"], json!([ids[2]]));
    assert!(list().await.is_empty());
    world.idle().await;
    assert_eq!(world.sim.times(CONTACT, "one") + world.sim.times(CONTACT, "two"), 2);
    assert_eq!(world.api.message(&tenant, ids[2]).await["status"], "failed");
    world.end().await;
}

#[tokio::test]
async fn a_message_is_taken_back_only_while_meta_cannot_have_it() {
    let (world, tenant) = start().await;
    let cancel = async |id: Uuid| {
        let path = format!("/tenants/{}/messages/{id}/cancel", tenant.id);
        world.api.post(&path, &tenant.key, &json!({})).await
    };
    world.sim.fail_next(Fault::code(131000), 1);
    let waiting = world.api.send(&tenant, CONTACT, "one").await;
    let behind = world.api.send(&tenant, CONTACT, "two").await;
    world.waits().await;
    let (status, canceled) = cancel(behind).await;
    assert_eq!((status, &canceled["status"]), (200, &"canceled".into()), "{canceled}");
    assert_eq!(cancel(behind).await.0, 409, "it is taken back already");
    world.advance(TimeDelta::milliseconds(1));
    let (status, canceled) = cancel(waiting).await;
    assert_eq!((status, steps(&canceled)), (200, vec!["retry", "canceled"]), "{canceled}");
    world.advance(TimeDelta::hours(1));
    let sent = world.api.send(&tenant, CONTACT, "three").await;
    world.idle().await;
    assert_eq!((world.sim.accepted_count(), world.sim.times(CONTACT, "three")), (1, 1));
    assert_eq!(cancel(sent).await.0, 409);
    assert_eq!(cancel(Uuid::nil()).await.0, 404);
    world.end().await;
}

#[tokio::test]
async fn a_batch_tells_of_each_message_by_itself() {
    let (world, tenant) = start().await;
    let shapeless = [json!({ "to": OTHER, "tetx": "six" }), json!({ "to": 5, "text": "seven" }), json!(8)];
    let messages = json!([
        { "to": CONTACT, "text": "one", "idempotency_key": "k" },
        { "to": "nobody", "text": "two" },
        { "to": OTHER, "text": "three", "idempotency_key": "k" },
        { "to": OTHER, "text": "four", "from": "1234567890" },
        shapeless[0],
        shapeless[1],
        shapeless[2],
        { "to": OTHER, "text": "five" },
    ]);
    let answer = post(&world, &tenant, "/send/batch", json!({ "messages": messages })).await;
    let statuses: Vec<_> = answer["results"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [202, 400, 409, 400, 400, 400, 400, 202], "{answer}");
    assert_eq!(answer["queued"], 2);
    assert_eq!(answer["results"][2]["error"]["details"]["messageId"], answer["results"][0]["message"]["id"]);
    for (place, message) in shapeless.iter().enumerate() {
        let (status, refused) = world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, message).await;
        assert_eq!((status, &answer["results"][4 + place]["error"]), (400, &refused), "in the words of a single send");
    }
    world.idle().await;
    assert_eq!((world.sim.times(CONTACT, "one"), world.sim.times(OTHER, "five")), (1, 1));
    assert_eq!(world.sim.accepted_count(), 2);

    let path = format!("/tenants/{}/send/batch", tenant.id);
    for count in [0, 1001] {
        let many: Vec<Value> = (0..count).map(|_| json!({ "to": CONTACT, "text": "x" })).collect();
        let (status, refused) = world.api.post(&path, &tenant.key, &json!({ "messages": many })).await;
        assert_eq!((status, &refused["details"]["field"]), (400, &"messages".into()), "{refused}");
    }
    let (status, refused) = world.api.post(&path, &tenant.key, &json!({ "messages": shapeless[0] })).await;
    assert_eq!((status, &refused["details"]["field"]), (400, &"messages".into()), "no list: {refused}");
    world.end().await;
}
