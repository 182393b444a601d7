//! `hoopoe alerts`: when the tenant's webhooks are told that something is wrong.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::output::{Output, moment, table, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe alerts                                          # the bounds, and what is raised
  hoopoe alerts set dead-letters --threshold 100 --period 600
  hoopoe alerts set queue-age --threshold 60
  hoopoe alerts set queue-age                            # the defaults again

Who is to be told: hoopoe webhooks add https://example.com/hoopoe --types alert.*";

/// Show when the tenant's webhooks are told that something is wrong, or set it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The bounds of each alert, and whether it is raised
    Show,
    /// Set the bounds of an alert; those that are not given become the defaults
    Set {
        /// Which one
        alert: Alert,
        /// Raised by more than so many dead letters, or seconds; at most 1,000,000
        #[arg(long, value_name = "NUMBER")]
        threshold: Option<u32>,
        /// Seconds over which dead letters are counted, and within which it is raised once; at most 86,400
        #[arg(long, value_name = "SECONDS")]
        period: Option<u32>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Alert {
    /// More new dead letters within the period than the threshold
    DeadLetters,
    /// Work is ready and not begun for more seconds than the threshold
    QueueAge,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

impl Alert {
    /// The API's name of it.
    fn field(self) -> &'static str {
        match self {
            Self::DeadLetters => "deadLetters",
            Self::QueueAge => "queueAge",
        }
    }
}

/// Show or set them.
pub fn run(options: &Options) -> Result<(), Error> {
    let api = Api::new(options.connection.settings()?);
    let answer = match &options.what {
        None | Some(What::Show) => api.get("/alerts")?,
        Some(What::Set { alert, threshold, period }) => {
            let bounds = json!({ "threshold": threshold, "periodSeconds": period });
            api.put("/alerts", &json!({ (alert.field()): bounds }))?
        }
    };
    options.output.show(&answer, shown);
    Ok(())
}

fn shown(alerts: &Value) -> String {
    let rows = [("dead-letters", " messages", &alerts["deadLetters"]), ("queue-age", " s", &alerts["queueAge"])];
    let rows = rows.map(|(name, unit, alert)| {
        let bounds = [format!("{}{unit}", text(&alert["threshold"])), format!("{} s", text(&alert["periodSeconds"]))];
        let [threshold, period] = bounds;
        vec![name.to_owned(), threshold, period, state(alert)]
    });
    table(&["ALERT", "MORE THAN", "PERIOD", "STATE"], &rows)
}

fn state(alert: &Value) -> String {
    match (alert["raised"].as_bool(), &alert["resolvedAt"]) {
        (Some(true), _) => format!("raised since {}", moment(&alert["raisedAt"])),
        (_, Value::Null) => "ok".to_owned(),
        (_, since) => format!("ok since {}", moment(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_a_row_with_its_bounds_and_its_state() {
        let alert = |raised: bool, raised_at: Value, resolved_at: Value| {
            json!({
                "threshold": 10, "periodSeconds": 300, "raised": raised, "raisedAt": raised_at,
                "resolvedAt": resolved_at,
            })
        };
        let (dead, old) = (alert(true, json!("noon"), Value::Null), alert(false, json!("noon"), json!("one")));
        let expected = "\
ALERT         MORE THAN    PERIOD  STATE
dead-letters  10 messages  300 s   raised since noon
queue-age     10 s         300 s   ok since one
";
        assert_eq!(shown(&json!({ "deadLetters": dead, "queueAge": old })), expected);
        assert_eq!(state(&alert(false, Value::Null, Value::Null)), "ok");
    }
}
