//! `hoopoe runs`: what the flow decided, event by event.

use clap::Args;
use serde_json::Value;

use crate::output::{Output, moment, size, table, text};
use crate::{Api, Connection, Error, outcome};

const EXAMPLES: &str = "\
Examples:
  hoopoe runs
  hoopoe runs --result failed --limit 100
  hoopoe runs 4711                    # all of one event: context, outcome, log
  hoopoe runs --json | jq '.runs[].fuel'";

/// List runs of flows, newest first, or show those of one event
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Show the runs of this event
    #[arg(value_name = "EVENT")]
    event: Option<u64>,
    #[command(flatten)]
    filter: Filter,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
    /// Older than the page before: its `next`
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// Which runs.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only those of the plugin with this name in its manifest, or of one version: `name@1.2.0`
    #[arg(long, short, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Only those of this conversation
    #[arg(long, value_name = "ID")]
    pub conversation: Option<String>,
    /// Only those with this result, such as `done`, `retry`, `trap`; `failed` for all that failed
    #[arg(long)]
    pub result: Option<String>,
}

impl Filter {
    /// As parameters of the API.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let all = [("plugin", &self.plugin), ("conversation", &self.conversation), ("result", &self.result)];
        all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

/// List them.
pub fn run(options: &Options) -> Result<(), Error> {
    let api = Api::new(options.connection.settings()?);
    if let Some(event) = options.event {
        let answer = api.get(&format!("/runs/{event}"))?;
        options.output.show(&answer, |answer| {
            let shown: Vec<String> = of_event(answer).iter().map(one).collect();
            shown.join("\n")
        });
        return Ok(());
    }
    let mut parameters = options.filter.parameters();
    parameters.push(("limit", options.limit.to_string()));
    parameters.extend(options.before.iter().map(|before| ("before", before.clone())));
    let answer = api.query("/runs", &parameters)?;
    options.output.show(&answer, |answer| {
        let rows: Vec<Vec<String>> = answer["runs"].as_array().into_iter().flatten().map(row).collect();
        if rows.is_empty() {
            return "no run yet; `hoopoe say \"hi\"` makes one".to_owned();
        }
        let head = ["EVENT", "AT", "PLUGIN", "RESULT", "ACTIONS", "FUEL", "TIME", "MEMORY", "WHY"];
        let mut shown = table(&head, &rows);
        if let Some(next) = answer["next"].as_str() {
            shown.push_str(&format!("older: --before {next}\n"));
        }
        shown
    });
    Ok(())
}

/// The runs in the answer about one event.
pub fn of_event(answer: &Value) -> Vec<Value> {
    answer["runs"].as_array().cloned().unwrap_or_default()
}

fn row(run: &Value) -> Vec<String> {
    vec![
        text(&run["eventId"]),
        moment(&run["at"]),
        text(&run["plugin"]),
        text(&run["result"]),
        text(&run["actions"]),
        text(&run["fuel"]),
        format!("{} \u{b5}s", text(&run["micros"])),
        run["memoryBytes"].as_u64().map(size).unwrap_or_default(),
        text(&run["reason"]),
    ]
}

fn one(run: &Value) -> String {
    let mut shown = format!(
        "event {} attempt {} by {}: {} ({} fuel, {} \u{b5}s)\n",
        text(&run["eventId"]),
        text(&run["attempt"]),
        text(&run["plugin"]),
        text(&run["result"]),
        text(&run["fuel"]),
        text(&run["micros"]),
    );
    let mut add = |line: &str| shown.push_str(&format!("  {line}\n"));
    if let Some(reason) = run["reason"].as_str() {
        add(reason);
    }
    if run["outcome"].is_object() {
        outcome::lines(&run["outcome"]).iter().for_each(|line| add(line));
    }
    outcome::logs(&run["logs"]).iter().for_each(|line| add(&format!("log {line}")));
    shown
}
