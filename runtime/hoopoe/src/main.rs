//! The `hoopoe` command.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use hoopoe_runtime::{Config, Options, Roles, Running, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// A plugin-driven integration runtime for messaging.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the runtime; everything is configured by the environment, see .env.example.
    Serve {
        /// What this process does: some of api,flows,delivery.
        #[arg(long, env = "ROLES", default_value_t = Roles::default())]
        roles: Roles,
    },
    /// Ask a running process on this machine whether it is healthy; for container health checks.
    Health,
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let done = Config::load().map_err(|error| error.to_string()).and_then(|config| match command {
        Command::Serve { roles } => serve(config, roles),
        Command::Health => health(config.listen.port()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hoopoe: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(config: Config, roles: Roles) -> Result<(), String> {
    telemetry::start(config.environment, &config.log).map_err(|error| format!("LOG cannot be used: {error}"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut running = Running::start(config, roles, Options::default()).await.map_err(|error| error.to_string())?;
    let fault = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        fault = running.fault() => Some(fault),
    };
    tracing::info!("stopping");
    running.stop().await;
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
