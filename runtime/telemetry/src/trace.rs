//! Traces: spans of OpenTelemetry for a message's way, from the webhook to its last status, over all processes.
//!
//! A trace goes on in another process by the [`TraceContext`] that is kept with events and messages. Only sampled traces
//! have one, so what is not traced costs nothing, and a trace is whole or not there: a stage that finds no context
//! begins none.
//!
//! Spans have what their stage says and nothing else: ids, versions, outcomes. Contents, phone numbers and tokens are
//! not to be said. This is why spans are made here by hand and not out of log lines, whose words come from plugins and
//! from Meta too.

mod context;
mod export;
mod span;

pub use context::TraceContext;
pub use export::{Error, Export, Settings, start};
pub use span::{Kind, Span};
