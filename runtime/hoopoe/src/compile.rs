//! The process that compiles plugins: this binary again, with a hidden subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use hoopoe_sandbox::compile::{self, CompileLimits, Process};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "compile-plugin";

/// The process' main function. It takes no configuration: its environment is empty.
pub fn child() -> ExitCode {
    compile::child()
}

/// How the binary `hoopoe` starts itself to compile a plugin. Nothing for other programs, such as tests, which do
/// not have the subcommand.
pub fn process(limits: CompileLimits, concurrency: usize) -> Process {
    // Where the system has it, not the path: after an upgrade another version lies there.
    let itself = PathBuf::from("/proc/self/exe");
    let program = if itself.exists() { itself } else { std::env::current_exe().unwrap_or(itself) };
    Process { limits, concurrency, ..Process::new(program, [SUBCOMMAND]) }
}
