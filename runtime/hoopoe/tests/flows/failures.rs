//! A flow that fails leaves a record with the reason, and its lane goes on; one that asks for a retry is run again.

use chrono::TimeDelta;
use hoopoe_testing::{PATIENCE, Tenant, World};
use meta_sim::Inbound;

const CONTACT: &str = "16505551234";

async fn start(retries: &str) -> (World, Tenant) {
    let world = World::builder()
        .plugin("test-guest")
        .set("FLOW_RETRIES", retries)
        .set("FLOW_FAILURES_TO_PAUSE", "0")
        .start()
        .await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.set_flow(&tenant, "test-guest", &["message"]).await;
    (world, tenant)
}

/// Attempt, result and reason of every run of a tenant's flow, in order.
async fn runs(world: &World, tenant: &Tenant) -> Vec<(i32, String, Option<String>)> {
    sqlx::query_as("select attempt, result, reason from flow_runs where tenant_id = $1 order by event_id, attempt")
        .bind(tenant.id)
        .fetch_all(&world.db.pool)
        .await
        .unwrap()
}

fn texts(world: &World) -> Vec<String> {
    world.sim.accepted().into_iter().filter_map(|reply| reply.text).collect()
}

#[tokio::test]
async fn every_failure_is_recorded_with_its_reason_and_the_lane_goes_on() {
    let (world, tenant) = start("5").await;
    let cases = [
        ("panic all is lost", "panic", "all is lost"),
        ("reject not for me", "reject", "not for me"),
        ("many x", "reject", "the command needs a number"),
        ("loop", "out-of-fuel", "200000000"),
        ("recurse", "stack-overflow", "stack"),
        ("memory", "memory-limit", "67108864 bytes"),
        ("big-output 2000000", "output-limit", "output"),
        ("big-state 100000", "output-limit", "state"),
        ("actions 65", "too-many-actions", "65"),
        ("http ftp://example.com/", "invalid-action", "actions[0].http-request.url"),
        ("template none", "template", "none"),
        ("tag ", "invalid-action", "actions[0].tag.name"),
        ("badtext", "invalid-action", "4096"),
    ];
    for (text, _, _) in cases {
        world.says(&tenant, CONTACT, text).await;
    }
    world.says(&tenant, CONTACT, "echo still here").await;
    world.idle().await;

    let runs = runs(&world, &tenant).await;
    assert_eq!(runs.len(), cases.len() + 1, "{runs:?}");
    for ((text, code, reason), (attempt, result, found)) in cases.iter().zip(&runs) {
        let found = found.as_deref().unwrap_or_default();
        // On a slow machine time is over before the fuel is.
        let result = if *code == "out-of-fuel" && result == "deadline-exceeded" { code } else { result.as_str() };
        assert_eq!((*attempt, result), (1, *code), "{text}: {found}");
        assert!(found.contains(reason) || found.contains("longer than 500ms"), "{text}: {found}");
    }
    assert_eq!((runs[cases.len()].0, runs[cases.len()].1.as_str()), (1, "done"));
    assert_eq!(texts(&world), ["still here"]);
    world.end().await;
}

#[tokio::test]
async fn a_flow_marks_a_message_as_read_before_its_next_answer() {
    let (world, tenant) = start("5").await;
    world.says(&tenant, CONTACT, "read").await;
    world.says(&tenant, CONTACT, "echo after it").await;
    world.idle().await;

    let marked = world.sim.marked_read();
    assert_eq!((marked.len(), marked[0].typing), (1, false));
    assert!(marked[0].message_id.starts_with("wamid."), "{}", marked[0].message_id);
    assert_eq!(texts(&world), ["after it"]);
    world.end().await;
}

#[tokio::test]
async fn state_is_kept_from_event_to_event_and_a_failed_one_does_not_touch_it() {
    let (world, tenant) = start("5").await;
    for text in ["count", "count", "panic now", "badtext", "big-state 100000", "count", "dirty", "dirty"] {
        world.says(&tenant, CONTACT, text).await;
    }
    world.says(&tenant, "16505550000", "count").await;
    world.idle().await;

    let of = |contact: &str| -> Vec<String> {
        let accepted = world.sim.accepted().into_iter();
        accepted.filter(|reply| reply.to == contact).filter_map(|reply| reply.text).collect()
    };
    // `dirty` is 1 in every fresh instance: memory is not kept, state is.
    assert_eq!(of(CONTACT), ["1", "2", "3", "1", "1"]);
    assert_eq!(of("16505550000"), ["1"]);
    world.end().await;
}

