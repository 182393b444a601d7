//! `hoopoe logs`: what the flow wrote to its log, and why runs failed.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::runs::{Filter, of_event};
use crate::output::{Output, moment, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe logs -n 50
  hoopoe logs -f --plugin my-bot
  hoopoe logs -f --json | jq -r .message";

/// How often `--follow` asks.
const BETWEEN: Duration = Duration::from_millis(500);
/// Runs that are looked at in one go.
const PAGE: usize = 200;

/// Show the log lines of runs and the reasons of failures, oldest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How many runs to begin with
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

/// Show them.
pub fn run(options: &Options) -> Result<(), Error> {
    let mut api = Api::new(options.connection.settings()?);
    let mut seen = Seen::default();
    let mut away = false;
    loop {
        match look(&api, options, &mut seen) {
            Ok(()) => away = false,
            // A host that restarts comes back, perhaps at another port; the first question has to be answered, though.
            Err(error) if options.follow && seen.any && may_pass(&error) => {
                if !std::mem::replace(&mut away, true) {
                    eprintln!("{error}");
                }
                api = Api::new(options.connection.settings()?);
            }
            Err(error) => return Err(error),
        }
        if !options.follow {
            return Ok(());
        }
        std::thread::sleep(BETWEEN);
    }
}

fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Unreachable(_) | Error::Refused { status: 500.., .. })
}

/// Show what is new.
fn look(api: &Api, options: &Options, seen: &mut Seen) -> Result<(), Error> {
    let mut parameters = options.filter.parameters();
    parameters.push(("limit", PAGE.to_string()));
    let answer = api.query("/runs", &parameters)?;
    let new = seen.unseen(&answer);
    let begin = if seen.any { 0 } else { new.len().saturating_sub(options.limit as usize) };
    for run in &new[begin..] {
        show(api, run, options.output)?;
        seen.known.insert(key(run));
    }
    seen.had(&answer);
    Ok(())
}

/// Runs that were shown, or that are older.
#[derive(Default)]
struct Seen {
    known: HashSet<(u64, u64)>,
    any: bool,
}

impl Seen {
    /// Those of a page, newest first, that were not shown yet, oldest first.
    fn unseen(&self, page: &Value) -> Vec<Value> {
        let runs = page["runs"].as_array().into_iter().flatten();
        runs.rev().filter(|run| !self.known.contains(&key(run))).cloned().collect()
    }

    /// What has left the page does not come back: it holds the newest.
    fn had(&mut self, page: &Value) {
        self.known = page["runs"].as_array().into_iter().flatten().map(key).collect();
        self.any = true;
    }
}

fn key(run: &Value) -> (u64, u64) {
    (run["eventId"].as_u64().unwrap_or_default(), run["attempt"].as_u64().unwrap_or_default())
}

fn show(api: &Api, run: &Value, output: Output) -> Result<(), Error> {
    let detail = if run["logs"].is_array() { run.clone() } else { detail(api, run)? };
    let line = |level: &str, message: &str| {
        let value = json!({
            "at": run["at"], "eventId": run["eventId"], "attempt": run["attempt"], "plugin": run["plugin"],
            "level": level, "message": message,
        });
        let (at, event, plugin) = (moment(&run["at"]), text(&run["eventId"]), text(&run["plugin"]));
        output.event(&value, &format!("{at} {event} {plugin} {level}: {message}"));
    };
    for entry in detail["logs"].as_array().into_iter().flatten() {
        line(&text(&entry["level"]), &text(&entry["message"]));
    }
    match run["result"].as_str() {
        Some("done" | "unwanted" | "handed-off") | None => {}
        Some(result) => line("failure", &format!("{result}: {}", text(&run["reason"]))),
    }
    Ok(())
}

/// The run with its log; removed since, it has none.
fn detail(api: &Api, run: &Value) -> Result<Value, Error> {
    match api.get(&format!("/runs/{}", text(&run["eventId"]))) {
        Ok(answer) => {
            let same = |other: &&Value| other["attempt"] == run["attempt"];
            Ok(of_event(&answer).iter().find(same).cloned().unwrap_or_default())
        }
        Err(Error::Refused { status: 404, .. }) => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_shown_once_and_in_order() {
        let run = |event: u64, attempt: u64| json!({ "eventId": event, "attempt": attempt });
        let page = |runs: &[Value]| json!({ "runs": runs });
        let mut seen = Seen::default();
        let first = page(&[run(2, 1), run(1, 1)]);
        assert_eq!(seen.unseen(&first), [run(1, 1), run(2, 1)]);
        seen.had(&first);
        assert_eq!(seen.unseen(&first), [] as [Value; 0]);
        let second = page(&[run(3, 1), run(2, 2), run(2, 1)]);
        assert_eq!(seen.unseen(&second), [run(2, 2), run(3, 1)]);
    }
}
