//! Many bombs at once: the compiler is shared between tenants, not taken by the one who uploads most.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hoopoe_hostile_guests::{bombs, guest};
use hoopoe_testing::Tenant;
use reqwest::{Method, Response};

use crate::common::Stage;

/// At once: one is compiled, four wait, and the rest is refused.
const BOMBS: u32 = 9;

async fn put(stage: &Stage, tenant: &Tenant, plugin: Vec<u8>) -> Response {
    let path = format!("/tenants/{}/plugins/evil", tenant.id);
    let request = stage.world.api.request(Method::PUT, &path, &tenant.key).header("content-type", "application/wasm");
    request.timeout(Duration::from_secs(200)).body(plugin).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_uploads_while_another_uploads_bombs() {
    let stage = Stage::start().await;
    let (attacker, other) = (stage.tenant().await, stage.tenant().await);
    // How many bombs had their whole time when the other's plugin was taken.
    let (stopped, before) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let bomb = |number: u32| {
        let (stage, attacker, stopped) = (&stage, &attacker, &stopped);
        async move {
            let answer = put(stage, attacker, bombs::joins(2_000, 2_000 + number)).await;
            let (status, again) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
            let answer: serde_json::Value = answer.json().await.unwrap();
            match (status, answer["code"].as_str().unwrap_or_default()) {
                (429, "too_many_uploads") => assert!(again.is_some_and(|after| after == "10"), "{answer}"),
                (400, "plugin_refused") => {
                    stopped.fetch_add(1, Ordering::SeqCst);
                }
                _ => panic!("{status}: {answer}"),
            }
        }
    };
    let bombs = join_all((0..BOMBS).map(bomb));
    let uploaded = async {
        let answer = put(&stage, &other, guest("answers-one")).await;
        before.store(stopped.load(Ordering::SeqCst), Ordering::SeqCst);
        assert_eq!(answer.status(), 201);
    };
    stage.meanwhile("bombs", async { tokio::join!(bombs, uploaded) }).await;
    let (stopped, before) = (stopped.into_inner(), before.into_inner());
    println!("{stopped} of {BOMBS} bombs were compiled, {before} before the other's plugin");
    assert!((5..BOMBS as usize).contains(&stopped), "{stopped} of {BOMBS} bombs were compiled");
    assert!(before < stopped, "the other's plugin came after all bombs");
    stage.end().await;
}
