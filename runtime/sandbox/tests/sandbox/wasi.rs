//! Guests that import WASI get a closed one: nothing outside the run, and the same for the same event.

use std::collections::BTreeSet;

use hoopoe_sandbox::contract::{Context, NextState};
use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Failure, Level, Limits, Run};

use crate::common::{DESCRIBE, OWNER, WIT, component_of, context, core, sandbox, text};

/// As much of WASI as the guests here use, in the words of its authors.
const WASI: [&str; 6] = [
    "package wasi:io@0.2.3;
    interface error { resource error; }
    interface poll {
        resource pollable { ready: func() -> bool; block: func(); }
        poll: func(in: list<borrow<pollable>>) -> list<u32>;
    }
    interface streams {
        use error.{error};
        use poll.{pollable};
        variant stream-error { last-operation-failed(error), closed }
        resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
        resource output-stream {
            check-write: func() -> result<u64, stream-error>;
            write: func(contents: list<u8>) -> result<_, stream-error>;
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
            subscribe: func() -> pollable;
        }
    }",
    "package wasi:cli@0.2.3;
    interface environment {
        get-environment: func() -> list<tuple<string, string>>;
        get-arguments: func() -> list<string>;
        initial-cwd: func() -> option<string>;
    }
    interface exit { exit: func(status: result); }
    interface stdin { use wasi:io/streams@0.2.3.{input-stream}; get-stdin: func() -> input-stream; }
    interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
    interface stderr { use wasi:io/streams@0.2.3.{output-stream}; get-stderr: func() -> output-stream; }",
    "package wasi:clocks@0.2.3;
    interface monotonic-clock {
        use wasi:io/poll@0.2.3.{pollable};
        now: func() -> u64;
        subscribe-duration: func(when: u64) -> pollable;
    }
    interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
    "package wasi:random@0.2.3;
    interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
    interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }",
    "package wasi:filesystem@0.2.3;
    interface types { resource descriptor { sync: func(); } }
    interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    }",
    "package wasi:sockets@0.2.3;
    interface network {
        resource network;
        enum error-code {
            unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict,
            not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use,
            remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large,
            name-unresolvable, temporary-resolver-failure, permanent-resolver-failure
        }
        enum ip-address-family { ipv4, ipv6 }
    }
    interface instance-network { use network.{network}; instance-network: func() -> network; }
    interface tcp { resource tcp-socket; }
    interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
    }
    interface ip-name-lookup {
        use network.{network, error-code};
        resource resolve-address-stream;
        resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
    }",
];

