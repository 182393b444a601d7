//! Plugins are compiled by a process with limits; each limit ends it, and the reason is named.

use std::time::{Duration, Instant};

use hoopoe_sandbox::compile::{CompileLimits, Compiler, Exceeded, Process};
use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Sandbox, Settings};

use crate::common::{DESCRIBE, WIT, component, core, embed, encode, guest, reply};

fn process(limits: CompileLimits) -> Process {
    Process { limits, ..Process::new(env!("CARGO_BIN_EXE_hoopoe-compile-plugin"), [""; 0]) }
}

fn shell(script: &str) -> Process {
    Process::new("/bin/sh", ["-c", script])
}

fn sandbox(process: Process) -> Sandbox {
    Sandbox::new(Settings { max_instances: 4, compiler: Compiler::Process(process), ..Settings::default() }).unwrap()
}

async fn refused(process: Process, bytes: &[u8]) -> Error {
    sandbox(process).inspect(bytes).await.expect_err("it does not get through")
}

/// A plugin with one function of this many additions, which the compiler cannot fold.
fn huge_function(additions: usize) -> Vec<u8> {
    let body = "(global.set $next (i32.add (global.get $next) (i32.load (global.get $next))))".repeat(additions);
    encode(&core(DESCRIBE, &format!("{body} unreachable"), ""), WIT)
}

#[tokio::test]
async fn what_another_process_compiled_runs_here() {
    let sandbox = sandbox(process(CompileLimits::default()));
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();
    assert_eq!(reply(&plugin, "echo from afar").await, "from afar");
    let module = embed(&core(DESCRIBE, "unreachable", ""), &[WIT], "flow");
    let found = sandbox.inspect(&module).await.unwrap();
    assert_eq!(found.component, encode(&core(DESCRIBE, "unreachable", ""), WIT));
}

#[tokio::test]
async fn what_is_wrong_with_a_plugin_is_told_through_the_process() {
    let mut cut = component("auto-reply");
    cut.truncate(5000);
    let error = refused(process(CompileLimits::default()), &cut).await;
    assert!(matches!(&error, Error::Compile(_)) && error.to_string().contains("out of bounds"), "{error}");
    let error = refused(process(CompileLimits::default()), &wat::parse_str("(module)").unwrap()).await;
    assert!(matches!(error, Error::Componentize(_)), "{error}");
}

#[tokio::test]
async fn each_limit_of_the_process_is_named() {
    let default = CompileLimits::default();
    let (second, tiny) = (Duration::from_secs(1), Duration::from_millis(1));
    let small = guest(DESCRIBE, "unreachable");
    let huge = huge_function(150_000);
    let memory = 96 << 20;
    let cases = [
        (CompileLimits { memory_bytes: memory, ..default }, &huge, Exceeded::Memory(memory), "96 MiB of memory"),
        (CompileLimits { cpu: second, ..default }, &huge, Exceeded::Cpu(second), "1s of processor time"),
        (CompileLimits { wall: tiny, ..default }, &small, Exceeded::Wall(tiny), "1ms"),
        (CompileLimits { output_bytes: 1000, ..default }, &small, Exceeded::Output(1000), "1000 bytes"),
    ];
    for (limits, bytes, exceeded, words) in cases {
        let error = refused(process(limits), bytes).await;
        assert_eq!(error, Error::CompileLimit(exceeded), "{error}");
        assert!(error.to_string().contains(words) && !error.is_ours(), "{error}");
    }
}

#[tokio::test]
async fn a_process_that_hangs_is_killed_in_time() {
    let wall = Duration::from_millis(200);
    let limits = CompileLimits { wall, ..CompileLimits::default() };
    let start = Instant::now();
    let error = refused(Process { limits, ..shell("exec sleep 600") }, &guest(DESCRIBE, "unreachable")).await;
    assert_eq!(error, Error::CompileLimit(Exceeded::Wall(wall)));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_process_that_breaks_is_named_by_how() {
    let plugin = guest(DESCRIBE, "unreachable");
    let crash = refused(shell("echo it hurts >&2; kill -SEGV $$"), &plugin).await;
    assert_eq!(crash, Error::CompilerCrashed("SIGSEGV: it hurts".into()));
    let cases = [
        (Process::new("/no/such/program", [""; 0]), "/no/such/program"),
        (shell("echo no such command >&2; exit 2"), "no such command"),
        (shell("exit 0"), "not whole"),
        // The question as an answer: whole, long enough, and without the tag.
        (shell("exec cat"), "not whole"),
    ];
    for (process, words) in cases {
        let error = refused(process, &plugin).await;
        assert!(matches!(&error, Error::Compiler(_)) && error.is_ours(), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn the_process_has_no_environment_and_no_folder() {
    let error = refused(
        shell("echo \"[$HOME$PATH$CARGO_MANIFEST_DIR] in [$PWD]\" >&2; env >&2; exit 1"),
        &guest(DESCRIBE, "unreachable"),
    )
    .await;
    let text = error.to_string();
    assert!(text.contains("] in [/]"), "{text}");
    for name in ["CARGO", "HOME=", "DATABASE_URL", "MASTER_KEY"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
}

#[tokio::test]
async fn the_child_refuses_what_is_no_question() {
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_hoopoe-compile-plugin"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!child.status.success() && child.stdout.is_empty());
    assert!(String::from_utf8_lossy(&child.stderr).contains("the runtime's own use"));
}

#[tokio::test]
async fn trusted_plugins_need_no_process() {
    let sandbox = sandbox(Process::new("/no/such/program", [""; 0]));
    let plugin = sandbox.load_trusted(&component("test-guest")).await.unwrap();
    assert_eq!(reply(&plugin, "echo here").await, "here");
}

/// While as many uploads are compiled as may be, one that is to run finds a place.
#[tokio::test]
async fn uploads_leave_room_for_plugins_that_are_to_run() {
    let limits = CompileLimits { wall: Duration::from_secs(5), ..CompileLimits::default() };
    let sandbox = sandbox(Process { limits, ..shell("exec sleep 600") });
    let uploads: Vec<_> = (0..3)
        .map(|n| {
            let sandbox = sandbox.clone();
            let upload = encode(&core(DESCRIBE, &format!("(i32.const {n}) unreachable"), ""), WIT);
            tokio::spawn(async move { sandbox.inspect(&upload).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    let start = Instant::now();
    // It meets its own limit, without a wait for theirs.
    let error = sandbox.load(&guest(DESCRIBE, "unreachable")).await.unwrap_err();
    assert!(matches!(error, Error::CompileLimit(Exceeded::Wall(_))));
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    uploads.iter().for_each(|upload| upload.abort());
}
