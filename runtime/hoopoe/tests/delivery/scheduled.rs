//! Messages with `send_at`: they go out when their time has come, once, and are in nobody's way before.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_testing::{Database, PATIENCE, Process, Tenant, World, eventually, settings, sim_options};
use meta_sim::{Fault, Sim};
use serde_json::json;
use uuid::Uuid;

use crate::{CONTACT, NUMBER, post, start};

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");

/// Schedules a text so many seconds from now; gives its id.
async fn schedule(world: &World, tenant: &Tenant, seconds: i64, text: &str) -> Uuid {
    let at = (world.now() + TimeDelta::seconds(seconds)).to_rfc3339();
    let answer = post(world, tenant, "/send", json!({ "to": CONTACT, "text": text, "send_at": at })).await;
    assert_eq!(answer["status"], "scheduled", "{answer}");
    answer["id"].as_str().unwrap().parse().unwrap()
}

/// Waits until so many messages wait for their time, and nothing else is left to do.
async fn wait_for_scheduled(world: &World, count: i64) {
    eventually("messages wait for their time", async || {
        world.db.count("select count(*) from scheduled").await == count
    })
    .await;
    world.idle().await;
}

async fn listed(world: &World, tenant: &Tenant, query: &str) -> Vec<String> {
    let (status, page) = world.api.get(&format!("/tenants/{}/messages{query}", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{page}");
    page["messages"].as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_message_goes_out_at_its_time_and_is_in_nobodys_way_before() {
    let (mut world, tenant) = start().await;
    let id = schedule(&world, &tenant, 60, "later").await;
    let soon = schedule(&world, &tenant, 30, "sooner").await;
    world.api.send(&tenant, CONTACT, "now").await;
    wait_for_scheduled(&world, 2).await;
    assert_eq!(world.heard(CONTACT), ["now"]);
    let message = world.api.message(&tenant, id).await;
    assert_eq!(message["status"], "scheduled", "{message}");
    assert_eq!(message["sendAt"], "2026-01-01T00:01:00Z", "{message}");
    assert_eq!(listed(&world, &tenant, "?status=scheduled").await, ["sooner", "later"]);
    assert_eq!(listed(&world, &tenant, "?status=scheduled&limit=1").await, ["sooner"]);
    assert_eq!(listed(&world, &tenant, &format!("?status=scheduled&before={soon}")).await, ["later"]);
    assert_eq!(listed(&world, &tenant, "?status=scheduled&direction=IN").await, [""; 0]);
    assert_eq!(listed(&world, &tenant, "?status=queued").await, [""; 0]);

    // It survives a restart, and nothing goes out a second early.
    world.advance(TimeDelta::seconds(59));
    world.restart().await;
    wait_for_scheduled(&world, 1).await;
    assert_eq!(world.heard(CONTACT), ["now", "sooner"]);
    world.advance(TimeDelta::seconds(1));
    wait_for_scheduled(&world, 0).await;
    assert_eq!(world.heard(CONTACT), ["now", "sooner", "later"]);
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["status"], &message["sendAt"]), (&"read".into(), &"2026-01-01T00:01:00Z".into()));
    world.end().await;
}

#[tokio::test]
async fn what_is_overdue_after_a_stop_goes_out_in_the_order_of_its_times() {
    let (mut world, tenant) = start().await;
    for (seconds, text) in [(30, "c"), (10, "a"), (20, "b"), (20, "b2")] {
        schedule(&world, &tenant, seconds, text).await;
    }
    world.stop().await;
    world.advance(TimeDelta::hours(1));
    world.restart().await;
    wait_for_scheduled(&world, 0).await;
    assert_eq!(world.heard(CONTACT), ["a", "b", "b2", "c"]);
    world.end().await;
}

#[tokio::test]
async fn one_that_is_due_comes_behind_what_waits_for_the_contact() {
    let (world, tenant) = start().await;
    schedule(&world, &tenant, 1, "scheduled").await;
    world.sim.fail_next(Fault::code(131000), 1);
    world.api.send(&tenant, CONTACT, "first").await;
    assert_eq!(world.waits().await.len(), 1, "it is to be tried again");
    world.advance(TimeDelta::seconds(1));
    eventually("it waits in the outbox", async || world.db.count("select count(*) from outbox").await == 2).await;
    assert_eq!(world.heard(CONTACT), [""; 0]);
    world.advance_past_waits().await;
    world.idle().await;
    assert_eq!(world.heard(CONTACT), ["first", "scheduled"]);
    world.end().await;
}

#[tokio::test]
async fn a_scheduled_message_can_be_taken_back_and_its_key_stays_used() {
    let (world, tenant) = start().await;
    let at = world.now().timestamp() + 60;
    let body = json!({ "to": CONTACT, "text": "a", "idempotency_key": "k", "sendAt": at });
    let id = post(&world, &tenant, "/send", body.clone()).await["id"].as_str().unwrap().to_owned();
    let send = format!("/tenants/{}/send", tenant.id);
    let (status, answer) = world.api.post(&send, &tenant.key, &body).await;
    assert_eq!((status, &answer["details"]["messageId"]), (409, &id.as_str().into()), "{answer}");
    assert_eq!(world.db.count("select count(*) from scheduled").await, 1);

    let cancel = format!("/messages/{id}/cancel");
    let canceled = post(&world, &tenant, &cancel, json!({})).await;
    assert_eq!(canceled["status"], "canceled", "{canceled}");
    let (status, _) = world.api.post(&format!("/tenants/{}{cancel}", tenant.id), &tenant.key, &json!({})).await;
    assert_eq!(status, 409, "once is enough");
    assert_eq!(world.api.post(&send, &tenant.key, &body).await.0, 409);
    world.advance(TimeDelta::seconds(61));
    wait_for_scheduled(&world, 0).await;
    assert_eq!(world.sim.requests(), 0);
    world.end().await;
}

#[tokio::test]
async fn validity_counts_from_the_time_of_sending() {
    let (mut world, tenant) = start().await;
    // The default of a day would be over before.
    schedule(&world, &tenant, 10 * 86_400, "in time").await;
    let at = (world.now() + TimeDelta::days(10)).to_rfc3339();
    let body = json!({ "to": "16505550000", "text": "late", "send_at": at, "expires_in": 60 });
    let late = post(&world, &tenant, "/send", body).await["id"].as_str().unwrap().parse().unwrap();
    world.stop().await;
    world.advance(TimeDelta::days(10) + TimeDelta::seconds(61));
    world.restart().await;
    wait_for_scheduled(&world, 0).await;
    assert_eq!(world.heard(CONTACT), ["in time"]);
    let message = world.api.message(&tenant, late).await;
    assert_eq!((&message["status"], &message["error"]["class"]), (&"failed".into(), &"expired".into()), "{message}");
    world.end().await;
}

#[tokio::test]
async fn templates_and_each_item_of_a_batch_have_their_time() {
    let (world, tenant) = start().await;
    let template = json!({ "key": "t", "language": "en", "components": [{ "type": "body", "text": "from {{name}}" }] });
    post(&world, &tenant, "/templates", template).await;
    let at = |seconds: i64| (world.now() + TimeDelta::seconds(seconds)).to_rfc3339();
    let body = json!({ "to": CONTACT, "templateKey": "t", "variables": { "name": "Sam" }, "send_at": at(10) });
    assert_eq!(post(&world, &tenant, "/send/template", body).await["status"], "scheduled");
    let batch = json!({ "messages": [
        { "to": CONTACT, "text": "20", "send_at": at(20) },
        { "to": CONTACT, "text": "0" },
        { "to": CONTACT, "text": "past", "send_at": at(-61) },
        { "to": CONTACT, "text": "just now", "send_at": at(-5) },
        { "to": CONTACT, "text": "never", "send_at": at(91 * 86_400) },
    ] });
    let answer = post(&world, &tenant, "/send/batch", batch).await;
    let statuses: Vec<_> = answer["results"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [202, 202, 400, 202, 400], "{answer}");
    assert_eq!(answer["results"][2]["error"]["details"]["field"], "send_at", "{answer}");
    wait_for_scheduled(&world, 2).await;
    assert_eq!(world.heard(CONTACT), ["0", "just now"]);
    world.advance(TimeDelta::seconds(20));
    wait_for_scheduled(&world, 0).await;
    assert_eq!(world.heard(CONTACT), ["0", "just now", "from Sam", "20"]);
    world.end().await;
}

#[tokio::test]
async fn many_that_are_due_at_once_delay_no_answer() {
    const MANY: usize = 600;
    let world = World::builder()
        .set("DELIVERY_CONCURRENCY", "8")
        .sim(|sim| sim.latency = Duration::from_millis(50))
        .start()
        .await;
    let tenant = world.api.register("Noisy", NUMBER, "token").await;
    let at = (world.now() + TimeDelta::seconds(60)).to_rfc3339();
    let message = |number: usize| json!({ "to": format!("1650555{number:04}"), "text": "offer", "send_at": at });
    let batch = json!({ "messages": (0..MANY).map(message).collect::<Vec<_>>() });
    assert_eq!(post(&world, &tenant, "/send/batch", batch).await["queued"], MANY);
    world.advance(TimeDelta::seconds(60));
    world.sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    world.says(&tenant, "16505559999", "hi").await;
    wait_for_scheduled(&world, 0).await;
    let accepted = world.sim.accepted();
    assert_eq!(accepted.len(), MANY + 1);
    let place = accepted.iter().position(|one| one.to == "16505559999").unwrap();
    assert!(place < MANY / 2, "{place} messages came first");
    world.end().await;
}

#[tokio::test]
async fn two_processes_that_are_due_at_once_send_once_and_in_time() {
    const CONTACTS: usize = 40;
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let mut environment = settings(&db, &sim);
    // As in production.
    environment.insert("POLL_INTERVAL".to_owned(), "250ms".to_owned());
    let (one, two) = tokio::join!(Process::start(HOOPOE, &environment), Process::start(HOOPOE, &environment));
    let tenant = one.api.register("Acme", NUMBER, "token").await;
    let at = Utc::now() + TimeDelta::milliseconds(2500);
    for (number, process) in [&one, &two].into_iter().enumerate() {
        let message = |contact: usize| {
            let text = format!("from {number}");
            json!({ "to": format!("1650555{contact:04}"), "text": text, "send_at": at.to_rfc3339() })
        };
        let batch = json!({ "messages": (0..CONTACTS).map(message).collect::<Vec<_>>() });
        let path = format!("/tenants/{}/send/batch", tenant.id);
        let (status, answer) = process.api.post(&path, &tenant.key, &batch).await;
        assert_eq!((status, &answer["queued"]), (200, &CONTACTS.into()), "{answer}");
    }
    sim.wait_for_accepted(2 * CONTACTS, PATIENCE).await.unwrap();
    db.idle().await;
    for contact in 0..CONTACTS {
        for number in 0..2 {
            assert_eq!(sim.times(&format!("1650555{contact:04}"), &format!("from {number}")), 1);
        }
    }
    assert_eq!(sim.requests(), 2 * CONTACTS as u64);
    let first: DateTime<Utc> =
        sqlx::query_scalar("select min(accepted_at) from messages").fetch_one(&db.pool).await.unwrap();
    let late = (first - at).num_milliseconds();
    // Some hundred at the most; the machine may be busy with other tests.
    assert!((0..2000).contains(&late), "the first came {late} ms after its time");
    assert!(one.terminate().await.status.success() && two.terminate().await.status.success());
}
