//! What to break, how often, with what.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Breaks things under load and tells what was lost. `cargo xtask chaos` starts it with a Postgres of its own.
#[derive(Clone, Parser)]
#[command(version)]
pub struct Options {
    /// What to break
    pub scenario: Scenario,
    /// Few faults: for each change. Without it each scenario takes minutes
    #[arg(long)]
    pub short: bool,
    /// How often the fault comes, in place of the scenario's own number
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    faults: Option<u32>,
    /// Where the reports go: <scenario>.json and <scenario>.md
    #[arg(long, default_value = "target/chaos")]
    pub out: PathBuf,
    /// The runtime's binary
    #[arg(long, env = "HOOPOE_BIN")]
    pub hoopoe: PathBuf,
    /// The binary of an earlier release: every second node that is started runs it, as while an upgrade goes on
    #[arg(long)]
    pub earlier: Option<PathBuf>,
    /// The data folder of the Postgres of DATABASE_URL, when that may be stopped and is started again by somebody else;
    /// without it only connections are cut
    #[arg(long, env = "POSTGRES_DATA")]
    pub postgres_data: Option<PathBuf>,
}

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The process, by SIGKILL
    Kill,
    /// Connections to Postgres, and Postgres itself
    Postgres,
    /// Redis: flushed, stopped, started
    Redis,
    /// Meta's Graph API: refusals, lost answers, silence
    Graph,
    /// One of several processes, with equal and with split roles; and a rolling restart
    Nodes,
    /// All of these
    All,
}

impl Scenario {
    /// The scenarios that this one stands for.
    pub fn each(self) -> Vec<Scenario> {
        match self {
            Scenario::All => {
                vec![Scenario::Kill, Scenario::Postgres, Scenario::Redis, Scenario::Graph, Scenario::Nodes]
            }
            one => vec![one],
        }
    }

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Kill => "kill",
            Scenario::Postgres => "postgres",
            Scenario::Redis => "redis",
            Scenario::Graph => "graph",
            Scenario::Nodes => "nodes",
            Scenario::All => "all",
        }
    }
}

impl Options {
    /// How often a fault comes in the short and in the long form.
    pub fn faults(&self, short: u32, long: u32) -> u32 {
        self.faults.unwrap_or(if self.short { short } else { long })
    }

    /// The time of undisturbed load before the fault with this number: between one and two seconds, spread evenly.
    /// Meta's simulator posts a status again after a second at the latest, so each status has a reader in between.
    pub fn pause(&self, fault: u32) -> Duration {
        let share = f64::from(fault) * 0.618_034 % 1.0;
        Duration::from_secs_f64(if self.short { 1.1 + 0.4 * share } else { 1.2 + 0.8 * share })
    }
}
