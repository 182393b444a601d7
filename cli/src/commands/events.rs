//! `hoopoe events`: what Meta told besides messages and their progress.

use clap::Args;
use serde_json::Value;

use crate::output::{Output, moment, size, table, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe events
  hoopoe events --kind calls
  hoopoe events 4711                  # one of them whole, as Meta sent it
  hoopoe events --json | jq '.events[].payload'";

/// List what Meta told besides messages, newest first: calls, history, groups, echoes; or show one event
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Show this event, of whatever kind
    #[arg(value_name = "EVENT")]
    event: Option<u64>,
    /// Only of this kind, such as `calls`, `history` or `echo`
    #[arg(long)]
    kind: Option<String>,
    /// How many to list
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
    /// Older than the page before: its `next`
    #[arg(long, value_name = "EVENT")]
    before: Option<u64>,
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

/// List them.
pub fn run(options: &Options) -> Result<(), Error> {
    let api = Api::new(options.connection.settings()?);
    if let Some(event) = options.event {
        let answer = api.get(&format!("/events/{event}"))?;
        options.output.show(&answer, |answer| format!("{:#}", answer["payload"]));
        return Ok(());
    }
    let mut parameters = vec![("limit", options.limit.to_string())];
    parameters.extend(options.kind.iter().map(|kind| ("kind", kind.clone())));
    parameters.extend(options.before.iter().map(|before| ("before", before.to_string())));
    let answer = api.query("/events", &parameters)?;
    options.output.show(&answer, |answer| {
        let rows: Vec<Vec<String>> = answer["events"].as_array().into_iter().flatten().map(row).collect();
        if rows.is_empty() {
            return "there is none".to_owned();
        }
        let mut shown = table(&["EVENT", "AT", "KIND", "NUMBER", "SIZE", "NOTE"], &rows);
        if !answer["next"].is_null() {
            shown.push_str(&format!("older: --before {}\n", text(&answer["next"])));
        }
        shown
    });
    Ok(())
}

fn row(event: &Value) -> Vec<String> {
    let bytes = match &event["payload"] {
        Value::Null => "large".to_owned(),
        payload => size(payload.to_string().len() as u64),
    };
    vec![
        text(&event["id"]),
        moment(&event["occurredAt"]),
        text(&event["kind"]),
        text(&event["phoneNumberId"]),
        bytes,
        text(&event["note"]),
    ]
}
