//! The `hoopoe` command: runs the runtime, and holds the commands for tenants' developers.

mod describe;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use hoopoe_cli::Host;
use hoopoe_runtime::{Config, Options, Roles, Running};
use hoopoe_sandbox::compile::{CompileLimits, Compiler};
use hoopoe_telemetry::{logs, trace};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Plugins that are compiled at the same time.
const COMPILERS: usize = 2;

/// A plugin-driven integration runtime for messaging.
///
/// Begin with `hoopoe new my-bot`; `hoopoe help dev` and so on tell more, with examples.
#[derive(Parser)]
#[command(version, after_help = hoopoe_cli::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the runtime; everything is configured by the environment, see .env.example
    Serve {
        /// What this process does: some of api,flows,delivery.
        #[arg(long, env = "ROLES", default_value_t = Roles::default())]
        roles: Roles,
    },
    /// Ask a running process on this machine whether it is healthy; for container health checks
    Health,
    /// Compile one plugin; for the runtime's own use
    #[command(hide = true, name = hoopoe_runtime::compile::SUBCOMMAND)]
    CompilePlugin,
    /// Run a plugin for the tests of its project; for the use of `hoopoe test`
    #[command(hide = true, name = hoopoe_harness::COMMAND)]
    PlayPlugin { component: PathBuf },
    #[command(flatten)]
    Developer(hoopoe_cli::Command),
}

fn main() -> ExitCode {
    // The runtime's configuration is nothing that a developer's command needs.
    let done = match Cli::parse().command {
        Command::Serve { roles } => load().and_then(|config| serve(config, roles)),
        Command::Health => load().and_then(|config| health(config.listen.port())),
        Command::CompilePlugin => return hoopoe_runtime::compile::child(),
        Command::PlayPlugin { component } => describe::play(&component),
        Command::Developer(command) => {
            let (describe, test_environment) = (describe::describe, describe::test_environment);
            return hoopoe_cli::run(&command, &Host { command: Cli::command, describe, test_environment });
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hoopoe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<Config, String> {
    Config::load().map_err(|error| error.to_string())
}

#[tokio::main]
async fn serve(config: Config, roles: Roles) -> Result<(), String> {
    logs::start(config.log_form(), &config.log).map_err(|error| format!("LOG cannot be used: {error}"))?;
    hoopoe_runtime::install_tls();
    let traces = config.traces.as_ref().map(trace::start).transpose().map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let compiler = Compiler::Process(hoopoe_runtime::compile::process(CompileLimits::default(), COMPILERS));
    let options = Options { compiler, ..Options::default() };
    let mut running = Running::start(config, roles, options).await.map_err(|error| error.to_string())?;
    let fault = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        fault = running.fault() => Some(fault),
    };
    tracing::info!("stopping");
    running.stop().await;
    if let Some(traces) = traces {
        let _ = tokio::task::spawn_blocking(|| traces.stop()).await;
    }
    fault.map_or(Ok(()), |fault| Err(fault.to_string()))
}

fn health(port: u16) -> Result<(), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if answer.split(' ').nth(1) == Some("200") => Ok(()),
        Ok(answer) => Err(format!("not healthy: {}", answer.lines().next().unwrap_or("no answer"))),
        Err(error) => Err(format!("port {port} does not answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some() || command.is_hide_set(), "{}", command.get_name());
        }
    }

    #[test]
    fn every_command_of_developers_has_examples() {
        for command in hoopoe_cli::Command::augment_subcommands(clap::Command::new("hoopoe")).get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{}: {help}", command.get_name());
        }
    }
}
