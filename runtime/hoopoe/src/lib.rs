//! The runtime as a whole: configuration, roles, start and orderly stop. The binary `hoopoe` is a thin shell around
//! it; tests start it within their own process.

pub mod compile;
pub mod config;
mod retention;
mod roles;
mod running;
mod sharing;
mod stages;
mod upkeep;

pub use config::Config;
pub use roles::{Role, Roles};
pub use running::{Options, Running, StartError, install_tls};
