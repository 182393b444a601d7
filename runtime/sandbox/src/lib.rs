//! Runs flow plugins in a sandbox: WebAssembly components that can compute, and nothing else.
//!
//! In: a component ([`Sandbox::load`]), then for each event its context, the event and the conversation's state
//! ([`Plugin::on_event`]). Out: a [`Run`] with the outcome, or the [`Failure`] that ended it, with what it cost
//! and what it logged.
//!
//! Every event gets a fresh instance, so nothing leaks from one conversation to another. A plugin has no files,
//! network, clock or randomness; guests of other languages, which import WASI, get one that is closed. What else a
//! plugin imports is refused when it is loaded ([`load::Error`]). Compiling is done in a process of its own
//! ([`compile`]), and its result kept in a [`Cache`]. Fuel, time, memory, tables, stack, output and logs are limited ([`Limits`]); a guest that exceeds one is stopped and
//! the failure names the limit.
//!
//! A run begins on the thread that asks for it. One that takes longer than a few milliseconds goes on on a thread of
//! the sandbox, in turns with others, and every [`Owner`] gets the same share: a guest that computes for long keeps
//! neither the host from its work nor other owners' guests from theirs.
//!
//! ```
//! # async fn example(component: &[u8], context: hoopoe_sandbox::contract::Context,
//! #     event: hoopoe_sandbox::contract::Event) -> Result<(), Box<dyn std::error::Error>> {
//! use hoopoe_sandbox::{Owner, Sandbox, Settings};
//!
//! let sandbox = Sandbox::new(Settings::default())?;
//! let plugin = sandbox.load(component).await?;
//! let run = plugin.on_event(Owner(7), context, event, None).await;
//! match run.result {
//!     Ok(outcome) => println!("{} actions for {} fuel", outcome.actions.len(), run.fuel),
//!     Err(failure) => println!("{}: {failure}", failure.code()),
//! }
//! # Ok(()) }
//! ```

mod cache;
mod code;
pub mod compile;
pub mod contract;
mod digest;
mod engine;
mod failure;
mod guest;
mod inspection;
pub mod load;
mod loaded;
mod memory;
mod owner;
mod plugin;
mod renderer;
mod run;
mod sandbox;
mod settings;
mod ticker;
mod turns;
mod wasi;

pub use cache::Cache;
pub use compile::{CompileLimits, Compiler};
pub use contract::World;
pub use digest::Digest;
pub use failure::Failure;
pub use guest::{Level, LogLine};
pub use inspection::Inspection;
pub use owner::Owner;
pub use plugin::Plugin;
pub use renderer::Renderer;
pub use run::Run;
pub use sandbox::{Error, GetError, Sandbox};
pub use settings::{Limits, Settings};
