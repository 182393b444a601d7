//! A flow's HTTP call: made once after the commit, with its secret, and its answer comes back as an event.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use hoopoe_testing::{Tenant, World};
use serde_json::json;
use tokio::net::TcpListener;

const CONTACT: &str = "16505551234";

/// A service of the tenant's, and the secrets that it was shown.
async fn service() -> (String, Arc<Mutex<Vec<String>>>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = shown.clone();
    let answer = move |headers: HeaderMap| async move {
        seen.lock().unwrap().push(headers["x-key"].to_str().unwrap().to_owned());
        "it is on its way"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/order", get(answer))).await });
    (address.to_string(), shown)
}

async fn start(private: &str, host: &str) -> (World, Tenant) {
    let world = World::builder().set("HTTP_ALLOW_PRIVATE", private).start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.api.upload(&tenant, "bot", hoopoe_plugin_build::test_component("test-guest").unwrap()).await;
    world.api.plugin(&tenant, "bot", "activate", &json!({})).await;
    let path = format!("/tenants/{}/plugins/bot", tenant.id);
    let (status, answer) = world.api.put(&format!("{path}/hosts"), &tenant.key, &json!({ "hosts": [host] })).await;
    assert_eq!(status, 200, "{answer}");
    let secret = json!({ "value": "s3cret" });
    let (status, answer) = world.api.put(&format!("{path}/secrets/KEY"), &tenant.key, &secret).await;
    assert!(status == 200 || status == 204, "{status} {answer}");
    (world, tenant)
}

#[tokio::test]
async fn the_answer_comes_back_as_an_event_and_the_secret_only_goes_out() {
    let (address, shown) = service().await;
    let (world, tenant) = start("true", &address).await;
    world.says(&tenant, CONTACT, &format!("http http://{address}/order")).await;
    world.idle().await;
    hoopoe_testing::eventually("the answer is told", async || !world.heard(CONTACT).is_empty()).await;
    assert_eq!(world.heard(CONTACT), ["200 it is on its way"]);
    assert_eq!(*shown.lock().unwrap(), ["s3cret"]);
    let kept: String = sqlx::query_scalar(
        "select string_agg(concat(e.raw::text, r.context::text, r.outcome::text, r.logs::text), '')
         from events e join flow_runs r on r.tenant_id = e.tenant_id and r.event_id = e.id",
    )
    .fetch_one(&world.db.pool)
    .await
    .unwrap();
    assert!(kept.contains("{{secret:KEY}}") && !kept.contains("s3cret"), "{kept}");
    world.end().await;
}

#[tokio::test]
async fn addresses_behind_the_host_and_other_hosts_are_refused_with_a_reason() {
    let (address, shown) = service().await;
    let (world, tenant) = start("false", "shop.example.com").await;
    for url in [
        "https://169.254.169.254/latest/meta-data/",
        &format!("https://{address}/order"),
        "https://elsewhere.example.org/",
    ] {
        world.says(&tenant, CONTACT, &format!("http {url}")).await;
    }
    hoopoe_testing::eventually("all are answered", async || world.heard(CONTACT).len() == 3).await;
    for told in world.heard(CONTACT) {
        assert!(told.starts_with("no answer: refused"), "{told}");
    }
    assert!(shown.lock().unwrap().is_empty());
    world.end().await;
}
