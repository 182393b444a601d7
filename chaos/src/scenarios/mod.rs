//! The scenarios: each brings its fault again and again while the load runs.

mod graph;
mod kill;
mod nodes;
mod postgres;
mod redis;

use anyhow::Result;

use crate::options::{Options, Scenario};
use crate::report::Report;

/// Runs one scenario; none when it cannot be run on this machine, which is said on standard error.
pub async fn run(scenario: Scenario, options: &Options) -> Result<Option<Report>> {
    match scenario {
        Scenario::Kill => kill::run(options).await.map(Some),
        Scenario::Postgres => postgres::run(options).await.map(Some),
        Scenario::Redis => redis::run(options).await,
        Scenario::Graph => graph::run(options).await.map(Some),
        Scenario::Nodes => nodes::run(options).await.map(Some),
        Scenario::All => Ok(None),
    }
}