/// Interface, function, parameters and result of what the guests import.
const IMPORTS: [(&str, &str, &str); 20] = [
    ("wasi:io/poll", "[method]pollable.block", "(param i32)"),
    ("wasi:io/poll", "[method]pollable.ready", "(param i32) (result i32)"),
    ("wasi:io/poll", "poll", "(param i32 i32 i32)"),
    ("wasi:io/streams", "[method]input-stream.blocking-read", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"),
    ("wasi:cli/environment", "get-environment", "(param i32)"),
    ("wasi:cli/environment", "get-arguments", "(param i32)"),
    ("wasi:cli/exit", "exit", "(param i32)"),
    ("wasi:cli/stdin", "get-stdin", "(result i32)"),
    ("wasi:cli/stdout", "get-stdout", "(result i32)"),
    ("wasi:cli/stderr", "get-stderr", "(result i32)"),
    ("wasi:clocks/monotonic-clock", "now", "(result i64)"),
    ("wasi:clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)"),
    ("wasi:clocks/wall-clock", "now", "(param i32)"),
    ("wasi:random/random", "get-random-u64", "(result i64)"),
    ("wasi:random/random", "get-random-bytes", "(param i64 i32)"),
    ("wasi:random/insecure-seed", "insecure-seed", "(param i32)"),
    ("wasi:filesystem/preopens", "get-directories", "(param i32)"),
    ("wasi:sockets/instance-network", "instance-network", "(result i32)"),
    ("wasi:sockets/tcp-create-socket", "create-tcp-socket", "(param i32 i32)"),
];

/// A guest whose `on-event` has this body and leaves the 64 bytes at 3072 as state. Functions are called by the
/// last parts of their interface and name: `$stdout.get-stdout`.
fn guest(body: &str) -> Vec<u8> {
    let used: Vec<_> = IMPORTS.iter().filter(|(interface, name, _)| body.contains(&label(interface, name))).collect();
    let imports: String = used
        .iter()
        .map(|(interface, name, shape)| {
            format!("(import \"{interface}@0.2.3\" \"{name}\" (func {} {shape}))\n", label(interface, name))
        })
        .collect();
    let on_event = format!(
        "(local $h i32) {body}
        (i32.store8 (i32.const 2048) (i32.const 0))
        (i32.store (i32.const 2060) (i32.const 1))
        (i32.store (i32.const 2064) (i32.const 3072))
        (i32.store (i32.const 2068) (i32.const 64))
        (i32.const 2048)"
    );
    let data = r#"(data (i32.const 256) "hello\nyou") (data (i32.const 272) "oops\n")"#;
    let module =
        core(DESCRIBE, &on_event, &imports).replace("(data (i32.const 64)", &format!("{data} (data (i32.const 64)"));
    let interfaces: BTreeSet<&str> = used.iter().map(|(interface, ..)| *interface).collect();
    let world: String = interfaces.iter().map(|interface| format!("import {interface}@0.2.3;\n")).collect();
    let contract = WIT.replace("world flow {", &format!("world flow {{\n{world}"));
    let mut packages = WASI.to_vec();
    packages.push(&contract);
    component_of(&module, &packages, "flow")
}

fn label(interface: &str, name: &str) -> String {
    let last = |text: &str, at| text.rsplit(at).next().unwrap().to_owned();
    format!("${}.{}", last(interface, '/'), last(name, '.'))
}

async fn run(body: &str, context: &Context, limits: Limits) -> Run {
    sandbox(limits).load(&guest(body)).await.unwrap().on_event(OWNER, context.clone(), text("hi"), None).await
}

/// The state as eight numbers.
async fn numbers(body: &str, context: &Context) -> Vec<u64> {
    let outcome = run(body, context, Limits::default()).await.result.unwrap();
    let NextState::Replace(state) = outcome.state else { panic!("a state") };
    state.chunks(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap())).collect()
}

const CHANCE: &str = "
    (i64.store (i32.const 3072) (call $random.get-random-u64))
    (call $insecure-seed.insecure-seed (i32.const 3080))
    (call $random.get-random-bytes (i64.const 16) (i32.const 3064))
    (memory.copy (i32.const 3096) (i32.load (i32.const 3064)) (i32.const 16))";

#[tokio::test]
async fn chance_comes_from_the_seed() {
    let mut context = context();
    let one = numbers(CHANCE, &context).await;
    let two = numbers(CHANCE, &context).await;
    assert_eq!(one, two);
    // Five different numbers.
    let drawn: Vec<u64> = one[..5].to_vec();
    assert!(
        drawn.iter().enumerate().all(|(place, number)| *number != 0 && !drawn[..place].contains(number)),
        "{drawn:?}"
    );
    context.seed = 8;
    assert_ne!(numbers(CHANCE, &context).await, one);
}

#[tokio::test]
async fn the_clocks_show_the_event_and_sleep_takes_no_time() {
    let body = "
        (i64.store (i32.const 3072) (call $monotonic-clock.now))
        (call $wall-clock.now (i32.const 3080))
        (local.set $h (call $monotonic-clock.subscribe-duration (i64.const 1000000000000000)))
        (i32.store8 (i32.const 3096) (call $poll.ready (local.get $h)))
        (call $poll.block (local.get $h))
        (i32.store8 (i32.const 3104) (call $poll.ready (local.get $h)))
        (i64.store (i32.const 3112) (call $monotonic-clock.now))
        (i32.store (i32.const 3060) (local.get $h))
        (call $poll.poll (i32.const 3060) (i32.const 1) (i32.const 3064))
        (i32.store (i32.const 3120) (i32.load (i32.const 3068)))
        (call $wall-clock.now (i32.const 3128))";
    let mut context = context();
    context.now = 1_767_225_600_123;
    let numbers = numbers(body, &context).await;
    let now = 1_767_225_600_123_000_000;
    assert_eq!(numbers[..3], [now, 1_767_225_600, 123_000_000]);
    assert_eq!(numbers[3..], [0, 1, now + 1_000_000_000_000_000, 1, 1_767_225_600]);
}

