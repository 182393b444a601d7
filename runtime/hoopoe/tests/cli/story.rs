//! A version's life on a host, command by command.

use std::fs;

use hoopoe_testing::World;
use serde_json::json;

use crate::support::{CUSTOMER, Developer};

#[tokio::test]
async fn a_version_is_uploaded_tried_switched_to_watched_and_rolled_back() {
    let component = |name: &str| hoopoe_plugin_build::test_component(name).unwrap();
    let (first, second) = (component("auto-reply"), component("test-guest"));
    let world = World::builder().system_clock().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("first.wasm"), first).unwrap();
    fs::write(folder.path().join("second.wasm"), second).unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());

    let pushed = developer.works(&["push", "first.wasm", "-p", "bot", "--activate", "--json"]).await.json();
    assert_eq!((&pushed["new"], &pushed["activated"]), (&json!(true), &json!(true)), "{pushed}");
    let known = developer.works(&["push", "first.wasm", "-p", "bot", "--json"]).await.json();
    assert_eq!((&known["new"], &known["digest"]), (&json!(false), &pushed["digest"]), "{known}");
    let tried = developer.works(&["push", "second.wasm", "-p", "bot"]).await;
    assert!(tried.out.contains("switches over to it"), "{tried:?}");

    let event = r#"{"text": "log 2"}"#;
    let simulated = developer.works(&["simulate", event, "-p", "bot", "--json"]).await.json();
    assert_eq!(simulated["logs"].as_array().unwrap().len(), 2, "{simulated}");
    let rejected = developer.run(&["simulate", r#"{"text": "reject never"}"#, "-p", "bot"]).await;
    assert_eq!(rejected.code, 1, "{rejected:?}");
    assert!(rejected.err.contains("reject") && rejected.err.contains("never"), "{rejected:?}");
    assert_eq!(developer.hears("count").await, "thanks for reaching us\n- team Acme", "nothing has changed");

    let activated = developer.works(&["activate", "-p", "bot"]).await;
    assert!(activated.out.contains("is active"), "{activated:?}");
    assert_eq!(developer.hears("count").await, "1");
    assert_eq!(developer.hears("count").await, "2");
    let versions = developer.works(&["versions", "-p", "bot"]).await;
    assert!(versions.out.lines().any(|line| line.starts_with('*')), "{versions:?}");
    assert!(developer.works(&["versions", "--all"]).await.out.contains("bot"));

    world.idle().await;
    let runs = developer.works(&["runs", "--plugin", "test-guest", "--json"]).await.json();
    // Statuses are events too, and lead to nothing.
    let run = runs["runs"].as_array().unwrap().iter().find(|run| run["actions"] == 1).unwrap();
    let event = run["eventId"].to_string();
    let shown = developer.works(&["runs", &event]).await;
    assert!(shown.out.contains("send \"2\""), "{shown:?}");
    let replayed = developer.works(&["replay", "-p", "bot", "--event", &event]).await;
    assert!(replayed.out.contains("1 runs, 1 identical, 0 skipped"), "{replayed:?}");
    assert_eq!(developer.hears("log 2").await, "logged");
    let logs = developer.works(&["logs", "--plugin", "test-guest"]).await;
    assert!(logs.out.contains("info: line 0\n") && logs.out.contains("info: line 1\n"), "{logs:?}");

    let back = developer.works(&["rollback", "-p", "bot"]).await;
    assert!(back.out.contains("is active again"), "{back:?}");
    let off = developer.works(&["deactivate", "-p", "bot"]).await;
    assert!(off.out.contains("auto-reply"), "{off:?}");
    assert_eq!(developer.run(&["resume", "-p", "bot"]).await.code, 3, "it was not paused");
    assert_eq!(world.sim.times(CUSTOMER, "2"), 1);
    world.end().await;
}

#[tokio::test]
async fn configuration_hosts_and_secrets_are_set() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.wasm");
    fs::write(&path, hoopoe_plugin_build::test_component("auto-reply").unwrap()).unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    developer.works(&["push", "bot.wasm"]).await;

    developer.works(&["config", "-p", "bot", r#"{"greeting": "Hello"}"#]).await;
    assert_eq!(developer.works(&["config", "-p", "bot"]).await.json(), json!({ "greeting": "Hello" }));
    assert_eq!(developer.run(&["config", "-p", "bot", "[1]"]).await.code, 2);

    developer.works(&["hosts", "add", "b.example.com", "a.example.com", "-p", "bot"]).await;
    developer.works(&["hosts", "remove", "b.example.com", "-p", "bot"]).await;
    assert_eq!(developer.works(&["hosts", "list", "-p", "bot"]).await.out, "a.example.com\n");
    let refused = developer.run(&["hosts", "set", "https://x/", "-p", "bot"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");

    let set = developer.run_with(&["secret", "set", "API_KEY", "-p", "bot"], "s3cret\n").await;
    assert_eq!((set.code, set.out.as_str()), (0, "API_KEY is set\n"), "{set:?}");
    let listed = developer.works(&["secret", "list", "-p", "bot"]).await;
    assert_eq!(listed.out, "API_KEY\n");
    developer.works(&["secret", "rm", "API_KEY", "-p", "bot"]).await;
    assert_eq!(developer.run(&["secret", "rm", "API_KEY", "-p", "bot"]).await.code, 3);
    assert_eq!(developer.run(&["secret", "set", "API_KEY", "-p", "bot"]).await.code, 2, "no value");
    world.end().await;
}
