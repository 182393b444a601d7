//! Faults under load: real processes on a real Postgres, Meta's simulator in this process, and a fault that comes again
//! and again.
//!
//! In: a scenario. Out: a report on the screen, and the same as Markdown and JSON in a folder. Everything is judged from
//! outside: by what HTTP acknowledged, what the simulator accepted, and what the tables say once all is at rest. Fails
//! when anything acknowledged was lost, anything was repeated although statuses came or before the wait for them was over,
//! too much was repeated after that wait, Meta accepted what nobody had asked for, the order of a contact was broken, or
//! nothing succeeded at all; and when the one scenario that was named cannot be run here. Where one of all, or a part of
//! one, cannot be run and the rest held, the exit code is 3.

mod book;
mod front;
mod ground;
mod judge;
mod load;
mod options;
mod recovery;
mod repeats;
mod report;
mod scenarios;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::task::LocalSet;

use crate::options::{Options, Scenario};

/// The exit code when whatever ran held, and something could not run on this machine.
const SKIPPED: u8 = 3;

/// How a scenario ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Held,
    Failed,
    /// What ran of it held, and this machine lacks what the rest needs.
    Partly,
    /// This machine lacks what it needs.
    Skipped,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads for the load");
    match runtime.and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(End::Held) => ExitCode::SUCCESS,
        Ok(End::Failed) => ExitCode::FAILURE,
        Ok(End::Partly | End::Skipped) => ExitCode::from(SKIPPED),
        Err(error) => {
            eprintln!("hoopoe-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether everything held in every scenario, or in all but what was skipped.
async fn run(options: &Options) -> Result<End> {
    let mut ends = Vec::new();
    for scenario in options.scenario.each() {
        eprintln!("==> chaos: {}", scenario.name());
        // A task of its own: what a scenario stands on panics when it cannot go on, and those after it still run.
        let (options_of_its_own, task) = (options.clone(), LocalSet::new());
        let course = task.spawn_local(async move { scenarios::run(scenario, &options_of_its_own).await });
        let outcome = match task.run_until(course).await {
            Ok(outcome) => outcome.with_context(|| scenario.name()),
            Err(broken) => Err(anyhow::anyhow!("{}: it broke off: {broken}", scenario.name())),
        };
        let end = match outcome {
            Ok(Some(report)) => {
                report.write(&options.out)?;
                println!("{}", report.markdown());
                end(report.held(), report.is_partial())
            }
            Ok(None) if options.scenario == Scenario::All => End::Skipped,
            Ok(None) => {
                eprintln!("error: {}: nothing ran, for want of what is named above", scenario.name());
                End::Failed
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                End::Failed
            }
        };
        ends.push((scenario.name(), end));
    }
    if options.scenario == Scenario::All {
        println!("{}", summary(&ends));
    }
    Ok(whole(&ends))
}

/// How a scenario ended that ran, all of it or in part.
fn end(held: bool, is_partial: bool) -> End {
    match (held, is_partial) {
        (false, _) => End::Failed,
        (true, true) => End::Partly,
        (true, false) => End::Held,
    }
}

/// One line for each scenario.
fn summary(ends: &[(&str, End)]) -> String {
    let line = |(name, end): &(&str, End)| match end {
        End::Held => format!("{name}: held"),
        End::Failed => format!("{name}: FAILED"),
        End::Partly => format!("{name}: held in part, something is SKIPPED: see its report"),
        End::Skipped => format!("{name}: SKIPPED, nothing of it ran"),
    };
    ends.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What all of them together have shown.
fn whole(ends: &[(&str, End)]) -> End {
    let any = |end: End| ends.iter().any(|(_, one)| *one == end);
    if any(End::Failed) {
        End::Failed
    } else if any(End::Partly) || any(End::Skipped) {
        End::Partly
    } else {
        End::Held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_not_told_as_held() {
        let ends = [("kill", End::Held), ("redis", End::Skipped), ("graph", End::Failed)];
        assert_eq!(summary(&ends), "kill: held\nredis: SKIPPED, nothing of it ran\ngraph: FAILED");
        assert!(whole(&ends) == End::Failed);
        assert!(whole(&ends[..2]) == End::Partly);
        assert!(whole(&ends[..1]) == End::Held);
    }

    #[test]
    fn what_ran_in_part_is_not_told_as_held() {
        assert!(end(true, false) == End::Held && end(true, true) == End::Partly);
        assert!(end(false, false) == End::Failed && end(false, true) == End::Failed);
        let ends = [("kill", End::Held), ("postgres", End::Partly), ("graph", End::Failed)];
        assert!(summary(&ends).contains("\npostgres: held in part, something is SKIPPED"), "{}", summary(&ends));
        assert!(whole(&ends) == End::Failed);
        assert!(whole(&ends[..2]) == End::Partly && whole(&ends[1..2]) == End::Partly);
    }
}
