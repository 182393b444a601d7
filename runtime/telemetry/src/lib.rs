//! What operators see of a process: logs, metrics, traces.
//!
//! In: what the stages say while they work. Out: lines on standard output, the text of `GET /metrics`, and spans for an
//! OTLP collector. Nothing here fails for the sake of a message: what cannot be told is left out.
//!
//! The crate is below all others, so that each stage has its handles at hand. [`metrics()`] gives them, registered once
//! per process; to count is an atomic addition, to observe a histogram some tens of nanoseconds, and neither allocates.
//! A [`trace::Span`] is nothing while tracing is off.

pub mod logs;
pub mod metrics;
pub mod trace;

pub use metrics::metrics;
