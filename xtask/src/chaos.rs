//! `cargo xtask chaos`: faults under load, on a Postgres that syncs as in production and may be killed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::postgres::{Database, Kind};
use crate::process::{self, Running, describe};
use crate::step::{seconds, step};
use crate::{arguments, build, interrupt, setup};

/// Of the long form of all scenarios, several times over.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
/// The program's exit code when what ran held, and something could not run on this machine.
const SKIPPED: i32 = 3;
/// How long Postgres stays away when the scenario has killed it.
const AWAY: Duration = Duration::from_millis(1500);

/// What to break.
#[derive(Args)]
pub struct Options {
    /// Build and run with optimisations
    #[arg(long)]
    release: bool,
    /// kill, postgres, redis, graph, nodes or all (the default), and options of the program, for example `--short`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "NAME AND OPTIONS")]
    arguments: Vec<String>,
}

/// A few faults of each kind, for each change. False when some could not run here.
pub fn short() -> Result<bool> {
    break_things(&Options { release: false, arguments: vec!["all".to_owned(), "--short".to_owned()] })
}

/// Set up, build, start Postgres, break things. What could not run is said, and is no failure.
pub fn run(options: &Options) -> Result<()> {
    if !break_things(options)? {
        eprintln!("==> not everything ran: see what is SKIPPED above");
    }
    Ok(())
}

/// Gives whether all of it ran.
fn break_things(options: &Options) -> Result<bool> {
    setup::run()?;
    let [hoopoe, chaos] = build::programs(["hoopoe", "hoopoe-chaos"], options.release)?;
    let mut database = Database::start(Kind::Bench)?;
    let mut command = process::command(chaos);
    command
        .args(arguments::with_name(&options.arguments))
        .env("HOOPOE_BIN", hoopoe)
        .env("DATABASE_URL", database.url("postgres"));
    if let Database::Embedded(cluster) = &database {
        command.env("POSTGRES_DATA", cluster.data());
    }
    let mut chaos = Running::start("chaos", &mut command)?;
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(status) = chaos.ended()? {
            return match status.code() {
                Some(0) => Ok(true),
                Some(SKIPPED) => Ok(false),
                _ => bail!("chaos: something did not hold ({})", describe(status)),
            };
        }
        if Instant::now() > end {
            bail!("chaos did not end within {} and was stopped", seconds(LIMIT));
        }
        // As a service manager would: what ended is started again after a while.
        if let Database::Embedded(cluster) = &mut database
            && cluster.has_ended()?
        {
            thread::sleep(AWAY);
            step("starting Postgres again", || cluster.start_again())?;
        }
        interrupt::tick()?;
    }
}