#[tokio::test]
async fn a_flow_that_asks_for_it_is_run_again_later_and_later() {
    let (mut world, tenant) = start("5").await;
    world.says(&tenant, CONTACT, "retry-until 4").await;
    assert_eq!(world.waits().await, [TimeDelta::seconds(2)]);
    world.advance_past_waits().await;
    assert_eq!(world.waits().await, [TimeDelta::seconds(4)]);
    // Attempts are counted in the database: another process goes on where this one stopped.
    world.restart().await;
    world.advance_past_waits().await;
    assert_eq!(world.waits().await, [TimeDelta::seconds(8)]);
    assert_eq!(texts(&world), [""; 0]);
    world.advance_past_waits().await;
    world.idle().await;

    assert_eq!(texts(&world), ["ok after 4"]);
    let expected = [
        (1, "retry", Some("attempt 1")),
        (2, "retry", Some("attempt 2")),
        (3, "retry", Some("attempt 3")),
        (4, "done", None),
    ];
    let runs = runs(&world, &tenant).await;
    let runs: Vec<_> = runs.iter().map(|(n, result, reason)| (*n, result.as_str(), reason.as_deref())).collect();
    assert_eq!(runs, expected);
    world.end().await;
}

#[tokio::test]
async fn retries_come_to_an_end_with_a_record() {
    let (world, tenant) = start("2").await;
    world.says(&tenant, CONTACT, "retry the stars are wrong").await;
    world.says(&tenant, CONTACT, "echo next").await;
    for _ in 0..2 {
        world.advance_past_waits().await;
    }
    world.idle().await;

    let results: Vec<_> = runs(&world, &tenant).await.into_iter().map(|(n, result, _)| (n, result)).collect();
    let expected = [(1, "retry"), (2, "retry"), (3, "retries-exhausted"), (1, "done")];
    assert_eq!(results, expected.map(|(n, result)| (n, result.to_owned())));
    let reason = "select count(*) from flow_runs where result = 'retries-exhausted' and reason = 'the stars are wrong'";
    assert_eq!(world.db.count(reason).await, 1);
    assert_eq!(texts(&world), ["next"]);
    world.end().await;
}

#[tokio::test]
async fn a_used_idempotency_key_keeps_the_answer_from_being_sent_twice() {
    let (world, tenant) = start("5").await;
    for _ in 0..2 {
        world.says(&tenant, CONTACT, "key the-one").await;
    }
    world.idle().await;
    assert_eq!(texts(&world), ["keyed"]);
    assert!(runs(&world, &tenant).await.iter().all(|(_, result, _)| result == "done"));
    world.end().await;
}

#[tokio::test]
async fn a_flow_that_wants_statuses_gets_them() {
    let (world, tenant) = start("5").await;
    world.set_flow(&tenant, "test-guest", &["message", "status"]).await;
    world.says(&tenant, CONTACT, "echo hello").await;
    world.idle().await;

    let logs = "select count(*) from flow_runs r join events e on e.tenant_id = r.tenant_id and e.id = r.event_id
                where e.kind = 'status' and r.result = 'done' and r.logs ->> 0 like '%status%'";
    assert_eq!(world.db.count(logs).await, 3);
    assert_eq!(texts(&world), ["hello"]);
    world.end().await;
}

#[tokio::test]
async fn an_event_whose_plugin_is_not_here_waits_for_a_node_that_has_it() {
    let (world, tenant) = start("5").await;
    world.set_flow(&tenant, "of-tomorrow", &["message"]).await;
    world.says(&tenant, CONTACT, "echo hello").await;
    assert_eq!(world.waits().await, [TimeDelta::seconds(2)]);
    world.set_flow(&tenant, "test-guest", &["message"]).await;
    world.advance_past_waits().await;
    world.idle().await;
    assert_eq!(texts(&world), ["hello"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_tenants_plugin_loops_another_tenant_is_answered() {
    // Far more than can come to an end while one message is answered: eight at a time, each with a fifth of a second
    // of computing, on threads that yield to those that answer.
    const LOOPS: usize = 400;
    let world = World::builder()
        .plugin("test-guest")
        .set("FLOW_CONCURRENCY", &(LOOPS + 1).to_string())
        .set("FLOW_FAILURES_TO_PAUSE", "0")
        .start()
        .await;
    let noisy = world.api.register("Noisy", "106540352242922", "token").await;
    world.set_flow(&noisy, "test-guest", &["message"]).await;
    let quiet = world.api.register("Quiet", "206540352242922", "token").await;
    let loops = (0..LOOPS).map(|number| (&noisy, format!("16505550{number:03}"), "loop"));
    let batch = loops.chain([(&quiet, CONTACT.to_owned(), "hello")]);
    let batch = batch.map(|(tenant, from, text)| Inbound::text(&tenant.phone_number_id, &from, text));
    assert!(world.sim.receive_batch(batch.collect()).await.is_acknowledged());
    world.sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    let stopped = runs(&world, &noisy).await.len();
    assert_eq!(texts(&world), ["thanks for reaching us\n- team Quiet"]);
    assert!(stopped < LOOPS, "the noisy tenant's plugins had all been stopped before");
}
