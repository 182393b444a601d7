//! Plugins that are taken, and attack when a message comes: each ends with the failure that names what it ran into, and
//! nothing of its outcome takes effect.

use hoopoe_hostile_guests::{flow, guest};

use crate::common::Stage;

/// The run fails with this code, and a reason that has these words.
async fn fail(cases: &[(&str, &str, &str)]) {
    let stage = Stage::start().await;
    for (name, code, words) in cases {
        let attacker = stage.attacker(name, guest(name)).await;
        let run = stage.meanwhile(name, stage.says(&attacker, "attack")).await;
        // On a slow machine time is over before the fuel is.
        let late = *code == "out-of-fuel" && run.result() == "deadline-exceeded";
        assert!(run.result() == *code || late, "{name}: {} {}", run.result(), run.reason());
        assert!(run.reason().contains(words) || late, "{name}: {}", run.reason());
        assert!(run.reason().len() < 8192, "{name}: a reason of {} bytes", run.reason().len());
        // Long runs yield to everything else on the machine.
        assert!(run.0["micros"].as_u64().unwrap() < 60_000_000, "{name}: {}", run.0);
        assert!(run.0["memoryBytes"].as_u64().unwrap() <= 64 << 20, "{name}: {}", run.0);
        assert_eq!(stage.heard(&attacker), [""; 0], "{name}");
        stage.detail(&attacker, &run).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_and_stack() {
    fail(&[
        ("endless-loop", "out-of-fuel", "fuel"),
        ("loop-in-realloc", "out-of-fuel", "fuel"),
        ("loop-in-post-return", "out-of-fuel", "fuel"),
        ("bulk-fill", "out-of-fuel", "fuel"),
        ("log-endless", "out-of-fuel", "fuel"),
        ("recursion", "stack-overflow", "stack"),
        ("recursion-through-table", "stack-overflow", "stack"),
        ("retry-for-ever", "retries-exhausted", "not yet"),
    ])
    .await;
}

/// Frames that are larger than what is left between the guest's stack and its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_frames() {
    let locals = 5_000;
    let kept: String =
        (0..locals).map(|n| format!("(local.set {} (i64.load (i32.const {})))\n", n + 1, n * 8)).collect();
    let used: String =
        (0..locals).map(|n| format!("(i64.store (i32.const {}) (local.get {}))\n", n * 8, n + 1)).collect();
    let attack = format!(
        "(func $deeper (param i32) {} {kept} (call $deeper (local.get 0)) {used})
         (func $on_event (param $event i32) (result i32) (call $deeper (i32.const 0)) (call $done))",
        "(local i64)".repeat(locals)
    );
    let stage = Stage::start().await;
    let attacker = stage.attacker("huge-frames", flow(&attack)).await;
    let run = stage.meanwhile("huge-frames", stage.says(&attacker, "attack")).await;
    assert_eq!(run.result(), "stack-overflow", "{}", run.reason());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_tables() {
    fail(&[
        ("memory-bomb", "memory-limit", "67108864 bytes"),
        ("memory-bomb-at-once", "memory-limit", "67108864 bytes"),
        ("table-bomb", "table-limit", "10000 table elements"),
        ("list-beyond-memory", "trap", "out of bounds"),
        ("list-that-wraps", "trap", "out of bounds"),
        ("list-within-memory", "output-limit", "output"),
        ("list-of-one-string", "output-limit", "output"),
        ("string-huge", "output-limit", "output"),
        ("string-beyond-memory", "trap", "out of bounds"),
        ("pointer-misaligned", "trap", "aligned"),
        ("pointer-beyond-memory", "trap", "out of bounds"),
        ("variant-unknown", "trap", "discriminant"),
        ("realloc-lies", "trap", "beyond end of memory"),
        ("realloc-calls-out", "trap", "leave"),
        ("state-flood", "output-limit", "state has 65537 bytes"),
        ("state-huge", "output-limit", "output"),
        ("log-huge", "output-limit", "output"),
        ("panic-huge", "output-limit", "output"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes() {
    fail(&[
        ("action-flood", "too-many-actions", "65"),
        ("string-long", "invalid-action", "4096"),
        ("string-as-key", "invalid-action", "idempotency-key"),
        ("nesting-of-json", "invalid-action", "actions[0]"),
        ("nesting-of-components", "invalid-action", "actions[0]"),
        ("utf8-in-reply", "trap", "utf-8"),
        ("utf8-in-log", "trap", "utf-8"),
        ("nul-in-reply", "invalid-action", "NUL"),
        ("nul-in-raw", "invalid-action", "NUL"),
        ("nul-in-key", "invalid-action", "NUL"),
        ("nul-in-cancel", "invalid-action", "NUL"),
        ("nul-in-tag", "invalid-action", "NUL"),
        ("nul-in-hand-off", "invalid-action", "NUL"),
        ("nul-in-template", "template", "no template"),
        ("nul-in-language", "template", ""),
        ("nul-in-timer", "invalid-action", "NUL"),
        ("nul-in-call", "invalid-action", "NUL"),
        ("nul-in-reason", "reject", "a\u{fffd}b"),
        ("nan-location", "invalid-action", "actions[0]"),
        ("timer-distant", "invalid-action", "schedule.due"),
        ("header-injection", "invalid-action", "header"),
        ("header-host", "invalid-action", "host"),
        ("header-flood", "invalid-action", "header"),
        ("secret-path", "invalid-action", "secret"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traps_and_panics() {
    fail(&[
        ("trap-in-on-event", "trap", "divide by zero"),
        ("trap-in-realloc", "trap", "unreachable"),
        ("trap-in-post-return", "trap", "unreachable"),
        ("panic-large", "panic", "panicked: xxxx"),
    ])
    .await;
}

/// What looks like an attack and harms nobody is carried out, cut to its limits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_that_are_cut() {
    let stage = Stage::start().await;
    for (name, reply, lines) in [
        ("log-flood", "answered", 101),
        ("log-terminal", "answered", 1),
        ("nul-in-state", "answered", 0),
        ("char-in-bool", "hello", 0),
    ] {
        let attacker = stage.attacker(name, guest(name)).await;
        let run = stage.meanwhile(name, stage.says(&attacker, "attack")).await;
        assert_eq!(run.result(), "done", "{name}: {}", run.reason());
        let detail = stage.detail(&attacker, &run).await;
        assert_eq!(detail["logs"].as_array().map_or(0, Vec::len), lines, "{name}: {detail}");
        stage.world.sim.wait_for_webhook_idle(hoopoe_testing::PATIENCE).await.unwrap();
        hoopoe_testing::eventually("the reply is sent", async || stage.heard(&attacker) == [reply]).await;
    }
    stage.end().await;
}

/// The same input, the same bytes: on every run, in every instance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nans_are_canonical() {
    let stage = Stage::start().await;
    let attacker = stage.attacker("nan-canonical", guest("nan-canonical")).await;
    let run = stage.meanwhile("nan-canonical", stage.says(&attacker, "attack")).await;
    assert_eq!(run.result(), "done", "{}", run.reason());
    let outcome = stage.detail(&attacker, &run).await["outcome"].to_string();
    let digest = run.0["digest"].as_str().unwrap();
    let mut again = Vec::new();
    for _ in 0..2 {
        let (status, answer) = stage.simulate(&attacker, digest).await;
        assert_eq!((status, answer["outcome"].to_string()), (200, outcome.clone()), "{answer}");
        again.push(answer["fuel"].clone());
    }
    assert_eq!(again[0], again[1], "and it costs the same");
    // Six doubles and two floats, all of them the canonical NaN: 0x7ff8000000000000 and 0x7fc00000.
    let double = "AAAAAAAA+H8AAAAAAAD4fwAAAAAAAPh/";
    assert!(outcome.contains(&format!("{double}{double}AADAfwAAwH8=")), "{}", outcome);
    stage.end().await;
}
