//! `hoopoe dead-letters`: messages that were given up.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Output, moment, table, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe dead-letters                          # list them, newest first
  hoopoe dead-letters redrive 0198f2c5-...     # send these once more
  hoopoe dead-letters redrive --oldest 100
  hoopoe dead-letters purge --oldest 1000      # take them off the list; they stay, as failed";

/// List messages that were given up, send them once more, or take them off the list
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// How many to list
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
    /// Older than the page before: its `next`
    #[arg(long, value_name = "MESSAGE")]
    before: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Send them once more
    Redrive(Selection),
    /// Take them off the list
    Purge(Selection),
}

#[derive(Debug, Args)]
struct Selection {
    /// These messages
    #[arg(value_name = "MESSAGE", required_unless_present = "oldest", conflicts_with = "oldest")]
    messages: Vec<String>,
    /// So many, the oldest first; at most 1,000
    #[arg(long, value_name = "COUNT")]
    oldest: Option<u32>,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

/// Do it.
pub fn run(options: &Options) -> Result<(), Error> {
    let api = Api::new(options.connection.settings()?);
    let (path, selection, done) = match &options.what {
        None => return list(&api, options),
        Some(What::Redrive(selection)) => ("/dead-letters/redrive", selection, "queued once more"),
        Some(What::Purge(selection)) => ("/dead-letters/purge", selection, "taken off the list"),
    };
    let body = match selection.oldest {
        Some(count) => json!({ "oldest": count }),
        None => json!({ "messages": selection.messages }),
    };
    let answer = api.post(path, &body)?;
    options.output.show(&answer, |answer| {
        let count = answer["messages"].as_array().map_or(0, Vec::len);
        let messages = if count == 1 { "message is" } else { "messages are" };
        format!("{count} {messages} {done}")
    });
    Ok(())
}

fn list(api: &Api, options: &Options) -> Result<(), Error> {
    let mut parameters = vec![("limit", options.limit.to_string())];
    parameters.extend(options.before.clone().map(|before| ("before", before)));
    let answer = api.query("/dead-letters", &parameters)?;
    options.output.show(&answer, |answer| {
        let rows: Vec<Vec<String>> = answer["messages"].as_array().into_iter().flatten().map(row).collect();
        if rows.is_empty() {
            return "there is none".to_owned();
        }
        table(&["MESSAGE", "GIVEN UP", "TO", "ATTEMPTS", "WHY"], &rows)
    });
    Ok(())
}

fn row(message: &Value) -> Vec<String> {
    vec![
        text(&message["id"]),
        moment(&message["deadAt"]),
        text(&message["contact"]),
        text(&message["attempts"]),
        format!("{}: {}", text(&message["error"]["class"]), text(&message["error"]["message"])),
    ]
}
