//! Tenants' webhooks, with a real server at the other end: what is told, in which words, signed how, how often, and
//! that nothing is lost when the endpoint or the process fails.

#![allow(missing_docs, clippy::unwrap_used)]

mod alerts;
mod endpoint;
mod faults;
mod retries;
mod told;
