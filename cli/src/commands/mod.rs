//! One module per command: its options, what it does, what it prints.

pub mod activate;
pub mod alerts;
pub mod build;
pub mod completions;
pub mod config;
pub mod dead_letters;
pub mod dev;
pub mod events;
pub mod hosts;
pub mod live;
pub mod logs;
pub mod new;
pub mod order;
pub mod push;
pub mod replay;
pub mod runs;
pub mod say;
pub mod secret;
pub mod simulate;
pub mod test;
pub mod versions;
pub mod webhooks;
