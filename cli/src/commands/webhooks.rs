//! `hoopoe webhooks`: the tenant's own endpoints, told what happens.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Output, fields, moment, table, text};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe webhooks                                        # list them
  hoopoe webhooks add https://example.com/hoopoe         # told of everything; prints the secret, once
  hoopoe webhooks add https://example.com/hoopoe --types message.*,alert.*
  hoopoe webhooks show 0198f2c5-...                      # how it fares
  hoopoe webhooks update 0198f2c5-... --enabled true     # on again; what waited goes out
  hoopoe webhooks test 0198f2c5-...                      # see whether it listens
  hoopoe webhooks deliveries 0198f2c5-... --status failed
  hoopoe webhooks redrive 0198f2c5-... evt_4c0cf9f1...   # this notice once more
  hoopoe webhooks redrive 0198f2c5-... --since 2026-01-01T00:00:00Z
  hoopoe webhooks rotate-secret 0198f2c5-...             # prints the new secret, once
  hoopoe webhooks remove 0198f2c5-...";

/// Of a webhook among others.
const HEAD: [&str; 4] = ["WEBHOOK", "URL", "TYPES", "STATE"];
/// Notices that one request sends once more.
const MOST: u64 = 1_000;

/// List the endpoints that are told what happens, add, change, try and remove them
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
        // Not `url`: an argument with the name of a global flag would be its value, and the key would go there.
        /// Where to post
        #[arg(value_name = "URL")]
        endpoint: String,
        /// What it wants to be told: types, families such as message.*, or *
        #[arg(long, value_delimiter = ',', default_value = "*")]
        types: Vec<String>,
        /// For people, at most 200 characters
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// How it fares, and what it was told in vain of late
    Show {
        /// Its id
        webhook: String,
    },
    /// Change it, switch it off, or on again
    Update {
        /// Its id
        webhook: String,
        #[command(flatten)]
        change: Change,
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
        /// Only those that are `waiting`, `delivered` or `failed`
        #[arg(long)]
        status: Option<String>,
        /// How many
        #[arg(long, short = 'n', default_value_t = 50)]
        limit: u32,
        /// Older than the page before: its `next`
        #[arg(long, value_name = "CURSOR")]
        before: Option<String>,
    },
    /// Send notices once more, with all of their attempts and under the same ids
    Redrive {
        /// Its id
        webhook: String,
        /// This notice, delivered or failed
        #[arg(required_unless_present = "since", conflicts_with = "since")]
        notice: Option<String>,
        /// Those that failed and were made at this moment (RFC 3339) or later, 1,000 at once
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Sign with a new secret, and print it; for 24 hours the former one signs along
    RotateSecret {
        /// Its id
        webhook: String,
    },
    /// Remove it with all that waits for it
    Remove {
        /// Its id
        webhook: String,
    },
}

// What is not given stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Where to post
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// What it wants to be told: types, families such as message.*, or *
    #[arg(long, value_delimiter = ',')]
    types: Option<Vec<String>>,
    /// For people, at most 200 characters
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// `false` switches it off; `true` on again, also when it was disabled because it failed
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

