//! Compiling plugins, by default where it can hurt nobody: in a process of its own with limits.
//!
//! A compiler is a large program, and its input comes from strangers. [`Compiler::Process`] starts one process for
//! each plugin. It has an environment of its own and no file besides its pipes, sets its own limits for memory and time
//! before it looks at the plugin ([`child`]), and is ended when it takes too long or answers with too much. Its
//! answer carries a tag under a key that only this question had, so that what is loaded is whole and belongs to
//! the plugin that was asked for.
//!
//! Only a few run at the same time, and one [`Owner`](crate::Owner) has one of them at most; who waits for what is told in `turns`.

mod child;
mod frame;
mod jobs;
mod process;
mod turns;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use child::child;
pub(crate) use jobs::{How, Jobs, blocking};
pub(crate) use turns::Turn;

/// Where plugins are compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compiler {
    /// In this process, without limits besides the size of the component: for plugins that one trusts, and tests.
    #[default]
    InProcess,
    /// In a process for each plugin.
    Process(Process),
}

/// The process that compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// A program that calls [`child`], as an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: what its allocator has to know, for instance.
    pub env: Vec<(OsString, OsString)>,
    /// What one process may use.
    pub limits: CompileLimits,
    /// Processes at the same time, at least 1. With 2 and more, one is left for plugins whose events wait while
    /// others are being inspected.
    pub concurrency: usize,
}

impl Process {
    /// This program with these arguments, with default limits.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Process { program: program.into(), args, env: Vec::new(), limits: CompileLimits::default(), concurrency: 2 }
    }
}

/// What compiling one plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Addresses of the process, in bytes. The program itself takes some tens of megabytes of them.
    pub memory_bytes: u64,
    /// Time on a processor; counted in whole seconds, rounded up.
    pub cpu: Duration,
    /// Time by the clock, from the start of the process to its end.
    pub wall: Duration,
    /// Compiled code, in bytes.
    pub output_bytes: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        CompileLimits {
            memory_bytes: 1 << 30,
            cpu: Duration::from_secs(60),
            // A machine that is busy gives a process little of its time.
            wall: Duration::from_secs(300),
            output_bytes: 128 << 20,
        }
    }
}

/// Which of the [`CompileLimits`] was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// [`CompileLimits::memory_bytes`].
    Memory(u64),
    /// [`CompileLimits::cpu`].
    Cpu(Duration),
    /// [`CompileLimits::wall`].
    Wall(Duration),
    /// [`CompileLimits::output_bytes`].
    Output(usize),
}

impl Exceeded {
    /// A stable name: `compile-memory`, `compile-cpu`, `compile-wall` or `compile-output`.
    pub fn code(self) -> &'static str {
        match self {
            Exceeded::Memory(_) => "compile-memory",
            Exceeded::Cpu(_) => "compile-cpu",
            Exceeded::Wall(_) => "compile-wall",
            Exceeded::Output(_) => "compile-output",
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exceeded::Memory(bytes) => write!(f, "{} MiB of memory", bytes >> 20),
            Exceeded::Cpu(time) => write!(f, "{time:?} of processor time"),
            Exceeded::Wall(time) => write!(f, "{time:?}"),
            Exceeded::Output(bytes) => write!(f, "{bytes} bytes of machine code"),
        }
    }
}
