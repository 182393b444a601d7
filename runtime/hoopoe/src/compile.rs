//! The process that compiles plugins: this binary again, with a hidden subcommand.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use hoopoe_sandbox::compile::{self, CompileLimits, Process};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "compile-plugin";

/// The allocator takes addresses a gibibyte at a time, which is all that this process may have. In steps of its
/// smallest arena, in KiB, it takes what it needs.
const ALLOCATOR: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "32768");

/// Threads that compile one plugin, where the machine has as many processors.
const MOST_THREADS: usize = 4;

/// The process' main function. It takes no configuration.
pub fn child() -> ExitCode {
    compile::child()
}

/// How the binary `hoopoe` starts itself to compile a plugin. Nothing for other programs, such as tests, which do
/// not have the subcommand.
pub fn process(limits: CompileLimits, concurrency: usize) -> Process {
    // Where the system has it, not the path: after an upgrade another version lies there.
    let itself = PathBuf::from("/proc/self/exe");
    let program = if itself.exists() { itself } else { std::env::current_exe().unwrap_or(itself) };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let env = vec![(ALLOCATOR.0.into(), ALLOCATOR.1.into()), ("RAYON_NUM_THREADS".into(), threads.to_string().into())];
    Process { limits, concurrency, env, ..Process::new(program, [SUBCOMMAND]) }
}
