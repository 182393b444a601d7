//! What one run, one plugin or one tenant must not learn of another, or take from it.

use hoopoe_hostile_guests::guest;
use hoopoe_testing::{Tenant, eventually};
use meta_sim::Inbound;
use serde_json::json;

use crate::common::{CONTACT, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_left_dirty() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("dirty", guest("dirty")).await;
    for times in 1..=5 {
        let run = stage.meanwhile("dirty", stage.says(&attacker, "attack")).await;
        assert_eq!(run.result(), "done", "{}", run.reason());
        eventually("each run finds all as new", async || stage.heard(&attacker) == vec!["1111"; times]).await;
    }
    stage.end().await;
}

/// The pool gives the same memory to one guest after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_of_another_tenant() {
    let stage = Stage::start().await;
    let careless = stage.attacker("leaves-secret", guest("leaves-secret")).await;
    let attacker = stage.attacker("reads-residue", guest("reads-residue")).await;
    for times in 1..=3 {
        assert_eq!(stage.says(&careless, "fill").await.result(), "done");
        let run = stage.meanwhile("reads-residue", stage.says(&attacker, "attack")).await;
        assert_eq!(run.result(), "done", "{}", run.reason());
        eventually("nothing is found", async || stage.heard(&attacker) == vec!["clean"; times]).await;
    }
    stage.end().await;
}

async fn set(stage: &Stage, tenant: &Tenant, plugin: &str, what: &str, body: serde_json::Value) {
    let path = format!("/tenants/{}/plugins/{plugin}/{what}", tenant.id);
    let (status, answer) = stage.world.api.put(&path, &tenant.key, &body).await;
    assert!(status == 200 || status == 204, "{what}: {status} {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_others() {
    let stage = Stage::start().await;
    let owner = stage.attacker("owner", guest("steals-secret")).await;
    let attacker = stage.attacker("steals-secret", guest("steals-secret")).await;
    set(&stage, &owner, "evil", "secrets/VAULT", json!({ "value": "s3cret" })).await;
    set(&stage, &attacker, "evil", "hosts", json!({ "hosts": ["shop.example.com"] })).await;
    // A plugin of the same tenant has the secret, under the same name: it is not this plugin's.
    stage.world.api.upload(&attacker, "vault", guest("answers-one")).await;
    set(&stage, &attacker, "vault", "secrets/VAULT", json!({ "value": "0ther" })).await;
    let run = stage.meanwhile("steals-secret", stage.says(&attacker, "attack")).await;
    assert_eq!(run.result(), "done", "{}", run.reason());
    let expected = "secret: the plugin has no secret VAULT";
    stage.meanwhile("steals-secret", eventually("it is told", async || stage.heard(&attacker) == [expected])).await;

    // The other tenant's key does not open the owner's doors, and a secret is told to nobody.
    for what in ["plugins/evil", "plugins/evil/secrets/VAULT", "runs", "conversations"] {
        let (status, answer) = stage.world.api.get(&format!("/tenants/{}/{what}", owner.id), &attacker.key).await;
        assert!(status == 404 || status == 405, "{what}: {status} {answer}");
    }
    let (_, own) = stage.world.api.get(&format!("/tenants/{}/plugins/evil", owner.id), &owner.key).await;
    assert!(!own.to_string().contains("s3cret"), "{own}");
    stage.end().await;
}

/// A digest is no key: who knows it cannot run what somebody else uploaded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_of_another_tenant() {
    let stage = Stage::start().await;
    let owner = stage.tenant().await;
    let digest = stage.world.api.upload(&owner, "evil", guest("answers-one")).await;
    let attacker = stage.attacker("stolen-version", guest("answers-two")).await;
    for (tenant, key) in [(&attacker, &attacker.key), (&owner, &attacker.key)] {
        let path = format!("/tenants/{}/plugins/evil", tenant.id);
        for (action, body) in [
            ("activate", json!({ "digest": digest })),
            ("simulate", json!({ "digest": digest, "event": { "text": "hello" } })),
        ] {
            let (status, answer) = stage.world.api.post(&format!("{path}/{action}"), key, &body).await;
            assert_eq!(status, 404, "{action}: {answer}");
        }
        let (status, _) = stage.world.api.get(&format!("{path}/versions/{digest}"), key).await;
        assert_eq!(status, 404);
    }
    stage.end().await;
}

/// A used key keeps an answer from being sent: of the tenant that used it, and of no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_keys_of_others() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("key-squatting", guest("key-squatting")).await;
    let victim = stage.tenant().await;
    let message = "wamid.foreseen";
    let run = stage.meanwhile("key-squatting", stage.says(&attacker, &format!("auto-reply:{message}"))).await;
    assert_eq!(run.result(), "done", "{}", run.reason());
    let inbound = Inbound::text(&victim.phone_number_id, CONTACT, "hello").id(message);
    assert!(stage.world.sim.receive(inbound).await.is_acknowledged());
    let expected = format!("thanks for reaching us\n- team {}", victim.name);
    eventually("the victim's answer is sent", async || stage.heard(&victim) == [expected.as_str()]).await;
    assert_eq!(stage.heard(&attacker), ["mine"]);
    stage.end().await;
}
