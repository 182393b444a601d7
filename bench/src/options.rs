//! What to measure and how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};

/// Measures the runtime beside the floor of the same machine. Use a release build and a Postgres with fsync on.
#[derive(Clone, Parser)]
#[command(version)]
pub struct Options {
    /// What to measure.
    pub scenario: Scenario,
    /// Length of each measured phase, in seconds [default: 10; number-1000: 60; history: 30; hour: 300].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// How often everything is measured; the report gives the median [default: 3].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// One round of one second, unless said otherwise, with few contacts: shows that it works, measures nothing.
    #[arg(long)]
    pub quick: bool,
    /// Of roundtrip, send, idle, number-1000, history and hour: draws a flame graph of the runtime and Postgres for each
    /// case, of its last round: <scenario>.<case>.flame.svg.
    /// Needs `perf`, which takes processor time itself: the figures of such a run are not to be compared.
    #[arg(long)]
    pub flame: bool,
    /// Connections of the load generator.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub connections: u16,
    /// Where the reports go: <scenario>.md, .json and .svg.
    #[arg(long, default_value = "target/bench")]
    pub out: PathBuf,
    /// A Postgres; each scenario creates a database of its own on it and removes it at the end.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The runtime's binary; the one beside this program when absent.
    #[arg(long, env = "HOOPOE_BIN")]
    pub hoopoe: Option<PathBuf>,
    /// Microseconds of one fdatasync where Postgres keeps its log, by pg_test_fsync; written into the report.
    #[arg(long, env = "FDATASYNC_US")]
    pub fdatasync_us: Option<f64>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// A webhook, the auto-reply, its acceptance by Meta's simulator.
    Roundtrip,
    /// Webhooks to their commit.
    Ingest,
    /// Sends by the API to their acceptance by the simulator.
    Send,
    /// What a message costs when there are few.
    Idle,
    /// One number at the greatest rate that Meta grants.
    #[value(name = "number-1000")]
    Number,
    /// Normal tenants beside bulk and a plugin that never comes back.
    Noisy,
    /// The round trip beside a query on the history that stays open.
    History,
    /// A steady rate beside a query that stays open for an hour. Takes 75 minutes.
    Hour,
    /// The sandbox alone.
    Flow,
    /// First events of plugins that are not in memory.
    Cold,
    /// All of these but `hour`.
    All,
}

impl Options {
    /// With this length of a phase, in seconds, unless another was asked for or it is only a trial.
    pub fn lasting(&self, seconds: u64) -> Self {
        let own = self.seconds.or((!self.quick).then_some(seconds));
        Options { seconds: own, ..self.clone() }
    }

    /// Length of a measured phase.
    pub fn phase(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 1 } else { 10 }))
    }

    /// How often everything is measured.
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Length of a warm-up.
    pub fn warm_up(&self) -> Duration {
        if self.quick { Duration::from_millis(300) } else { Duration::from_secs(3) }
    }

    /// The Postgres to measure on.
    pub fn database_url(&self) -> Result<&str> {
        self.database_url
            .as_deref()
            .context("DATABASE_URL is not set; `cargo xtask bench` starts a Postgres and sets it")
    }

    /// The runtime's binary.
    pub fn hoopoe(&self) -> Result<PathBuf> {
        let path = match &self.hoopoe {
            Some(path) => path.clone(),
            None => std::env::current_exe().context("this program's own path")?.with_file_name("hoopoe"),
        };
        if !Path::new(&path).exists() {
            bail!(
                "there is no {}; build it with `cargo build --release -p hoopoe-runtime`, or set HOOPOE_BIN",
                path.display()
            );
        }
        Ok(path)
    }
}
