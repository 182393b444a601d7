//! What flows decide, and how they fail: the whole runtime, with Meta as `meta-sim`.

#![allow(missing_docs, clippy::unwrap_used)]

mod breaker;
mod conversations;
mod failures;
mod http_requests;
mod replay;
mod rules;
mod timers;
mod versions;
