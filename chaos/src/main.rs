//! Faults under load: real processes on a real Postgres, Meta's simulator in this process, and a fault that comes again
//! and again.
//!
//! In: a scenario. Out: a report on the screen, and the same as Markdown and JSON in a folder. Everything is judged from
//! outside: by what HTTP acknowledged, what the simulator accepted, and what the tables say once all is at rest. Fails
//! when anything acknowledged was lost, anything was repeated although statuses came, the order of a contact was broken,
//! or nothing succeeded at all.

mod book;
mod front;
mod ground;
mod judge;
mod load;
mod options;
mod recovery;
mod report;
mod scenarios;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::task::LocalSet;

use crate::options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads for the load");
    match runtime.and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hoopoe-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether everything held in every scenario.
async fn run(options: &Options) -> Result<bool> {
    let mut all_held = true;
    for scenario in options.scenario.each() {
        eprintln!("==> chaos: {}", scenario.name());
        // A task of its own: what a scenario stands on panics when it cannot go on, and those after it still run.
        let (options_of_its_own, task) = (options.clone(), LocalSet::new());
        let course = task.spawn_local(async move { scenarios::run(scenario, &options_of_its_own).await });
        let outcome = match task.run_until(course).await {
            Ok(outcome) => outcome.with_context(|| scenario.name()),
            Err(broken) => Err(anyhow::anyhow!("{}: it broke off: {broken}", scenario.name())),
        };
        match outcome {
            Ok(Some(report)) => {
                report.write(&options.out)?;
                println!("{}", report.markdown());
                all_held &= report.held();
            }
            Ok(None) => {}
            Err(error) => {
                eprintln!("error: {error:#}");
                all_held = false;
            }
        }
    }
    Ok(all_held)
}
