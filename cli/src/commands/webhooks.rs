//! `hoopoe webhooks`: the tenant's own endpoints, told what happens.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Output, moment, table, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe webhooks                                        # list them
  hoopoe webhooks add https://example.com/hoopoe         # told of everything; prints the secret, once
  hoopoe webhooks add https://example.com/hoopoe --types message.*,alert.*
  hoopoe webhooks test 0198f2c5-...                      # see whether it listens
  hoopoe webhooks deliveries 0198f2c5-...                # what it was told, and how it answered
  hoopoe webhooks remove 0198f2c5-...";

/// List the endpoints that are told what happens, add, try and remove them
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
    /// Add one, and print the secret that signs
    Add {
        /// Where to post
        url: String,
        /// What it wants to be told: types, families such as message.*, or *
        #[arg(long, value_delimiter = ',', default_value = "*")]
        types: Vec<String>,
    },
    /// Tell it that nothing has happened
    Test {
        /// Its id
        webhook: String,
    },
    /// What it was told and is to be told, newest first
    Deliveries {
        /// Its id
        webhook: String,
    },
    /// Remove it with all that waits for it
    Remove {
        /// Its id
        webhook: String,
    },
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
    match &options.what {
        None => options.output.show(&api.get("/webhooks")?, |answer| {
            let rows: Vec<Vec<String>> = answer["webhooks"].as_array().into_iter().flatten().map(row).collect();
            if rows.is_empty() {
                return "there is none; hoopoe webhooks add https://... adds one".to_owned();
            }
            table(&["WEBHOOK", "URL", "TYPES", "STATE"], &rows)
        }),
        Some(What::Add { url, types }) => {
            let answer = api.post("/webhooks", &json!({ "url": url, "types": types }))?;
            options.output.show(&answer, |answer| {
                let (id, secret) = (text(&answer["id"]), text(&answer["secret"]));
                format!("webhook {id} is added; its secret, which is not shown again:\n{secret}")
            });
        }
        Some(What::Test { webhook }) => {
            let answer = api.post(&format!("/webhooks/{webhook}/test"), &json!({}))?;
            options.output.show(&answer, |answer| {
                format!(
                    "{} is on its way; hoopoe webhooks deliveries {webhook} tells how it fared",
                    text(&answer["id"])
                )
            });
        }
        Some(What::Deliveries { webhook }) => {
            let answer = api.get(&format!("/webhooks/{webhook}/deliveries"))?;
            options.output.show(&answer, |answer| {
                let rows: Vec<Vec<String>> =
                    answer["deliveries"].as_array().into_iter().flatten().map(delivery).collect();
                if rows.is_empty() {
                    return "there is none".to_owned();
                }
                table(&["DELIVERY", "TYPE", "MADE", "STATUS", "ATTEMPTS", "ANSWER"], &rows)
            });
        }
        Some(What::Remove { webhook }) => {
            api.delete(&format!("/webhooks/{webhook}"))?;
            options.output.show(&json!({ "removed": webhook }), |_| format!("webhook {webhook} is removed"));
        }
    }
    Ok(())
}

fn row(webhook: &Value) -> Vec<String> {
    let types: Vec<String> = webhook["types"].as_array().into_iter().flatten().map(text).collect();
    let state = match (webhook["enabled"].as_bool(), &webhook["failingSince"]) {
        (Some(false), _) => format!("disabled: {}", text(&webhook["disabledReason"])),
        (_, Value::Null) => "ok".to_owned(),
        (_, since) => format!("failing since {}: {}", moment(since), text(&webhook["lastFailure"])),
    };
    vec![text(&webhook["id"]), text(&webhook["url"]), types.join(","), state]
}

fn delivery(delivery: &Value) -> Vec<String> {
    vec![
        text(&delivery["id"]),
        text(&delivery["type"]),
        moment(&delivery["createdAt"]),
        text(&delivery["status"]),
        text(&delivery["attempts"]),
        format!("{} {}", text(&delivery["responseStatus"]), text(&delivery["response"])).trim().to_owned(),
    ]
}
