//! What who watches a tenant or operates the runtime sees: live events, metrics, traces.

#![allow(missing_docs, clippy::unwrap_used)]

mod live;
mod metrics;
mod traces;
