//! The column `traceparent` of events and messages.

use hoopoe_telemetry::trace::TraceContext;

/// What a row gets.
pub(crate) fn write(trace: Option<TraceContext>) -> Option<String> {
    trace.map(|trace| trace.to_string())
}

/// What a row has.
pub(crate) fn read(traceparent: Option<String>) -> Option<TraceContext> {
    traceparent.as_deref().and_then(TraceContext::parse)
}
