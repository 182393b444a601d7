//! Guests and uploads that attack, each through the production wiring.

#![allow(missing_docs, clippy::unwrap_used)]

mod blowups;
mod cache;
mod common;
mod floods;
mod leaks;
mod mutations;
mod network;
mod runs;
mod turns;
mod uploads;
