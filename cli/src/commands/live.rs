//! `hoopoe live`: what happens to the tenant, as it happens.

use chrono::Local;
use clap::Args;
use serde_json::Value;

use crate::output::{Output, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe live
  hoopoe live --json | jq 'select(.type == \"run\")'";

/// Watch what happens to the tenant, on whatever process of the host, until Ctrl-C: events, runs, steps of messages
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
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

/// Show it. An end of the host, or of the connection to it, is an error.
pub fn run(options: &Options) -> Result<(), Error> {
    let api = Api::new(options.connection.settings()?);
    for line in api.follow("/live")? {
        // Each is one line of data, which has its type; the other lines are names and signs of life.
        if let Some(happening) = line?.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok()) {
            options.output.event(&happening, &shown(&happening));
        }
    }
    Err(Error::Unreachable(format!("{} has ended the connection; it may be starting anew", api.settings().url)))
}

fn shown(happening: &Value) -> String {
    let fields = happening.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, value)| *name != "type" && !value.is_null());
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={}", text(value))).collect();
    format!("{} {} {}", Local::now().format("%H:%M:%S%.3f"), text(&happening["type"]), fields.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_happening_is_a_line_with_its_fields() {
        let line = shown(&json!({ "type": "event", "eventId": 7, "kind": "message", "conversationId": null }));
        assert!(line.ends_with(" event eventId=7 kind=message"), "{line}");
    }
}
