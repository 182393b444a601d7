//! From the outbox to Meta, as `meta-sim`, and the statuses back.

#![allow(missing_docs, clippy::unwrap_used)]

mod doubt;
mod errors;
mod policy;
mod proxied;
mod rates;
mod reported;
mod scheduled;
mod statuses;
