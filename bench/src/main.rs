//! Benchmarks: what the runtime reaches, beside the floor that the same machine gives in the same run.
//!
//! In: a scenario and its options. Out: a table, and the same as Markdown and JSON in a folder. Fails when something
//! cannot be measured, and after the report when a check does not hold: a fast run that lost a message is no result.

mod cold;
mod database;
mod flow;
mod http;
mod ingest;
mod load;
mod machine;
mod meter;
mod options;
mod report;
mod roundtrip;
mod runtime;
mod stats;
mod threads;
mod webhooks;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::options::{Options, Scenario};
use crate::report::Report;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hoopoe-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether every check held.
fn run(options: &Options) -> Result<bool> {
    let scenarios: &[fn(&Options) -> Result<Report>] = match options.scenario {
        Scenario::Cold => &[cold::run],
        Scenario::Flow => &[flow::run],
        Scenario::Ingest => &[ingest::run],
        Scenario::Roundtrip => &[roundtrip::run],
        Scenario::All => &[flow::run, cold::run, ingest::run, roundtrip::run],
    };
    let mut all_held = true;
    for scenario in scenarios {
        let report = scenario(options)?;
        report.write(&options.out)?;
        println!("{}", report.markdown());
        all_held &= report.held();
    }
    Ok(all_held)
}
