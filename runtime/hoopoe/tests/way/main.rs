//! The way of messages through the whole runtime: in, answered, out, in order and fairly.

#![allow(missing_docs, clippy::unwrap_used)]

mod batches;
mod fairness;
mod messenger;
mod one_message;
mod order;
