//! Floods that no single run shows: of timers, of messages about messages, of many runs at once, of versions.

use hoopoe_hostile_guests::guest;
use hoopoe_testing::{Tenant, eventually};
use meta_sim::Inbound;
use serde_json::json;

use crate::common::{CONTACT, Stage, chain_is_stopped};

async fn deactivate(stage: &Stage, attacker: &Tenant) {
    let path = format!("/tenants/{}/plugins/evil/deactivate", attacker.id);
    let (status, answer) = stage.world.api.post(&path, &attacker.key, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("timer-flood", guest("timer-flood")).await;
    let first = stage.meanwhile("timer-flood", stage.says(&attacker, "a")).await;
    assert_eq!(first.result(), "done", "{}", first.reason());
    let second = stage.meanwhile("timer-flood", stage.says(&attacker, "bb")).await;
    assert_eq!(second.result(), "too-many-timers", "{}", second.reason());
    assert_eq!(stage.world.db.count("select count(*) from timers").await, 64);
    stage.end().await;
}

/// Timers that set themselves again as soon as they fire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_without_end() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("timer-chain", guest("timer-chain")).await;
    stage
        .meanwhile("timer-chain", async {
            stage.says(&attacker, "attack").await;
            chain_is_stopped(&stage, &attacker).await;
        })
        .await;
    deactivate(&stage, &attacker).await;
    stage.world.db.idle().await;
    assert_eq!(stage.world.db.count("select count(*) from timers").await, 0);
    stage.end().await;
}

/// A message about each status of a message, which has statuses of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echoes_of_statuses() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("status-echo", guest("status-echo")).await;
    stage
        .meanwhile("status-echo", async {
            stage.says(&attacker, "attack").await;
            chain_is_stopped(&stage, &attacker).await;
        })
        .await;
    deactivate(&stage, &attacker).await;
    stage.meanwhile("status-echo", stage.world.db.idle()).await;
    stage.end().await;
}

/// As many runs at the same time as the tenant has contacts, none of which ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_at_once() {
    // Twice as many as may be long at the same time.
    const CONTACTS: usize = 16;
    let stage = Stage::start_with(|builder| builder.set("FLOW_FAILURES_TO_PAUSE", "0")).await;
    for name in ["endless-loop", "bulk-fill"] {
        let attacker = stage.attacker(name, guest(name)).await;
        let batch = (0..CONTACTS)
            .map(|number| Inbound::text(&attacker.phone_number_id, &format!("165055500{number:02}"), "attack"));
        let batch = batch.collect();
        stage
            .meanwhile(name, async {
                assert!(stage.world.sim.receive_batch(batch).await.is_acknowledged());
                eventually("all are stopped", async || stage.runs(&attacker).await.len() == CONTACTS).await;
            })
            .await;
        for run in stage.runs(&attacker).await {
            assert!(["out-of-fuel", "deadline-exceeded"].contains(&run.result()), "{name}: {}", run.reason());
        }
    }
    stage.end().await;
}

/// A plugin that always fails is paused; what comes meanwhile waits and is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_in_a_row() {
    let stage = Stage::start_with(|builder| builder.set("FLOW_FAILURES_TO_PAUSE", "3")).await;
    let attacker = stage.attacker("trap-in-on-event", guest("trap-in-on-event")).await;
    stage
        .meanwhile("failures", async {
            for _ in 0..6 {
                stage.world.says(&attacker, CONTACT, "attack").await;
            }
            let path = format!("/tenants/{}/plugins/evil", attacker.id);
            eventually("it is paused", async || {
                let (_, answer) = stage.world.api.get(&path, &attacker.key).await;
                answer["plugin"]["pausedReason"].as_str().is_some_and(|reason| reason.contains("divide by zero"))
            })
            .await;
        })
        .await;
    // The pause is decided by the run, whose record is committed a moment later.
    eventually("three runs are on record", async || stage.runs(&attacker).await.len() == 3).await;
    let waiting =
        "select count(*) from lanes where tenant_id = any (select tenant_id from flow_runs where result <> 'done')";
    assert_eq!(stage.world.db.count(waiting).await, 1, "what came since waits");
    stage.end().await;
}

/// A version that cannot take over the states does not take over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("leaves-state", guest("leaves-state")).await;
    assert_eq!(stage.says(&attacker, "hello").await.result(), "done");
    for (name, words) in [("loop-in-migrate-state", ""), ("trap-in-migrate-state", "unreachable")] {
        let (status, answer) = stage.meanwhile(name, stage.put(&attacker, "?activate=true", guest(name))).await;
        assert_eq!((status, &answer["code"]), (409, &json!("migration_failed")), "{name}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{name}: {answer}");
        assert_eq!(stage.says(&attacker, "hello").await.result(), "done", "the version before goes on");
    }
    stage.end().await;
}
