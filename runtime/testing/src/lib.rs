//! What the runtime's tests stand on: a database of their own, a simulated Meta, and the runtime, either within the
//! test ([`World`]) or as a real process ([`Process`]).
//!
//! ```no_run
//! # use hoopoe_testing::World;
//! # async fn story() {
//! let world = World::start().await;
//! let tenant = world.api.register("Acme", "106540352242922", "token").await;
//! world.says(&tenant, "16505551234", "hello").await;
//! world.idle().await;
//! assert_eq!(world.sim.times("16505551234", "thanks for reaching us\n- team Acme"), 1);
//! world.end().await;
//! # }
//! ```
//!
//! Everything here panics where it cannot go on: a test that has no ground to stand on fails.

#![allow(clippy::unwrap_used)]

mod client;
mod database;
mod process;
mod proxy;
mod redis;
mod settings;
mod snapshot;
mod wait;
mod watcher;
mod world;

pub use client::{Client, Tenant};
pub use database::Database;
pub use process::{Ended, Process, Signal};
pub use proxy::{At, Proxy};
pub use redis::RedisServer;
pub use settings::{APP_SECRET, MASTER_KEY, VERIFY_TOKEN, settings, sim_options};
pub use snapshot::snapshot;
pub use wait::{PATIENCE, eventually, eventually_some};
pub use watcher::Watcher;
pub use world::{Builder, World};
