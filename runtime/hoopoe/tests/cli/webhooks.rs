//! `hoopoe webhooks` and `hoopoe alerts` against a real runtime, with a real endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use hoopoe_testing::{World, eventually};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::Developer;

/// An endpoint that takes whatever it is told: its URL, and how often it was told something.
async fn endpoint() -> (String, Arc<AtomicUsize>) {
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = posts.clone();
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::NO_CONTENT }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, posts)
}

#[tokio::test]
async fn a_webhook_is_added_changed_tried_told_once_more_and_removed() {
    let world = World::builder().set("HTTP_ALLOW_PRIVATE", "true").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    let (url, posts) = endpoint().await;
    let none = developer.works(&["webhooks"]).await;
    assert!(none.out.contains("there is none"), "{none:?}");

    let add = ["webhooks", "add", &url, "--types", "alert.*", "--description", "the shop", "--json"];
    let added = developer.works(&add).await.json();
    assert_eq!((&added["url"], &added["types"]), (&json!(url), &json!(["alert.*"])), "{added}");
    let (id, secret) = (added["id"].as_str().unwrap(), added["secret"].as_str().unwrap());
    assert_eq!(posts.load(Ordering::SeqCst), 0, "the command talks to the host, not to the endpoint");
    let listed = developer.works(&["webhooks"]).await;
    for part in [id, &url, "alert.*", "ok"] {
        assert!(listed.out.contains(part), "{part} is not in {listed:?}");
    }

    let change = ["webhooks", "update", id, "--types", "message.*,alert.*", "--enabled", "false"];
    let changed = developer.works(&change).await;
    for part in [&url, "alert.*,message.*", "disabled: switched off by the tenant"] {
        assert!(changed.out.contains(part), "{part} is not in {changed:?}");
    }
    assert_eq!(developer.run(&["webhooks", "update", id]).await.code, 2, "nothing changes");
    let refused = developer.run(&["webhooks", "test", id]).await;
    assert!(refused.code == 3 && refused.err.contains("enable it first"), "{refused:?}");
    developer.works(&["webhooks", "update", id, "--enabled", "true"]).await;

    let rotated = developer.works(&["webhooks", "rotate-secret", id, "--json"]).await.json();
    let new = rotated["secret"].as_str().unwrap();
    assert!(new.starts_with("whsec_") && new != secret, "{rotated}");
    let shown = developer.works(&["webhooks", "show", id]).await;
    for part in ["the shop", "former secret until", "ok"] {
        assert!(shown.out.contains(part), "{part} is not in {shown:?}");
    }

    let test = developer.works(&["webhooks", "test", id, "--json"]).await.json();
    let notice = test["id"].as_str().unwrap();
    eventually("the test is delivered", async || {
        let delivered = developer.works(&["webhooks", "deliveries", id, "--status", "delivered", "-n", "1"]).await;
        delivered.out.contains(notice) && delivered.out.contains("webhook.test")
    })
    .await;
    let failed = developer.works(&["webhooks", "deliveries", id, "--status", "failed"]).await;
    assert_eq!(failed.out.trim(), "there is none");
    let again = developer.works(&["webhooks", "redrive", id, notice]).await;
    assert_eq!(again.out.trim(), "1 notice is sent once more");
    eventually("it comes once more", async || posts.load(Ordering::SeqCst) == 2).await;
    let since = developer.works(&["webhooks", "redrive", id, "--since", "2026-01-01T00:00:00Z"]).await;
    assert_eq!(since.out.trim(), "0 notices are sent once more", "none has failed");
    assert_eq!(developer.run(&["webhooks", "redrive", id, "evt_0"]).await.code, 3);
    assert_eq!(developer.run(&["webhooks", "redrive", id]).await.code, 2);

    developer.works(&["webhooks", "remove", id]).await;
    assert!(developer.works(&["webhooks"]).await.out.contains("there is none"));
    assert_eq!(developer.run(&["webhooks", "show", id]).await.code, 3);
    world.end().await;
}

#[tokio::test]
async fn alerts_are_shown_and_set_one_by_one() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    let shown = developer.works(&["alerts"]).await;
    for part in ["dead-letters", "10 messages", "queue-age", "300 s", "ok"] {
        assert!(shown.out.contains(part), "{part} is not in {shown:?}");
    }
    let bounds = ["--threshold", "100", "--period", "600"];
    let set = [&["alerts", "set", "dead-letters", "--json"][..], &bounds].concat();
    let set = developer.works(&set).await.json();
    assert_eq!((&set["deadLetters"]["threshold"], &set["queueAge"]["threshold"]), (&json!(100), &json!(300)), "{set}");
    let shown = developer.works(&["alerts", "show"]).await;
    assert!(shown.out.contains("100 messages") && shown.out.contains("600 s"), "{shown:?}");
    let reset = developer.works(&["alerts", "set", "dead-letters"]).await;
    assert!(reset.out.contains("10 messages") && !reset.out.contains("600 s"), "{reset:?}");
    let refused = developer.run(&["alerts", "set", "queue-age", "--period", "0"]).await;
    assert!(refused.code == 3 && refused.err.contains("86400"), "{refused:?}");
    world.end().await;
}