impl Change {
    fn body(&self) -> Value {
        let given = [
            ("url", self.endpoint.as_ref().map(|value| json!(value))),
            ("types", self.types.as_ref().map(|value| json!(value))),
            ("description", self.description.as_ref().map(|value| json!(value))),
            ("enabled", self.enabled.map(|value| json!(value))),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
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
            let webhooks = answer["webhooks"].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> = webhooks.map(|webhook| row(webhook).to_vec()).collect();
            if rows.is_empty() {
                return "there is none; hoopoe webhooks add https://... adds one".to_owned();
            }
            table(&HEAD, &rows)
        }),
        Some(What::Add { endpoint, types, description }) => {
            let new = json!({ "url": endpoint, "types": types, "description": description });
            let answer = api.post("/webhooks", &new)?;
            options.output.show(&answer, |answer| {
                let (id, secret) = (text(&answer["id"]), text(&answer["secret"]));
                format!("webhook {id} is added; its secret, which is not shown again:\n{secret}")
            });
        }
        Some(What::Show { webhook }) => options.output.show(&api.get(&format!("/webhooks/{webhook}"))?, shown),
        Some(What::Update { webhook, change }) => {
            let answer = api.put(&format!("/webhooks/{webhook}"), &change.body())?;
            options.output.show(&answer, |answer| table(&HEAD, &[row(answer).to_vec()]));
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
        Some(What::Deliveries { webhook, status, limit, before }) => {
            let mut parameters = vec![("limit", limit.to_string())];
            parameters.extend(status.iter().map(|status| ("status", status.clone())));
            parameters.extend(before.iter().map(|before| ("before", before.clone())));
            let answer = api.query(&format!("/webhooks/{webhook}/deliveries"), &parameters)?;
            options.output.show(&answer, |answer| {
                let mut shown = deliveries(&answer["deliveries"]);
                if shown.is_empty() {
                    return "there is none".to_owned();
                }
                if let Some(next) = answer["next"].as_str() {
                    shown.push_str(&format!("older: --before {next}\n"));
                }
                shown
            });
        }
        Some(What::Redrive { webhook, notice, since }) => {
            let which = match notice {
                Some(notice) => json!({ "id": notice }),
                None => json!({ "since": since }),
            };
            let answer = api.post(&format!("/webhooks/{webhook}/redrive"), &which)?;
            options.output.show(&answer, |answer| match answer["redriven"].as_u64().unwrap_or_default() {
                1 => "1 notice is sent once more".to_owned(),
                count @ ..MOST => format!("{count} notices are sent once more"),
                count => format!("{count} notices are sent once more; there may be others: ask again"),
            });
        }
        Some(What::RotateSecret { webhook }) => {
            let answer = api.post(&format!("/webhooks/{webhook}/rotate-secret"), &json!({}))?;
            options.output.show(&answer, |answer| {
                let (until, secret) = (moment(&answer["formerUntil"]), text(&answer["secret"]));
                format!("the former secret signs along until {until}; the new one, which is not shown again:\n{secret}")
            });
        }
        Some(What::Remove { webhook }) => {
            api.delete(&format!("/webhooks/{webhook}"))?;
            options.output.show(&json!({ "removed": webhook }), |_| format!("webhook {webhook} is removed"));
        }
    }
    Ok(())
}

fn shown(webhook: &Value) -> String {
    let [id, url, types, state] = row(webhook);
    let facts = fields(&[
        ("webhook", id),
        ("url", url),
        ("types", types),
        ("description", text(&webhook["description"])),
        ("state", state),
        ("former secret until", moment(&webhook["formerSecretUntil"])),
    ]);
    let failed = deliveries(&webhook["recentFailures"]);
    if failed.is_empty() { facts } else { format!("{facts}\n{failed}") }
}

/// In the order of [`HEAD`].
fn row(webhook: &Value) -> [String; 4] {
    let types: Vec<String> = webhook["types"].as_array().into_iter().flatten().map(text).collect();
    let state = match (webhook["enabled"].as_bool(), &webhook["failingSince"]) {
        (Some(false), _) => format!("disabled: {}", text(&webhook["disabledReason"])),
        (_, Value::Null) => "ok".to_owned(),
        (_, since) => format!("failing since {}: {}", moment(since), text(&webhook["lastFailure"])),
    };
    [text(&webhook["id"]), text(&webhook["url"]), types.join(","), state]
}

/// Empty when there is none.
fn deliveries(all: &Value) -> String {
    let rows: Vec<Vec<String>> = all.as_array().into_iter().flatten().map(delivery).collect();
    table(&["DELIVERY", "TYPE", "MADE", "STATUS", "ATTEMPTS", "ANSWER"], &rows)
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
