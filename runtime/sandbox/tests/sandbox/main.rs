//! The sandbox with real guests: loading, compiling, running, limits.

#![allow(missing_docs, clippy::unwrap_used)]

mod caching;
mod common;
mod compiling;
mod frozen;
mod inspecting;
mod limits;
mod loading;
mod rendering;
mod running;
mod sharing;
mod turns;
mod wasi;
