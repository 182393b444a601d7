//! What a signup is given and gets in secret stays so, whatever Meta answers.

use hoopoe_testing::APP_SECRET;
use meta_sim::Fault;
use serde_json::json;

use crate::signup::{builder, dialog, request, sign_up};

#[tokio::test]
async fn a_token_that_cannot_be_read_is_not_quoted() {
    // In Meta's place one whose answer was cut.
    let cut = axum::Router::new().fallback(|| async { r#"{"access_token":"EAA-business-token"# });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, cut).await });
    let world = builder().roles("api").set("GRAPH_BASE_URL", &address).start().await;
    let (status, answer) = sign_up(&world, &request("code-1", json!({}))).await;
    assert_eq!((status, &answer["details"]["step"]), (503, &"exchange_code".into()), "{answer}");
    assert!(!answer.to_string().contains("EAA-business"), "{answer}");
    world.end().await;
}

#[tokio::test]
async fn a_secret_that_meta_repeats_is_not_passed_on() {
    let world = builder().roles("api").start().await;
    dialog(&world, "code-1-of-the-dialog", "EAA-business-token");
    let body = request("code-1-of-the-dialog", json!({}));
    for (call, secret) in [
        ("oauth", "code-1-of-the-dialog"),
        ("oauth", APP_SECRET),
        ("debug_token", "EAA-business-token"),
        ("debug_token", APP_SECRET),
        ("phone_numbers", "EAA-business-token"),
        ("register", "EAA-business-token"),
    ] {
        let fault = Fault::GraphError { http_status: 503, code: 2, title: format!("What is {secret}?") };
        world.sim.fail_call(call, fault, 1);
        let (_, answer) = sign_up(&world, &body).await;
        assert_eq!(answer["code"], "signup_failed", "{call}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("What is [token]?"), "{call}: {answer}");
    }
    world.end().await;
}
