//! `cargo xtask bench`: the benchmarks, in release builds, on a Postgres that syncs as in production.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::postgres::{self, Account, Cluster, Database, Kind};
use crate::process::{self, Running};
use crate::step::step;
use crate::{arguments, build, setup};

const LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// flow, cold, ingest, roundtrip, send, idle, number-1000, noisy, history, hour (75 minutes; not part of all) or all (the default), and options of the benchmark, for example `--seconds 10`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "NAME AND OPTIONS")]
    arguments: Vec<String>,
}

/// Build, start Postgres, measure.
pub fn run(options: &Options) -> Result<()> {
    setup::run()?;
    let [hoopoe, meta_sim, bench] = build::programs(["hoopoe", "meta-sim", "hoopoe-bench"], true)?;
    let database = Database::start(Kind::Bench)?;
    let mut command = process::command(bench);
    command.args(arguments::with_name(&options.arguments));
    command.env("HOOPOE_BIN", hoopoe).env("META_SIM_BIN", meta_sim);
    if let Database::Embedded(cluster) = &database {
        postgres::create_database(cluster.binaries(), &cluster.url("postgres"), "hoopoe_bench")?;
        let microseconds = step("measuring fdatasync", || fdatasync(cluster))?;
        command.env("FDATASYNC_US", microseconds.to_string());
    }
    command.env("DATABASE_URL", database.url("hoopoe_bench"));
    process::run("the benchmark", &mut command, LIMIT)
}

/// Microseconds that one fdatasync takes where the cluster lies. `pg_test_fsync` is ended once it has said so: its
/// other measurements take half a minute.
fn fdatasync(cluster: &Cluster) -> Result<f64> {
    let mut command = cluster.binaries().command("pg_test_fsync");
    command.args(["--secs-per-test=1", "--filename"]).arg(cluster.dir().join("fsync.test"));
    Account::find()?.take_on(&mut command, cluster.dir());
    let mut running = Running::start("pg_test_fsync", command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let output = running.child().stdout.take().context("pg_test_fsync has no output")?;
    BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| microseconds(&line))
        .context("pg_test_fsync does not say how long fdatasync takes")
}

/// Of `        fdatasync      7359.123 ops/sec     136 usecs/op`: 136.
fn microseconds(line: &str) -> Option<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["fdatasync", _, "ops/sec", microseconds, "usecs/op"] => microseconds.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_fdatasync_is_read() {
        for (line, expected) in [
            ("        fdatasync                          7359.123 ops/sec     136 usecs/op", Some(136.0)),
            ("        open_datasync                      8000.000 ops/sec     125 usecs/op", None),
            ("        fdatasync                                       n/a", None),
            ("Compare file sync methods using one 8kB write:", None),
        ] {
            assert_eq!(microseconds(line), expected, "{line}");
        }
    }
}
