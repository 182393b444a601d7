//! The stage on real Postgres, with a real server: what is queued becomes one event, whatever happens between.

#![allow(missing_docs, clippy::unwrap_used)]

mod ground;
mod logs;

use chrono::TimeDelta;
use hoopoe_store::http_calls::{Answered, Share};
use hoopoe_testing::eventually;
use serde_json::json;

use crate::ground::{Ground, LEASE};

const URL: &str = "http://localhost:{port}/orders";

#[tokio::test]
async fn a_call_is_made_and_its_answer_becomes_an_event() {
    let mut ground = Ground::new().await;
    let tenant = ground.tenant("106540352242922").await;
    ground.secret(tenant, "API_KEY", "t0p-s3cret").await;
    ground.start();
    let headers = [("Authorization", "Bearer {{secret:API_KEY}}"), ("X-Plain", "{{name}}")];
    let call = ground.call(tenant, "order", URL, &headers).await;
    let answer = ground.answer(tenant, call).await;
    assert_eq!(
        (&answer["name"], &answer["status"], &answer["body"]),
        (&json!("order"), &json!(200), &json!("aGVsbG8="))
    );
    let seen = ground.server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), Some("Bearer t0p-s3cret"));
    assert_eq!(seen[0].header("x-plain"), Some("{{name}}"));
    assert_eq!(seen[0].header("idempotency-key"), Some(call.to_string().as_str()));
    assert_eq!(ground.db.count("select count(*) from http_calls").await, 0);
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 1);

    let own = ground.call(tenant, "own", URL, &[("Idempotency-Key", "mine")]).await;
    ground.answer(tenant, own).await;
    assert_eq!(ground.server.seen()[1].header("idempotency-key"), Some("mine"));
    ground.end().await;
}

#[tokio::test]
async fn what_cannot_be_called_is_an_answer_that_says_why() {
    let mut ground = Ground::new().await;
    let (tenant, other) = (ground.tenant("106540352242922").await, ground.tenant("106540352242923").await);
    ground.secret(other, "API_KEY", "another-tenants").await;
    ground.start();
    let cases = [
        (
            "http://169.254.169.254/latest/meta-data",
            "",
            "refused: 169.254.169.254 is the address of a cloud's metadata",
        ),
        ("http://[::ffff:a9fe:a9fe]/", "", "refused: ::ffff:169.254.169.254 is an IPv4-mapped"),
        ("http://127.0.0.1:{port}/", "", "refused: 127.0.0.1:"),
        ("http://other.localhost:{port}/", "", "refused: other.localhost:"),
        (URL, "{{secret:API_KEY}}", "secret: the plugin has no secret API_KEY"),
        ("https://localhost:1/", "", "unreachable: "),
    ];
    for (url, header, expected) in cases {
        let call = ground.call(tenant, "x", url, &[("X-Key", header)]).await;
        // Nobody is there: tried again until the call's time is over.
        if expected.starts_with("unreachable") {
            for attempts in 1..3 {
                eventually("the call waits for its next try", async || {
                    ground.db.count("select count(*) from http_calls where lease_token > 0").await == 1
                        && ground.db.count("select max(attempts)::int8 from http_calls").await == attempts
                        && ground.store.next_call(&Share { most: 1, ..Share::default() }).await.unwrap()
                            < Some(ground.store.ambient.now() + TimeDelta::seconds(5))
                })
                .await;
                ground.advance(TimeDelta::seconds(3));
            }
        }
        let answer = ground.answer(tenant, call).await;
        assert!(answer["error"].as_str().unwrap_or_default().starts_with(expected), "{url}: {answer}");
    }
    assert!(ground.server.seen().is_empty());
    let redirect = ground.call(tenant, "x", "http://localhost:{port}/redirect", &[]).await;
    assert_eq!(ground.answer(tenant, redirect).await["status"], 302);
    ground.end().await;
}

#[tokio::test]
async fn a_server_that_says_later_is_asked_later() {
    let mut ground = Ground::new().await;
    let tenant = ground.tenant("106540352242922").await;
    ground.start();
    let call = ground.call(tenant, "order", "http://localhost:{port}/later", &[]).await;
    let at = Some(ground.store.ambient.now() + TimeDelta::seconds(2));
    let all = Share { most: 1, ..Share::default() };
    eventually("the call waits", async || ground.store.next_call(&all).await.unwrap() == at).await;
    assert_eq!(ground.server.seen().len(), 1);
    ground.advance(TimeDelta::seconds(2));
    assert_eq!(ground.answer(tenant, call).await["status"], 200);
    let seen = ground.server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    ground.end().await;
}

#[tokio::test]
async fn a_call_whose_owner_was_lost_is_made_again_and_answered_once() {
    let mut ground = Ground::new().await;
    let tenant = ground.tenant("106540352242922").await;
    let call = ground.call(tenant, "order", URL, &[]).await;
    let share = Share { most: 10, ..Share::default() };
    let lost = ground.store.claim_calls(10, LEASE, share).await.unwrap().remove(0);
    assert_eq!(lost.hosts, ["localhost"]);
    ground.start();
    ground.advance(LEASE + TimeDelta::seconds(10));
    assert_eq!(ground.answer(tenant, call).await["status"], 200);
    let late = Answered { lease: lost.lease, raw: r#"{"error": "late"}"#.to_owned() };
    assert_eq!(ground.store.settle_calls(&[late.into()]).await.unwrap(), [false]);
    assert_eq!(ground.db.count("select count(*) from events").await, 1);

    // Not for ever.
    ground.store.ambient.advance(TimeDelta::seconds(1));
    let poison = ground.call(tenant, "poison", "http://localhost:{port}/gate", &[]).await;
    eventually("the call is under way", async || ground.server.seen().len() == 2).await;
    ground.db.execute("update http_calls set attempts = 6, ready_at = now() - interval '100 years'").await;
    ground.store.wakes.calls.notify_one();
    let answer = ground.answer(tenant, poison).await;
    assert!(answer["error"].as_str().unwrap().starts_with("gave-up: "), "{answer}");
    ground.end().await;
}

#[tokio::test]
async fn slow_servers_of_one_tenant_do_not_keep_another_waiting() {
    let mut ground = Ground::new().await;
    let (slow, other) = (ground.tenant("106540352242922").await, ground.tenant("106540352242923").await);
    ground.start();
    let mut waiting = Vec::new();
    for _ in 0..12 {
        waiting.push(ground.call(slow, "slow", "http://localhost:{port}/gate", &[]).await);
    }
    let gates = |ground: &Ground| ground.server.seen().iter().filter(|seen| seen.path == "/gate").count();
    eventually("the tenant has its share", async || gates(&ground) == 2).await;
    for _ in 0..5 {
        let call = ground.call(other, "quick", URL, &[]).await;
        assert_eq!(ground.answer(other, call).await["status"], 200);
    }
    assert_eq!(gates(&ground), 2, "no more than its share");
    ground.server.gate.add_permits(12);
    for call in waiting {
        assert_eq!(ground.answer(slow, call).await["status"], 200);
    }
    ground.end().await;
}
