//! Builds a plugin crate to a WebAssembly component.
//!
//! In: the folder of a crate that uses `hoopoe-sdk`. Out: its core module ([`build`], or [`build_with`] to say what
//! becomes of cargo's words), then the component that the runtime loads ([`componentize`]). The module carries its WIT
//! in a custom section, so neither WASI nor `cargo-component` is needed.
//!
//! What can fail: there is no compiler for the Wasm target ([`Missing`], which names the commands that install
//! one), the crate does not compile ([`Error::Compile`], with the compiler's words), or the module is no plugin
//! ([`Error::Componentize`]).

mod command;
mod compile;
mod error;
mod install;
mod test_component;
mod toolchain;

pub use command::Output;
pub use compile::{build, build_with, componentize, target_dir};
pub use error::{Error, Missing};
pub use install::install;
pub use test_component::test_component;
pub use toolchain::Toolchain;

/// The target that plugins are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";
