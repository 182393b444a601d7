#![doc = include_str!("../README.md")]

mod address;
mod clock;
pub mod forget;
pub mod limits;
mod link;
pub mod live;
mod news;
mod nodes;
mod outbox;
mod shared;
mod subscription;
pub mod wake;

pub use address::{Address, NoAddress};
pub use clock::Clock;
pub use shared::{Options, Redis, Shared};
