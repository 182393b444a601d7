//! Calls to where no plugin may call, however the address is written.

use hoopoe_hostile_guests::guest;
use hoopoe_testing::{Tenant, eventually};
use serde_json::json;
use tokio::net::TcpListener;

use crate::common::{Stage, chain_is_stopped};

async fn caller(stage: &Stage, hosts: &[&str]) -> Tenant {
    let attacker = stage.attacker("http", guest("http")).await;
    let path = format!("/tenants/{}/plugins/evil/hosts", attacker.id);
    let (status, answer) = stage.world.api.put(&path, &attacker.key, &json!({ "hosts": hosts })).await;
    assert_eq!(status, 200, "{answer}");
    attacker
}

/// The last thing that the attacker's contact heard, after this many.
async fn told(stage: &Stage, attacker: &Tenant, url: &str, count: usize) -> String {
    stage.says(attacker, url).await;
    eventually("the call has come to its end", async || stage.heard(attacker).len() == count).await;
    stage.heard(attacker).pop().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_in_disguise() {
    let stage = Stage::start().await;
    let attacker = caller(&stage, &["shop.example.com"]).await;
    let urls = [
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/latest/meta-data/",
        "https://0xa9fea9fe/",
        "https://0xa9.254.0xa9fe/",
        "https://0251.0376.0251.0376/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://\u{ff11}\u{ff16}\u{ff19}.254.169.254/",
        "https://169\u{3002}254\u{3002}169\u{3002}254/",
        "https://metadata.google.internal/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::]/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://shop.example.com.evil.example.org/",
        "https://shop.example.com:8443/",
        "https://evil.example.org#shop.example.com",
        "https://evil.example.org\\.shop.example.com/",
    ];
    for (done, url) in urls.into_iter().enumerate() {
        let answer = stage.meanwhile(url, told(&stage, &attacker, url, done + 1)).await;
        assert!(answer.starts_with("refused: "), "{url}: {answer}");
    }
    stage.end().await;
}

/// What is no https URL of a host fails the run: nothing is called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_none() {
    let stage = Stage::start().await;
    let attacker = caller(&stage, &["shop.example.com"]).await;
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1:5432/_",
        "https://shop.example.com@169.254.169.254/",
        "https://user:password@shop.example.com/",
        "//169.254.169.254/",
        "https://",
        "https://256.256.256.256/",
        "https://[::ffff:169.254.169.254",
        "javascript:alert(1)",
    ] {
        let run = stage.meanwhile(url, stage.says(&attacker, url)).await;
        let refused = run.result() == "invalid-action";
        assert!(refused, "{url}: {} {}", run.result(), run.reason());
    }
    assert_eq!(stage.heard(&attacker), [""; 0]);
    stage.end().await;
}

/// A name of the plugin's list that leads to this machine: what rebinding comes to. The resolver sees the address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_inside() {
    // Somebody listens there: a connection would be noticed.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stage = Stage::start().await;
    let attacker = caller(&stage, &["localhost"]).await;
    let answer = stage.meanwhile("localhost", told(&stage, &attacker, "https://localhost/", 1)).await;
    assert!(answer.starts_with("refused: ") && answer.contains("loopback"), "{answer}");
    let answer = told(&stage, &attacker, &format!("https://LOCALHOST.:{port}/"), 2).await;
    assert!(answer.starts_with("refused: "), "{answer}");
    let accepted = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(accepted.is_err(), "somebody has connected");
    stage.end().await;
}

/// A flow that answers each call with the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_end() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("call-chain", guest("call-chain")).await;
    stage
        .meanwhile("call-chain", async {
            stage.says(&attacker, "attack").await;
            chain_is_stopped(&stage, &attacker).await;
        })
        .await;
    let path = format!("/tenants/{}/plugins/evil/deactivate", attacker.id);
    let (status, answer) = stage.world.api.post(&path, &attacker.key, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    stage.world.db.idle().await;
    stage.end().await;
}
