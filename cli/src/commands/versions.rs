//! `hoopoe versions`: what was uploaded, and what is active.

use clap::Args;
use serde_json::Value;

use crate::output::{Output, moment, short, table, text};
use crate::plugin::{OnHost, VERSION_HEAD, version_row};
use crate::{Api, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe versions
  hoopoe versions --plugin shop --history 50
  hoopoe versions --all               # the tenant's plugins";

/// List a plugin's versions and what became active when
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// All plugins of the tenant instead
    #[arg(long, conflicts_with = "plugin")]
    all: bool,
    /// How many activations
    #[arg(long, default_value_t = 10)]
    history: usize,
    #[command(flatten)]
    host: OnHost,
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
    if options.all {
        let api = Api::new(options.host.connection.settings()?);
        let answer = api.get("/plugins")?;
        options.output.show(&answer, plugins);
        return Ok(());
    }
    let (api, path) = options.host.open()?;
    let answer = api.get(&path)?;
    options.output.show(&answer, |answer| one(answer, options.history));
    Ok(())
}

fn plugins(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = list(answer, "plugins")
        .map(|plugin| {
            let state = if plugin["pausedAt"].is_string() { "paused" } else { "" };
            vec![
                text(&plugin["name"]),
                text(&plugin["world"]),
                plugin["active"].as_str().map(short).unwrap_or("-").to_owned(),
                state.to_owned(),
                moment(&plugin["createdAt"]),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "there is no plugin yet; `hoopoe push` uploads one".to_owned();
    }
    table(&["NAME", "WORLD", "ACTIVE", "", "SINCE"], &rows)
}

fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

fn one(answer: &Value, history: usize) -> String {
    let plugin = &answer["plugin"];
    let active = plugin["active"].as_str().unwrap_or_default();
    let rows: Vec<Vec<String>> = list(answer, "versions").map(|version| version_row(version, active)).collect();
    let mut shown = table(&VERSION_HEAD, &rows);
    if let Some(canary) = plugin["canary"]["digest"].as_str() {
        shown.push_str(&format!(
            "\non trial: {} with {} % of the conversations\n",
            short(canary),
            plugin["canary"]["percent"]
        ));
    }
    if let Some(reason) = plugin["pausedReason"].as_str() {
        shown.push_str(&format!("\npaused: {reason}; `hoopoe resume` goes on\n"));
    }
    let activations: Vec<Vec<String>> = list(answer, "activations")
        .take(history)
        .map(|activation| {
            vec![
                moment(&activation["at"]),
                text(&activation["action"]),
                short(&text(&activation["digest"])).to_owned(),
                text(&activation["reason"]),
            ]
        })
        .collect();
    if !activations.is_empty() {
        shown.push('\n');
        shown.push_str(&table(&["WHEN", "WHAT", "DIGEST", "WHY"], &activations));
    }
    shown
}
