//! Runs flow plugins in a sandbox: WebAssembly components that can compute, and nothing else.
//!
//! In: a component ([`Sandbox::load`]), then for each event its context, the event and the conversation's state
//! ([`Plugin::on_event`]). Out: a [`Run`] with the outcome, or the [`Failure`] that ended it, with what it cost
//! and what it logged.
//!
//! Every event gets a fresh instance, so nothing leaks from one conversation to another. A plugin has no files,
//! network, clock or randomness; what it may import is refused or given when it is loaded ([`load::Error`]). Fuel,
//! time, memory, tables, stack, output and logs are limited ([`Limits`]); a guest that exceeds one is stopped and
//! the failure names the limit. A guest that computes for long gives way to others every few milliseconds.
//!
//! ```
//! # async fn example(component: &[u8], context: &hoopoe_sandbox::contract::Context,
//! #     event: &hoopoe_sandbox::contract::Event) -> Result<(), Box<dyn std::error::Error>> {
//! use hoopoe_sandbox::{Sandbox, Settings};
//!
//! let sandbox = Sandbox::new(Settings::default())?;
//! let plugin = sandbox.load(component).await?;
//! let run = plugin.on_event(context, event, None).await;
//! match run.result {
//!     Ok(outcome) => println!("{} actions for {} fuel", outcome.actions.len(), run.fuel),
//!     Err(failure) => println!("{}: {failure}", failure.code()),
//! }
//! # Ok(()) }
//! ```

pub mod contract;
mod digest;
mod engine;
mod failure;
mod guest;
pub mod load;
mod plugin;
mod run;
mod sandbox;
mod settings;
mod ticker;

pub use digest::Digest;
pub use failure::Failure;
pub use guest::{Level, LogLine};
pub use plugin::Plugin;
pub use run::Run;
pub use sandbox::{Error, Sandbox};
pub use settings::{Limits, Settings};
