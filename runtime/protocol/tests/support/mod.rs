//! What several tests stand on.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod cases;
pub mod mutate;
pub mod oracle;
pub mod tell;
