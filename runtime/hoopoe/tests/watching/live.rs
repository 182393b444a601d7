//! Who watches a tenant sees what happens to it, as it happens.

use std::time::Duration;

use hoopoe_testing::{PATIENCE, Tenant, Watcher, World, eventually};
use meta_sim::Fault;
use reqwest::Method;
use serde_json::{Value, json};

const CONTACT: &str = "16505551234";

async fn two_tenants(world: &World) -> [Tenant; 2] {
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    [acme, world.api.register("Other", "106540352242923", "token").await]
}

/// Where this is among what was seen.
#[track_caller]
fn place(seen: &[Value], is: impl Fn(&Value) -> bool) -> usize {
    seen.iter().position(is).unwrap_or_else(|| panic!("it is not in {seen:#?}"))
}

#[tokio::test]
async fn a_round_trip_is_seen_in_the_order_in_which_it_happens() {
    let world = World::start().await;
    let [acme, _] = two_tenants(&world).await;
    let mut watcher = Watcher::start(&world.api, &acme).await;
    world.says(&acme, CONTACT, "hello").await;
    let seen = watcher.take(6).await;
    world.idle().await;

    let (event, run) = (&seen[0], &seen[1]);
    assert!(event["type"] == "event" && event["kind"] == "message", "{seen:#?}");
    assert!(run["type"] == "run" && run["result"] == "done" && run["attempt"] == 1, "{seen:#?}");
    assert!(run["actions"].as_i64().is_some_and(|actions| actions > 0), "{run}");
    assert!(run["plugin"].as_str().is_some_and(|plugin| plugin.contains('@')), "{run}");
    for field in ["eventId", "conversationId"] {
        assert!(!event[field].is_null() && event[field] == run[field], "{field}: {event} {run}");
    }
    let messages = world.api.messages(&acme).await;
    let message = &messages[place(&messages, |message| message["direction"] == "OUT")];
    let step = |word: &str| place(&seen, |one| one["messageId"] == message["id"] && one["status"] == word);
    // Meta may tell of a message before its answer is written down.
    let steps = [step("sent"), step("delivered"), step("read")];
    assert!(step("accepted") > 1 && steps.is_sorted(), "{seen:#?}");
    world.end().await;
}

#[tokio::test]
async fn what_meta_refuses_and_is_known_to_have_is_not_shown_as_failed() {
    // Statuses are the test's, and there is time for one before the answer.
    let builder = World::builder().sim(|sim| {
        sim.statuses.clear();
        sim.latency = Duration::from_secs(2);
    });
    let world = builder.start().await;
    let [acme, _] = two_tenants(&world).await;
    let mut watcher = Watcher::start(&world.api, &acme).await;
    world.sim.fail_next(Fault::code(131026), 1);
    let id = world.api.send(&acme, CONTACT, "one").await;
    world.sim.wait_for_requests(1, PATIENCE).await.unwrap();
    let item = json!({ "id": "wamid.1", "status": "delivered", "timestamp": "1767225600", "recipient_id": CONTACT,
        "biz_opaque_callback_data": id.to_string() });
    let metadata = json!({ "display_phone_number": "1", "phone_number_id": acme.phone_number_id });
    let value = json!({ "messaging_product": "whatsapp", "metadata": metadata, "statuses": [item] });
    let body = json!({ "object": "whatsapp_business_account",
        "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] });
    assert!(world.sim.post_signed(body.to_string().into_bytes()).await.is_acknowledged());
    world.idle().await;
    assert_eq!(world.api.message(&acme, id).await["status"], "delivered");

    // What comes of the next message is shown behind all that came of the first.
    let next = world.api.send(&acme, CONTACT, "two").await;
    let mut seen = Vec::new();
    loop {
        let happening = watcher.next().await.unwrap();
        if happening["messageId"] == next.to_string() && happening["status"] == "accepted" {
            break;
        }
        seen.push(happening);
    }
    let steps: Vec<_> =
        seen.iter().filter(|one| one["messageId"] == id.to_string()).map(|one| &one["status"]).collect();
    assert_eq!(steps, ["delivered"], "{seen:#?}");
    world.idle().await;
    world.end().await;
}

#[tokio::test]
async fn another_tenants_events_are_not_seen_and_its_key_opens_nothing() {
    let world = World::start().await;
    let [acme, other] = two_tenants(&world).await;
    let mut watcher = Watcher::start(&world.api, &other).await;
    world.says(&acme, CONTACT, "hello").await;
    world.idle().await;
    world.says(&other, CONTACT, "hello").await;
    let first = watcher.next().await.unwrap();
    let (_, own) = world.api.get(&format!("/tenants/{}/events/{}", other.id, first["eventId"]), &other.key).await;
    assert_eq!(own["phoneNumberId"], other.phone_number_id, "{first}");
    let path = format!("/tenants/{}/live", acme.id);
    assert_eq!(world.api.get(&path, &other.key).await.0, 404);
    assert_eq!(world.api.get(&path, "").await.0, 401);
    world.idle().await;
    world.end().await;
}

#[tokio::test]
async fn the_process_stops_while_somebody_watches() {
    let mut world = World::start().await;
    let [acme, _] = two_tenants(&world).await;
    let mut watcher = Watcher::start(&world.api, &acme).await;
    // It asserts that everything has ended in time.
    world.stop().await;
    assert_eq!(watcher.next().await, None);
    world.end().await;
}

#[tokio::test]
async fn who_goes_makes_room_for_another() {
    let world = World::builder().roles("api").start().await;
    let [acme, other] = two_tenants(&world).await;
    let mut watchers = Vec::new();
    for _ in 0..20 {
        watchers.push(Watcher::start(&world.api, &acme).await);
    }
    let watch = |tenant: &Tenant| world.api.request(Method::GET, &format!("/tenants/{}/live", tenant.id), &tenant.key);
    assert_eq!(watch(&acme).send().await.unwrap().status(), 429);
    assert_eq!(watch(&other).send().await.unwrap().status(), 200);
    watchers.pop();
    eventually("its place is free", async || watch(&acme).send().await.unwrap().status() == 200).await;
    world.end().await;
}
