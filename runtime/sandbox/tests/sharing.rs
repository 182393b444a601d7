//! Plugins share threads and instances: one that computes for ever does not keep others from their turn.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{ENDLESS, component, context, replies, reply, test_guest, text};
use hoopoe_sandbox::{Failure, Limits, Sandbox, Settings};

/// All of it on one thread.
#[tokio::test(flavor = "current_thread")]
async fn other_plugins_go_on_while_one_loops() {
    let deadline = Duration::from_secs(2);
    let limits = Limits { fuel: ENDLESS, deadline, ..Limits::default() };
    let sandbox = Sandbox::new(Settings { limits, ..Settings::default() }).unwrap();
    let looping = sandbox.load(&component("test-guest")).await.unwrap();
    let other = sandbox.load(&component("auto-reply")).await.unwrap();

    let endless = tokio::spawn(async move { looping.on_event(&context(), &text("loop"), None).await });
    for _ in 0..20 {
        // Let the other have the thread first.
        tokio::task::yield_now().await;
        let run = other.on_event(&context(), &text("hi"), None).await;
        assert_eq!(replies(&run.result.unwrap()), ["thanks for reaching us\n- team Acme"]);
    }
    assert!(!endless.is_finished(), "twenty events were handled before the endless one met its deadline");
    assert_eq!(endless.await.unwrap().result, Err(Failure::DeadlineExceeded { limit: deadline }));
}

#[tokio::test(flavor = "current_thread")]
async fn who_finds_no_instance_is_told_and_a_dropped_run_gives_its_instance_back() {
    let limits = Limits { fuel: ENDLESS, deadline: Duration::from_secs(600), ..Limits::default() };
    let settings = Settings { max_instances: 1, wait: Duration::from_millis(1), limits, ..Settings::default() };
    let sandbox = Sandbox::new(settings).unwrap();
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();

    let looping = plugin.clone();
    let endless = tokio::spawn(async move { looping.on_event(&context(), &text("loop"), None).await });
    tokio::task::yield_now().await;
    let run = plugin.on_event(&context(), &text("echo x"), None).await;
    assert_eq!((run.result, run.fuel), (Err(Failure::Busy), 0));

    endless.abort();
    assert!(endless.await.unwrap_err().is_cancelled());
    assert_eq!(reply(&plugin, "echo x").await, "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_runs_than_instances_wait_for_their_turn() {
    let settings = Settings { max_instances: 2, ..Settings::default() };
    let plugin = Sandbox::new(settings).unwrap().load(&component("test-guest")).await.unwrap();
    let runs: Vec<_> = (0..50)
        .map(|n| {
            let plugin = plugin.clone();
            tokio::spawn(async move { reply(&plugin, &format!("echo {n}")).await })
        })
        .collect();
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(run.await.unwrap(), n.to_string());
    }
}

#[tokio::test]
async fn a_plugin_outlives_its_sandbox() {
    // The helper drops the sandbox: the clock that ends an endless run has to go on.
    let limits = Limits { fuel: ENDLESS, deadline: Duration::from_millis(20), ..Limits::default() };
    let plugin = test_guest(limits).await;
    let failure = plugin.on_event(&context(), &text("loop"), None).await.result.unwrap_err();
    assert_eq!(failure.code(), "deadline-exceeded");
}