#[tokio::test]
async fn what_is_printed_is_in_the_log() {
    let body = "
        (local.set $h (call $stdout.get-stdout))
        (call $streams.blocking-write-and-flush (local.get $h) (i32.const 256) (i32.const 8) (i32.const 3072))
        (call $streams.blocking-write-and-flush
            (call $stderr.get-stderr) (i32.const 272) (i32.const 5) (i32.const 3080))
        (call $streams.blocking-write-and-flush (local.get $h) (i32.const 264) (i32.const 1) (i32.const 3088))";
    let run = run(body, &context(), Limits::default()).await;
    assert!(run.result.is_ok(), "{:?}", run.result);
    let lines: Vec<_> = run.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(lines, [(Level::Info, "hello"), (Level::Warn, "oops"), (Level::Info, "you")]);
}

#[tokio::test]
async fn there_is_nothing_around_the_guest() {
    let body = "
        (call $environment.get-environment (i32.const 3072))
        (call $environment.get-arguments (i32.const 3080))
        (call $preopens.get-directories (i32.const 3088))
        (call $streams.blocking-read (call $stdin.get-stdin) (i64.const 100) (i32.const 3096))
        (call $tcp-create-socket.create-tcp-socket (i32.const 0) (i32.const 3112))
        (drop (call $instance-network.instance-network))";
    let numbers = numbers(body, &context()).await;
    // Lists: the second half is the length.
    let lengths: Vec<u64> = numbers[..3].iter().map(|list| list >> 32).collect();
    assert_eq!(lengths, [0, 0, 0]);
    // Results: an error, closed for the stream; an error, access denied for the socket.
    assert_eq!((numbers[3] & 0xff, numbers[3] >> 32 & 0xff), (1, 1));
    assert_eq!((numbers[5] & 0xff, numbers[5] >> 32 & 0xff), (1, 1));
}

#[tokio::test]
async fn who_takes_too_much_is_stopped() {
    let limits = Limits { fuel: 3_000_000, ..Limits::default() };
    let cases = [
        ("(loop $l (drop (call $stdin.get-stdin)) (br $l))", "handle-limit", "1000 handles"),
        (
            "(loop $l (call $streams.blocking-write-and-flush
                (call $stdout.get-stdout) (i32.const 0) (i32.const 60000) (i32.const 3072)) (br $l))",
            "out-of-fuel",
            "fuel",
        ),
        (
            "(loop $l (drop (call $monotonic-clock.subscribe-duration (i64.const 1))) (br $l))",
            "handle-limit",
            "handles",
        ),
        ("(call $random.get-random-bytes (i64.const 70000) (i32.const 3072))", "trap", "65536 are allowed"),
        (
            "(call $streams.blocking-write-and-flush
                (call $stdout.get-stdout) (i32.const 0) (i32.const 65537) (i32.const 3072))",
            "trap",
            "at once",
        ),
        ("(call $poll.poll (i32.const 0) (i32.const 0) (i32.const 3072))", "trap", "polls nothing"),
        ("(call $exit.exit (i32.const 1))", "panic", "it exited with failure"),
    ];
    for (body, code, words) in cases {
        let failure = run(body, &context(), limits.clone()).await.result.unwrap_err();
        assert_eq!(failure.code(), code, "{body}: {failure}");
        assert!(failure.to_string().contains(words), "{body}: {failure}");
    }
}

#[tokio::test]
async fn sleep_in_a_loop_meets_the_limits_of_any_loop() {
    let body = "
        (local.set $h (call $monotonic-clock.subscribe-duration (i64.const 1)))
        (loop $l (call $poll.block (local.get $h)) (br $l))";
    let failure = run(body, &context(), Limits { fuel: 1_000_000, ..Limits::default() }).await.result.unwrap_err();
    assert_eq!(failure, Failure::OutOfFuel { limit: 1_000_000 });
}

#[tokio::test]
async fn wasi_beyond_the_closed_one_is_refused_by_name() {
    for import in ["wasi:http/types@0.2.3", "wasi:cli/stdout@0.3.0", "wasi:keyvalue/store@0.2.0"] {
        let wat = format!(
            r#"(component (import "{import}" (instance)) (import "wasi:io/poll@0.2.0" (instance))
                (instance $i) (export "hoopoe:flow/handler@0.1.0" (instance $i)))"#
        );
        let error = sandbox(Limits::default()).load(&wat::parse_str(wat).unwrap()).await.unwrap_err();
        assert_eq!(error, Error::ForbiddenImport { names: vec![import.to_owned()] });
    }
}
