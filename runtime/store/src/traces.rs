//! The column `traceparent` of events and messages.

use hoopoe_telemetry::trace::TraceContext;

/// The column of a batch; empty when no row has a trace, for `unnest` fills a list that is too short with nulls: what is
/// not traced costs nothing.
pub(crate) fn column(traces: impl Iterator<Item = Option<TraceContext>> + Clone) -> Vec<Option<String>> {
    if traces.clone().all(|trace| trace.is_none()) {
        return Vec::new();
    }
    traces.map(|trace| trace.map(|trace| trace.to_string())).collect()
}

/// What a row has.
pub(crate) fn read(traceparent: Option<String>) -> Option<TraceContext> {
    traceparent.as_deref().and_then(TraceContext::parse)
}
