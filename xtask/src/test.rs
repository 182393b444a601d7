//! `cargo xtask test`: everything that must hold before a change goes in.
//!
//! All checks run, also after one has failed, so that one run tells everything. Servers are stopped whatever
//! happens.

use std::io::IsTerminal;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::interrupt::Interrupted;
use crate::postgres::{Database, Kind};
use crate::redis::{self, Redis};
use crate::step::{seconds, step};
use crate::{chaos, fuzz, languages, process, setup};

/// A check that hangs is stopped, with what it started.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// What to run.
#[derive(Args)]
pub struct Options {
    /// Skip the checks of format and lints
    #[arg(long)]
    only_tests: bool,
    /// Passed on to the test runner, a part of a test's name for example: `cargo xtask test -- lanes`
    #[arg(last = true)]
    filter: Vec<String>,
}

/// One line of the summary.
struct Check {
    name: &'static str,
    took: Duration,
    error: Option<anyhow::Error>,
}

struct Checks(Vec<Check>);

impl Checks {
    /// Only an interruption ends the run early.
    fn add(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        match step(name, work) {
            Err(error) if error.is::<Interrupted>() => Err(error),
            outcome => {
                self.0.push(Check { name, took: start.elapsed(), error: outcome.err() });
                Ok(())
            }
        }
    }

    fn summary(&self) -> Result<()> {
        println!("\nSummary");
        for check in &self.0 {
            let verdict = if check.error.is_none() { "passed" } else { "FAILED" };
            println!("  {verdict}  {:<24} {}", check.name, seconds(check.took));
        }
        let failed: Vec<String> =
            self.0.iter().filter_map(|check| Some(format!("{:#}", check.error.as_ref()?))).collect();
        if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\nerror: ")) }
    }
}

/// Run the checks.
pub fn run(options: &Options) -> Result<()> {
    setup::run()?;
    let mut checks = Checks(Vec::new());
    if !options.only_tests {
        checks.add("format", || cargo("cargo fmt", &["fmt", "--all", "--check"]))?;
        checks.add("format of plugins", || {
            cargo("cargo fmt", &["fmt", "--all", "--check", "--manifest-path", "plugins/Cargo.toml"])
        })?;
        checks.add("clippy", || {
            cargo("cargo clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        })?;
    }
    let all = options.filter.is_empty();
    if all {
        checks.add("tests of plugins", || {
            cargo("the plugins' tests", &["test", "--manifest-path", "plugins/Cargo.toml", "--workspace"])
        })?;
        // Where they cannot be built it is said here, and their tests pass without them.
        checks.add("flows in other languages", || languages::build().map(drop))?;
    }
    // Built first: a server that waits for compilers would only take memory from them.
    checks.add("building tests", || call("building the tests", runner().arg("--no-run")))?;
    checks.add("tests", || {
        let database = Database::start(Kind::Test)?;
        let redis = Redis::start(redis::given())?;
        let mut tests = runner();
        tests.args(&options.filter).env("DATABASE_URL", database.url("postgres"));
        if let Some(url) = redis.url() {
            tests.env("REDIS_URL", url);
        }
        call("the tests", &mut tests)
    })?;
    if all {
        checks.add("examples in documentation", || {
            // All of the workspace: its dependencies are compiled by now, those of one package alone would not be.
            cargo("the examples", &["test", "--workspace", "--doc"])
        })?;
        // What is skipped is not told as passed.
        if fuzz::can_run() {
            checks.add("fuzz targets", fuzz::short)?;
        }
        checks.add("faults under load", chaos::short)?;
    }
    checks.summary()
}

/// cargo-nextest where it is there, else cargo's own.
fn runner() -> Command {
    let has_nextest = process::succeeds(process::cargo().args(["nextest", "--version"]));
    let mut command = process::cargo();
    if has_nextest {
        // .config/nextest.toml says that all tests run, also after one has failed.
        command.args(["nextest", "run", "--workspace"]);
        if !std::io::stderr().is_terminal() {
            command.arg("--show-progress=none");
        }
    } else {
        command.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    command
}

fn cargo(name: &str, arguments: &[&str]) -> Result<()> {
    call(name, process::cargo().args(arguments))
}

fn call(name: &str, command: &mut Command) -> Result<()> {
    process::run(name, command, LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_the_rest_still_runs() {
        let mut checks = Checks(Vec::new());
        checks.add("one", || bail!("one is wrong")).expect("not interrupted");
        checks.add("two", || Ok(())).expect("not interrupted");
        assert_eq!(checks.0.len(), 2);
        assert_eq!(checks.summary().expect_err("one failed").to_string(), "one is wrong");
        assert!(Checks(Vec::new()).summary().is_ok());
    }

    #[test]
    fn an_interruption_ends_the_run() {
        let mut checks = Checks(Vec::new());
        assert!(checks.add("one", || Err(Interrupted.into())).is_err());
    }
}
