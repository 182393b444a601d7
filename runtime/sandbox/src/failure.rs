//! Why a run has no outcome.

use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::Limits;
use crate::guest::{Guest, Hit};

/// Why a run has no outcome. [`Failure::code`] is stable; the texts are for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The plugin asks for another attempt later.
    #[error("the plugin asks for another attempt: {0}")]
    Retry(String),
    /// The plugin gives this event up; for a migration, this state.
    #[error("the plugin rejects the event: {0}")]
    Reject(String),
    /// A renderer lacks values for these variables of the template.
    #[error("the template lacks values for {}", .0.join(", "))]
    MissingVariables(Vec<String>),
    /// A renderer finds the template or its variables wrong.
    #[error("the template cannot be rendered: {0}")]
    Invalid(String),
    /// The plugin panicked, with this message.
    #[error("the plugin panicked: {0}")]
    Panic(String),
    /// The plugin did what no program may do, or broke the contract.
    #[error("the plugin was stopped: {0}")]
    Trap(String),
    /// It computed more than is allowed.
    #[error("the plugin used up its fuel of {limit}")]
    OutOfFuel {
        /// [`Limits::fuel`].
        limit: u64,
    },
    /// It computed longer than is allowed.
    #[error("the plugin ran longer than {limit:?}")]
    DeadlineExceeded {
        /// [`Limits::deadline`].
        limit: Duration,
    },
    /// It wanted more memory than is allowed, and could not go on without.
    #[error("the plugin wanted more than {limit} bytes of memory")]
    MemoryLimit {
        /// [`Limits::memory_bytes`].
        limit: usize,
    },
    /// It wanted more table elements than are allowed, and could not go on without.
    #[error("the plugin wanted more than {limit} table elements")]
    TableLimit {
        /// [`Limits::table_elements`].
        limit: usize,
    },
    /// It wanted more handles to resources than are allowed.
    #[error("the plugin wanted more than {limit} handles to resources")]
    HandleLimit {
        /// [`Limits::handles`].
        limit: usize,
    },
    /// It called itself too deeply.
    #[error("the plugin's stack overflowed")]
    StackOverflow,
    /// What it gave back, or a line that it logged, is too large.
    #[error("the plugin's {what} has {size} bytes or more; {limit} are allowed")]
    OutputLimit {
        /// `output` for an outcome or a log line, `state` for a conversation's state.
        what: &'static str,
        /// At least this many bytes.
        size: usize,
        /// [`Limits::output_bytes`] or [`Limits::state_bytes`].
        limit: usize,
    },
    /// Its outcome has too many actions.
    #[error("the plugin wants {count} actions; {limit} are allowed")]
    TooManyActions {
        /// The actions of the outcome.
        count: usize,
        /// [`Limits::actions`].
        limit: usize,
    },
    /// No instance became free in time. Nothing of the plugin ran.
    #[error("all instances of the sandbox are in use")]
    Busy,
    /// The sandbox itself failed.
    #[error("the sandbox failed: {0}")]
    Internal(String),
}

impl Failure {
    /// A stable name for records and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Retry(_) => "retry",
            Failure::Reject(_) => "reject",
            Failure::MissingVariables(_) => "missing-variables",
            Failure::Invalid(_) => "invalid",
            Failure::Panic(_) => "panic",
            Failure::Trap(_) => "trap",
            Failure::OutOfFuel { .. } => "out-of-fuel",
            Failure::DeadlineExceeded { .. } => "deadline-exceeded",
            Failure::MemoryLimit { .. } => "memory-limit",
            Failure::TableLimit { .. } => "table-limit",
            Failure::HandleLimit { .. } => "handle-limit",
            Failure::StackOverflow => "stack-overflow",
            Failure::OutputLimit { .. } => "output-limit",
            Failure::TooManyActions { .. } => "too-many-actions",
            Failure::Busy => "busy",
            Failure::Internal(_) => "internal",
        }
    }
}

/// The deadline has passed: ends the guest from within.
#[derive(Debug, thiserror::Error)]
#[error("deadline exceeded")]
pub(crate) struct DeadlinePassed;

/// Name the reason why wasmtime ended a guest. What the guest ran into comes before what it did about it.
pub(crate) fn classify(error: &wasmtime::Error, guest: &mut Guest, limits: &Limits) -> Failure {
    let trap = error.downcast_ref::<Trap>();
    if error.is::<DeadlinePassed>() {
        return Failure::DeadlineExceeded { limit: limits.deadline };
    }
    match trap {
        Some(Trap::OutOfFuel) => return Failure::OutOfFuel { limit: limits.fuel },
        Some(Trap::StackOverflow) => return Failure::StackOverflow,
        _ => {}
    }
    match guest.hit {
        Some(Hit::Memory) => return Failure::MemoryLimit { limit: limits.memory_bytes },
        Some(Hit::Table) => return Failure::TableLimit { limit: limits.table_elements },
        None => {}
    }
    if let Some(message) = guest.abort.take() {
        return Failure::Panic(message);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::Busy;
    }
    if says(error, "store handle limit exceeded") {
        return Failure::HandleLimit { limit: limits.handles };
    }
    if says(error, "fuel allocated for hostcalls has been exhausted") {
        let limit = limits.output_bytes;
        return Failure::OutputLimit { what: "output", size: limit.saturating_add(1), limit };
    }
    match trap {
        Some(trap) => Failure::Trap(trap.to_string()),
        None => Failure::Trap(format!("{error:#}")),
    }
}

/// wasmtime keeps the types of these errors to itself; tests hold on to their words.
fn says(error: &wasmtime::Error, words: &str) -> bool {
    error.chain().any(|cause| cause.to_string().contains(words))
}
