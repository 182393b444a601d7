//! The commands for whoever writes a flow: from a new project over reloading with every save to a rollback.
//!
//! In: a command line, which the binary `hoopoe` parses. Out: what a command prints, and an exit code ([`EXIT_CODES`]).
//! Nothing here knows the runtime's configuration or its database: the commands talk to a host over its API, with the
//! key of one tenant, and to the simulator of Meta over its control API.

mod api;
mod artifact;
mod commands;
mod error;
mod http;
mod outcome;
mod output;
mod plugin;
mod project;
mod settings;
mod sim;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

pub use api::Api;
pub use error::{EXIT_CODES, Error};
pub use settings::{Connection, DevFile, Settings};

use commands::order::Order;
use commands::{
    activate, alerts, build, completions, config, dead_letters, dev, events, hosts, live, logs, new, order, push,
    replay, runs, say, secret, simulate, test, versions, webhooks,
};
use output::Output;

/// Names and values of environment variables.
pub type TestEnvironment = Vec<(&'static str, OsString)>;

/// What the binary lends to the commands.
pub struct Host {
    /// The whole command line, for completions.
    pub command: fn() -> clap::Command,
    /// Loads a component in the sandbox and asks it what it is; the error says why it cannot be used.
    pub describe: fn(&[u8]) -> Result<Description, String>,
    /// The environment in which a project's tests play with the component in this file instead of the native flow.
    pub test_environment: fn(&Path) -> Result<TestEnvironment, String>,
}

/// What a plugin says of itself.
#[derive(Debug, Clone)]
pub struct Description {
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// Its semantic version.
    pub version: String,
    /// Kinds of events that it wants.
    pub events: Vec<String>,
    /// JSON Schema of its configuration.
    pub config_schema: Option<String>,
    /// It handles events; else it renders templates.
    pub is_flow: bool,
}

/// A command of the tenant's developer.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)] // Each is described by its options.
pub enum Command {
    New(new::Options),
    Dev(dev::Options),
    Test(test::Options),
    Build(build::Options),
    Simulate(Box<simulate::Options>),
    Say(Box<say::Options>),
    Push(Box<push::Options>),
    Activate(activate::Options),
    /// Switch back to the version that was active before
    #[command(after_help = order::ROLLBACK)]
    Rollback(order::Options),
    /// Switch the plugin off; what the host has built in answers then
    #[command(after_help = order::DEACTIVATE)]
    Deactivate(order::Options),
    /// Go on after the host has paused a plugin that kept failing; what waited runs in order
    #[command(after_help = order::RESUME)]
    Resume(order::Options),
    Versions(versions::Options),
    Runs(Box<runs::Options>),
    Logs(Box<logs::Options>),
    Live(live::Options),
    Replay(Box<replay::Options>),
    Config(config::Options),
    Secret(Box<secret::Options>),
    Hosts(Box<hosts::Options>),
    DeadLetters(dead_letters::Options),
    Events(events::Options),
    Webhooks(webhooks::Options),
    Alerts(alerts::Options),
    Completions(completions::Options),
}

/// Run a command. What went wrong is on standard error, as JSON where that was asked for.
pub fn run(command: &Command, host: &Host) -> ExitCode {
    let (done, output) = match command {
        Command::New(options) => (new::run(options), options.output()),
        Command::Dev(options) => (dev::run(options), options.output()),
        Command::Test(options) => (test::run(options, host), options.output()),
        Command::Build(options) => (build::run(options), options.output()),
        Command::Simulate(options) => (simulate::run(options), options.output()),
        Command::Say(options) => (say::run(options), options.output()),
        Command::Push(options) => (push::run(options), options.output()),
        Command::Activate(options) => (activate::run(options), options.output()),
        Command::Rollback(options) => (order::run(Order::Rollback, options), options.output()),
        Command::Deactivate(options) => (order::run(Order::Deactivate, options), options.output()),
        Command::Resume(options) => (order::run(Order::Resume, options), options.output()),
        Command::Versions(options) => (versions::run(options), options.output()),
        Command::Runs(options) => (runs::run(options), options.output()),
        Command::Logs(options) => (logs::run(options), options.output()),
        Command::Live(options) => (live::run(options), options.output()),
        Command::Replay(options) => (replay::run(options), options.output()),
        Command::Config(options) => (config::run(options), options.output()),
        Command::Secret(options) => (secret::run(options), options.output()),
        Command::Hosts(options) => (hosts::run(options), options.output()),
        Command::DeadLetters(options) => (dead_letters::run(options), options.output()),
        Command::Events(options) => (events::run(options), options.output()),
        Command::Webhooks(options) => (webhooks::run(options), options.output()),
        Command::Alerts(options) => (alerts::run(options), options.output()),
        Command::Completions(options) => (completions::run(options, host), Output::default()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if output.json {
                eprintln!("{}", error.to_json());
            } else {
                eprintln!("hoopoe: {error}");
            }
            error.exit_code()
        }
    }
}
