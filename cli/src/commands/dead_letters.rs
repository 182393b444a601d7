//! `hoopoe dead-letters`: messages that were given up.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Output, fields, moment, table, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe dead-letters                          # list them, newest first
  hoopoe dead-letters show 0198f2c5-...        # one of them: what it says, why it was given up, step by step
  hoopoe dead-letters redrive 0198f2c5-...     # send these once more
  hoopoe dead-letters redrive --oldest 100 --expires-in 3600
  hoopoe dead-letters purge --oldest 1000      # take them off the list; they stay, as failed";

/// List messages that were given up, show one, send them once more, or take them off the list
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
    /// Show a message with its timeline; one that was sent once more or taken off the list, too
    Show {
        /// Its id
        message: String,
    },
    /// Send them once more
    Redrive {
        #[command(flatten)]
        selection: Selection,
        /// Seconds for which they are worth sending from now, at most 2,592,000; a day when not given
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u32>,
    },
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
    let (path, selection, expires_in, done) = match &options.what {
        None => return list(&api, options),
        Some(What::Show { message }) => {
            options.output.show(&api.get(&format!("/messages/{message}"))?, shown);
            return Ok(());
        }
        Some(What::Redrive { selection, expires_in }) => {
            ("/dead-letters/redrive", selection, *expires_in, "queued once more")
        }
        Some(What::Purge(selection)) => ("/dead-letters/purge", selection, None, "taken off the list"),
    };
    let mut body = match selection.oldest {
        Some(count) => json!({ "oldest": count }),
        None => json!({ "messages": selection.messages }),
    };
    if let Some(seconds) = expires_in {
        body["expires_in"] = json!(seconds);
    }
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
        let mut shown = table(&["MESSAGE", "GIVEN UP", "TO", "ATTEMPTS", "WHY"], &rows);
        if let Some(next) = answer["next"].as_str() {
            shown.push_str(&format!("older: --before {next}\n"));
        }
        shown
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

fn shown(message: &Value) -> String {
    let content = [&message["type"], &message["body"]].map(text);
    let facts = [
        ("message", text(&message["id"])),
        ("to", text(&message["contact"])),
        ("from", text(&message["phoneNumberId"])),
        ("content", joined(&content)),
        ("status", text(&message["status"])),
        ("attempts", text(&message["attempts"])),
        ("given up", moment(&message["deadAt"])),
        ("why", reason(&message["error"])),
    ];
    let steps: Vec<Vec<String>> = message["timeline"].as_array().into_iter().flatten().map(step).collect();
    format!("{}\n{}", fields(&facts), table(&["AT", "STEP", "WHY"], &steps))
}

fn step(step: &Value) -> Vec<String> {
    vec![moment(&step["occurredAt"]), text(&step["status"]), reason(&step["detail"])]
}

/// Why a message, or a step of it, failed: the host's error, or the errors within a status of Meta. Empty for others.
fn reason(detail: &Value) -> String {
    if let Some(errors) = detail["errors"].as_array() {
        return errors.iter().map(reported).collect::<Vec<_>>().join("; ");
    }
    let numbers = [("code", "code"), ("subcode", "subcode"), ("HTTP", "httpStatus")];
    let numbers = numbers.map(|(name, field)| (name, text(&detail[field])));
    let numbers: Vec<String> =
        numbers.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name} {value}")).collect();
    joined(&[text(&detail["class"]), numbers.join(", "), text(&detail["message"])])
}

fn reported(error: &Value) -> String {
    let [code, title, details] = [&error["code"], &error["title"], &error["error_data"]["details"]].map(text);
    joined(&[format!("code {code}"), title, details])
}

/// Those that are not empty, with colons between.
fn joined(parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_with_the_whole_reason_of_every_step() {
        let error = json!({ "class": "permanent", "code": 131026, "httpStatus": 400, "message": "no" });
        let errors = json!([{ "code": 131049, "title": "Not sent", "error_data": { "details": "too many" } }]);
        let shown = shown(&json!({
            "id": "0198", "contact": "16505551234", "type": "text", "body": "hello", "status": "failed", "attempts": 1,
            "error": error,
            "timeline": [
                { "status": "accepted", "occurredAt": "a", "detail": null },
                { "status": "failed", "occurredAt": "b", "detail": { "status": "failed", "errors": errors } },
                { "status": "failed", "occurredAt": "c", "detail": error },
            ],
        }));
        let expected = "\
message   0198
to        16505551234
content   text: hello
status    failed
attempts  1
why       permanent: code 131026, HTTP 400: no

AT  STEP      WHY
a   accepted
b   failed    code 131049: Not sent: too many
c   failed    permanent: code 131026, HTTP 400: no
";
        assert_eq!(shown, expected);
    }
}
