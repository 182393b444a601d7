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
use crate::{chaos, fuzz, languages, packages, process, setup};

/// A check that hangs is stopped, with what it started.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// What the faults under load may have left out; the program says which of it.
const SKIPPED_FAULTS: &str = "what is SKIPPED above: the scenario redis, which needs a redis-server, or the stops of \
     Postgres, which need one of xtask's own (no DATABASE_URL)";

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
    outcome: Outcome,
}

enum Outcome {
    Passed,
    /// What ran has passed; what did not run on this machine, in words.
    Partly(String),
    /// Nothing of it ran.
    Skipped,
    Failed(anyhow::Error),
}

impl Check {
    fn line(&self) -> String {
        let (verdict, missing) = match &self.outcome {
            Outcome::Passed => ("passed", String::new()),
            Outcome::Partly(missing) => ("PARTLY", format!(", not run: {missing}")),
            Outcome::Skipped => ("SKIPPED", String::new()),
            Outcome::Failed(_) => ("FAILED", String::new()),
        };
        format!("  {verdict:<7}  {:<24} {}{missing}", self.name, seconds(self.took))
    }
}

struct Checks(Vec<Check>);

impl Checks {
    /// Only an interruption ends the run early.
    fn add(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.add_partly(name, || work().map(|()| None))
    }

    /// Work that says what of it could not run on this machine.
    fn add_partly(&mut self, name: &'static str, work: impl FnOnce() -> Result<Option<String>>) -> Result<()> {
        let start = Instant::now();
        let outcome = match step(name, work) {
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => Outcome::Failed(error),
            Ok(None) => Outcome::Passed,
            Ok(Some(missing)) => Outcome::Partly(missing),
        };
        self.0.push(Check { name, took: start.elapsed(), outcome });
        Ok(())
    }

    /// Work that cannot run on this machine.
    fn skip(&mut self, name: &'static str) {
        self.0.push(Check { name, took: Duration::ZERO, outcome: Outcome::Skipped });
    }

    fn summary(&self) -> Result<()> {
        println!("\nSummary");
        for check in &self.0 {
            println!("{}", check.line());
        }
        let error = |check: &Check| match &check.outcome {
            Outcome::Failed(error) => Some(format!("{error:#}")),
            _ => None,
        };
        let failed: Vec<String> = self.0.iter().filter_map(error).collect();
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
        checks.add_partly("flows in other languages", || {
            let missing = languages::build()?;
            Ok((!missing.is_empty()).then(|| missing.join(", ")))
        })?;
    }
    // Built first: a server that waits for compilers would only take memory from them.
    checks.add("building tests", || call("building the tests", runner().arg("--no-run")))?;
    checks.add_partly("tests", || {
        let database = Database::start(Kind::Test)?;
        let redis = Redis::start(redis::given())?;
        let mut tests = runner();
        tests.args(&options.filter).env("DATABASE_URL", database.url("postgres"));
        if let Some(url) = redis.url() {
            tests.env("REDIS_URL", url);
        }
        call("the tests", &mut tests)?;
        let has_both = ["redis-server", "redis-cli"].into_iter().all(|program| packages::in_path(program).is_some());
        Ok(without_redis(redis::find().is_some(), has_both).map(str::to_owned))
    })?;
    if all {
        checks.add("examples in documentation", || {
            // All of the workspace: its dependencies are compiled by now, those of one package alone would not be.
            cargo("the examples", &["test", "--workspace", "--doc"])
        })?;
        if fuzz::can_run() {
            checks.add("fuzz targets", fuzz::short)?;
        } else {
            checks.skip("fuzz targets");
        }
        checks.add_partly("faults under load", || {
            let all_ran = chaos::short()?;
            Ok((!all_ran).then(|| SKIPPED_FAULTS.to_owned()))
        })?;
    }
    checks.summary()
}

/// What of the tests does not run without Redis's programs, in words. The nodes of a cluster are made with the client.
fn without_redis(has_server: bool, has_server_and_client: bool) -> Option<&'static str> {
    match (has_server, has_server_and_client) {
        (false, _) => Some("what needs a redis-server"),
        (true, false) => Some("the test of a Redis Cluster, which needs redis-server and redis-cli"),
        (true, true) => None,
    }
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
    fn what_did_not_run_is_not_told_as_passed() {
        let mut checks = Checks(Vec::new());
        checks.add("one", || Ok(())).expect("not interrupted");
        checks.add_partly("two", || Ok(Some("a scenario".to_owned()))).expect("not interrupted");
        checks.skip("three");
        let lines: Vec<String> = checks.0.iter().map(Check::line).collect();
        let passed: Vec<bool> = lines.iter().map(|line| line.contains("passed")).collect();
        assert_eq!(passed, [true, false, false], "{lines:?}");
        assert!(lines[1].starts_with("  PARTLY") && lines[1].ends_with(", not run: a scenario"), "{lines:?}");
        assert!(lines[2].starts_with("  SKIPPED"), "{lines:?}");
        assert!(checks.summary().is_ok(), "what is missing on a machine is no failure");
    }

    #[test]
    fn tests_that_need_redis_are_not_told_as_passed_without_its_programs() {
        assert_eq!(without_redis(true, true), None);
        assert!(without_redis(false, false).is_some_and(|what| what.contains("redis-server")));
        // Valkey's server alone, or a server without its client.
        assert!(without_redis(true, false).is_some_and(|what| what.contains("Cluster")));
    }

    #[test]
    fn an_interruption_ends_the_run() {
        let mut checks = Checks(Vec::new());
        assert!(checks.add("one", || Err(Interrupted.into())).is_err());
    }
}
