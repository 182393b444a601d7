//! Benchmarks: what the runtime reaches, beside the floor that the same machine gives in the same run.
//!
//! In: a scenario and its options. Out: a table, and the same as Markdown and JSON in a folder, with a plot. Fails when something
//! cannot be measured, and after the report when a check does not hold: a fast run that lost a message is no result.

mod cold;
mod counters;
mod course;
mod database;
mod flame;
mod floor;
mod flow;
mod guests;
mod history;
mod hour;
mod http;
mod idle;
mod ingest;
mod load;
mod machine;
mod matched;
mod meter;
mod noisy;
mod number;
mod options;
mod report;
mod requests;
mod roundtrip;
mod runtime;
mod send;
mod sends;
mod stats;
mod stream;
mod threads;
mod webhooks;
mod world;

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
        Scenario::Send => &[send::run],
        Scenario::Idle => &[idle::run],
        Scenario::Number => &[number::run],
        Scenario::Noisy => &[noisy::run],
        Scenario::History => &[history::run],
        Scenario::Hour => &[hour::run],
        Scenario::All => &[
            flow::run,
            cold::run,
            ingest::run,
            roundtrip::run,
            send::run,
            idle::run,
            number::run,
            noisy::run,
            history::run,
        ],
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
