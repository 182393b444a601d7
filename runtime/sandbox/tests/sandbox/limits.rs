//! A guest that exceeds a limit is stopped with a failure that names it, and the plugin goes on working.

use std::time::Duration;

use hoopoe_sandbox::{Failure, Limits};

use crate::common::{DESCRIBE, ENDLESS, OWNER, context, guest, reply, sandbox, test_guest, text};

#[tokio::test]
async fn each_limit_stops_the_guest_and_names_itself() {
    let default = Limits::default;
    let deadline = Duration::from_millis(30);
    let output = |what, size, limit| Failure::OutputLimit { what, size, limit };
    let cases = [
        ("loop", Limits { fuel: 1_000_000, ..default() }, Failure::OutOfFuel { limit: 1_000_000 }, "out-of-fuel"),
        (
            "loop",
            Limits { fuel: ENDLESS, deadline, ..default() },
            Failure::DeadlineExceeded { limit: deadline },
            "deadline-exceeded",
        ),
        (
            "memory",
            Limits { memory_bytes: 4 << 20, ..default() },
            Failure::MemoryLimit { limit: 4 << 20 },
            "memory-limit",
        ),
        ("recurse", default(), Failure::StackOverflow, "stack-overflow"),
        ("big-output 2000000", default(), output("output", (1 << 20) + 1, 1 << 20), "output-limit"),
        ("big-state 70000", default(), output("state", 70_024, 64 << 10), "output-limit"),
        ("actions 65", default(), Failure::TooManyActions { count: 65, limit: 64 }, "too-many-actions"),
    ];
    for (words, limits, expected, code) in cases {
        let plugin = test_guest(limits).await;
        let run = plugin.on_event(OWNER, context(), text(words), None).await;
        assert_eq!(run.result, Err(expected), "{words}");
        assert_eq!(run.result.unwrap_err().code(), code);
        assert_eq!(reply(&plugin, "echo still here").await, "still here", "after {words}");
    }
}

#[tokio::test]
async fn what_is_within_the_limits_passes() {
    let plugin = test_guest(Limits::default()).await;
    for words in ["big-output 1000000", "big-state 65000", "actions 64", "burn 1000000"] {
        let run = plugin.on_event(OWNER, context(), text(words), None).await;
        assert!(run.result.is_ok(), "{words}: {:?}", run.result);
    }
}

#[tokio::test]
async fn a_flood_of_logs_is_cut_and_the_run_goes_on() {
    let plugin = test_guest(Limits { log_lines: 100, ..Limits::default() }).await;
    let run = plugin.on_event(OWNER, context(), text("log 10000"), None).await;
    assert!(run.result.is_ok());
    assert_eq!((run.logs.len(), run.logs_cut), (100, true));
    assert_eq!(run.logs[99].message, "line 99");
}

#[tokio::test]
async fn the_peak_of_memory_is_told_and_never_above_the_limit() {
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let plugin = test_guest(limits).await;
    let small = plugin.on_event(OWNER, context(), text("echo x"), None).await.memory_bytes;
    let large = plugin.on_event(OWNER, context(), text("memory"), None).await.memory_bytes;
    assert!(small < large && large <= 8 << 20, "{small} {large}");
}

/// Guests that no compiler makes.
#[tokio::test]
async fn hand_written_guests_are_contained_too() {
    let grow_table = "(loop $again
        (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
        unreachable";
    let out_of_bounds = "(i32.load (i32.const -4))";
    // An outcome with a list of 2^27 actions at address 16.
    let huge_list = "(i32.store (i32.const 2048) (i32.const 0))
        (i32.store (i32.const 2052) (i32.const 16))
        (i32.store (i32.const 2056) (i32.const 0x8000000))
        (i32.const 2048)";
    let cases = [
        (grow_table, "table-limit", "table elements"),
        ("unreachable", "trap", "unreachable"),
        (out_of_bounds, "trap", "out of bounds"),
        ("(call $recurse (i32.const 0))", "stack-overflow", "stack overflowed"),
        (huge_list, "trap", "out of bounds"),
        ("(i32.const 3)", "trap", "aligned"),
    ];
    let sandbox = sandbox(Limits::default());
    for (body, code, words) in cases {
        let plugin = sandbox.load(&guest(DESCRIBE, body)).await.unwrap();
        let failure = plugin.on_event(OWNER, context(), text("hi"), None).await.result.unwrap_err();
        assert_eq!(failure.code(), code, "{body}: {failure}");
        assert!(failure.to_string().contains(words), "{body}: {failure}");
    }
}
