//! How much the sandbox as a whole, and one run in it, may use.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::cache::Cache;
use crate::compile::Compiler;

/// Settings of a [`Sandbox`](crate::Sandbox).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Runs at the same time. Each reserves 4 GiB of addresses, not of memory. Three quarters of them may be long,
    /// that is, take more than 5 ms.
    pub max_instances: u32,
    /// Long runs of one owner at the same time, at least 1; further ones wait.
    pub long_runs_per_owner: usize,
    /// Threads for long runs, at least 1.
    pub threads: usize,
    /// How long a run waits for an instance, or a long one for its place, before it fails with
    /// [`Failure::Busy`](crate::Failure::Busy).
    pub wait: Duration,
    /// Stack of a guest, in bytes.
    pub stack_bytes: usize,
    /// Compiled plugins that are kept, at least 1; the least recently loaded goes first. A plugin that somebody
    /// holds stays usable.
    pub cached_plugins: usize,
    /// Their machine code, in bytes, all together.
    pub cached_bytes: usize,
    /// Where plugins are compiled.
    pub compiler: Compiler,
    /// Where their machine code outlives the process; nowhere when absent.
    pub cache: Option<Cache>,
    /// What one run may use.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_instances: 256,
            long_runs_per_owner: 8,
            threads: available_parallelism().map_or(1, NonZero::get),
            wait: Duration::from_secs(10),
            stack_bytes: 512 << 10,
            cached_plugins: 256,
            cached_bytes: 512 << 20,
            compiler: Compiler::InProcess,
            cache: None,
            limits: Limits::default(),
        }
    }
}

/// What one run may use. Exceeding a limit ends the run with the failure named after it, except for logs, which
/// are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Instructions, roughly; the same input uses the same fuel on every machine.
    pub fuel: u64,
    /// Time on a processor, looked at every 5 ms. Time in which others had their turn does not count.
    pub deadline: Duration,
    /// Linear memory, in bytes; whole pages of 64 KiB.
    pub memory_bytes: usize,
    /// Elements of all tables of a plugin together. Tables hold the functions that are called through pointers.
    pub table_elements: usize,
    /// What comes out of a run, in bytes as the host holds it: the outcome, and each log line before it is cut.
    pub output_bytes: usize,
    /// State of a conversation, in bytes.
    pub state_bytes: usize,
    /// Actions of one outcome.
    pub actions: usize,
    /// Lines in a run's log.
    pub log_lines: usize,
    /// One line of the log, and the message of a panic, in bytes.
    pub log_line_bytes: usize,
    /// A run's log, in bytes.
    pub log_bytes: usize,
    /// Handles to resources that a plugin has at the same time; each takes memory of the host.
    pub handles: usize,
    /// A component that is loaded, in bytes.
    pub component_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // About a fifth of a second of plain computation.
            fuel: 200_000_000,
            deadline: Duration::from_millis(500),
            memory_bytes: 64 << 20,
            table_elements: 10_000,
            output_bytes: 1 << 20,
            state_bytes: 64 << 10,
            actions: 64,
            log_lines: 100,
            log_line_bytes: 4 << 10,
            log_bytes: 64 << 10,
            handles: 1_000,
            component_bytes: 32 << 20,
        }
    }
}
