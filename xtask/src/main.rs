//! The project's commands: `cargo xtask dev | demo | test | ...`.
//!
//! In: a command line. Out: what the command prints, and an exit code that is 0 only when all of it worked
//! (130 after Ctrl-C). Everything a command starts it also stops, in order, whatever happens.

mod arguments;
mod bench;
mod build;
mod chaos;
mod conversation;
mod dev;
mod fuzz;
mod http;
mod interrupt;
mod languages;
mod leftovers;
mod lock;
mod packages;
mod places;
mod postgres;
mod process;
mod redis;
mod runtime;
mod settings;
mod setup;
mod sqlx;
mod step;
mod tenant;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Hoopoe's commands. Each sets up first what is missing: the Wasm target, Postgres, and Redis if that is possible.
///
/// With DATABASE_URL set in the environment that database is used and no Postgres is started; REDIS_URL likewise.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing: the Wasm target, Postgres and Redis
    Setup,
    /// Run everything until Ctrl-C: Postgres, Redis, Meta's simulator, the runtime, a demo tenant and one message
    Dev(dev::Options),
    /// Run everything once; succeeds only if the demo message was answered and its statuses came back
    Demo(dev::Options),
    /// Check format and lints and run all tests, against a Postgres and a Redis of their own
    Test(test::Options),
    /// Build the example flows in JavaScript and Python, with their compilers from npm and PyPI
    Languages,
    /// Measure, against a Postgres with default durability (release build)
    Bench(bench::Options),
    /// Break things under load and tell what was lost: processes, Postgres, Redis, Meta
    Chaos(chaos::Options),
    /// Write .sqlx anew, after a change of a query or a migration
    Sqlx,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = interrupt::watch().and_then(|()| match arguments.command {
        Command::Setup => setup::command(),
        Command::Dev(options) => dev::dev(&options),
        Command::Demo(options) => dev::demo(&options),
        Command::Test(options) => test::run(&options),
        Command::Languages => languages::command(),
        Command::Bench(options) => bench::run(&options),
        Command::Chaos(options) => chaos::run(&options),
        Command::Sqlx => sqlx::run(),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<interrupt::Interrupted>() => {
            eprintln!("stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
