//! Plugins share threads and instances: one that computes for ever does not keep others from their turn.
//!
//! The loops of these tests end with the tests: what is answered meanwhile was not answered after them.

use std::time::Duration;

use hoopoe_sandbox::{Failure, Limits, Owner, Plugin, Run, Sandbox, Settings};
use tokio::task::{JoinHandle, JoinSet};

use crate::common::{ENDLESS, OWNER, component, context, replies, reply, test_guest, text};

const OTHER: Owner = Owner(2);
/// No test waits for so long, unless it fails.
const LONG: Duration = Duration::from_secs(600);

/// Where a guest that loops goes on for ever.
fn endless(settings: Settings) -> Sandbox {
    let limits = Limits { fuel: ENDLESS, deadline: LONG, ..Limits::default() };
    Sandbox::new(Settings { limits, ..settings }).unwrap()
}

fn start(plugin: &Plugin, owner: Owner, words: &str) -> JoinHandle<Run> {
    let (plugin, event) = (plugin.clone(), text(words));
    tokio::spawn(async move { plugin.on_event(owner, context(), event, None).await })
}

async fn say(plugin: &Plugin, owner: Owner, words: &str) -> Run {
    plugin.on_event(owner, context(), text(words), None).await
}

/// All of it on one thread.
#[tokio::test(flavor = "current_thread")]
async fn other_plugins_go_on_while_one_loops() {
    let sandbox = endless(Settings::default());
    let looping = sandbox.load(&component("test-guest")).await.unwrap();
    let other = sandbox.load(&component("auto-reply")).await.unwrap();

    let endless = start(&looping, OWNER, "loop");
    for owner in [OWNER, OTHER].repeat(10) {
        // Let the other have the thread first.
        tokio::task::yield_now().await;
        let run = say(&other, owner, "hi").await;
        assert_eq!(replies(&run.result.unwrap()), ["thanks for reaching us\n- team Acme"]);
    }
    assert!(!endless.is_finished());
    endless.abort();
}

/// Computes for some ticks.
const BURN: &str = "burn 30000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_loops_of_one_owner_leave_turns_and_instances_to_another() {
    let sandbox = endless(Settings { max_instances: 16, wait: LONG, ..Settings::default() });
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();
    let mut loops: JoinSet<Run> = JoinSet::new();
    for _ in 0..40 {
        let plugin = plugin.clone();
        loops.spawn(async move { say(&plugin, OWNER, "loop").await });
    }
    for number in 0..20 {
        let words = if number % 2 == 0 { "echo x" } else { BURN };
        assert!(say(&plugin, OTHER, words).await.result.is_ok(), "{words}");
    }
    assert!(loops.try_join_next().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_place_for_long_runs_is_taken_short_ones_go_on() {
    let wait = Duration::from_millis(50);
    let sandbox = endless(Settings { max_instances: 4, long_runs_per_owner: 1, wait, ..Settings::default() });
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();
    let loops: Vec<_> = (10..13)
        .map(|owner| {
            let plugin = plugin.clone();
            tokio::spawn(async move { while say(&plugin, Owner(owner), "loop").await.result == Err(Failure::Busy) {} })
        })
        .collect();
    // Three of the four instances may be in long runs. A fourth finds no place, however often it begins.
    while say(&plugin, OTHER, BURN).await.result != Err(Failure::Busy) {}
    assert_eq!(say(&plugin, OTHER, "loop").await.result, Err(Failure::Busy));
    for _ in 0..10 {
        assert!(say(&plugin, OTHER, "echo x").await.result.is_ok());
    }
    assert!(loops.iter().all(|run| !run.is_finished()));
    // An owner who has his waits for himself, others do not.
    loops[0].abort();
    while say(&plugin, OTHER, BURN).await.result == Err(Failure::Busy) {}
    assert_eq!(say(&plugin, Owner(11), "loop").await.result, Err(Failure::Busy));
    loops.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "current_thread")]
async fn who_finds_no_instance_is_told_and_a_dropped_run_gives_its_instance_back() {
    let sandbox = endless(Settings { max_instances: 1, wait: Duration::from_millis(1), ..Settings::default() });
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();

    let endless = start(&plugin, OWNER, "loop");
    tokio::task::yield_now().await;
    let run = say(&plugin, OWNER, "echo x").await;
    assert_eq!((run.result, run.fuel), (Err(Failure::Busy), 0));

    endless.abort();
    assert!(endless.await.unwrap_err().is_cancelled());
    // Its turn may still last until the next tick.
    let run = loop {
        let run = say(&plugin, OWNER, "echo x").await;
        if run.result != Err(Failure::Busy) {
            break run;
        }
    };
    assert_eq!(replies(&run.result.unwrap()), ["x"]);
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
async fn a_long_run_decides_what_a_short_one_does() {
    // The second begins twice: it becomes long while there is no place, and again when there is one.
    let sandbox = endless(Settings { max_instances: 2, wait: LONG, ..Settings::default() });
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();
    let alone = say(&plugin, OWNER, BURN).await;
    let endless = start(&plugin, OWNER, "loop");
    tokio::task::yield_now().await;
    let waiting = start(&plugin, OTHER, BURN);
    tokio::task::yield_now().await;
    endless.abort();
    let waited = waiting.await.unwrap();
    assert_eq!((alone.result, alone.fuel), (waited.result, waited.fuel));
}

#[tokio::test]
async fn a_plugin_outlives_its_sandbox() {
    // The helper drops the sandbox: the clock that ends an endless run has to go on.
    let limits = Limits { fuel: ENDLESS, deadline: Duration::from_millis(20), ..Limits::default() };
    let plugin = test_guest(limits).await;
    let failure = plugin.on_event(OWNER, context(), text("loop"), None).await.result.unwrap_err();
    assert_eq!(failure.code(), "deadline-exceeded");
}
