//! `hoopoe activate`: another version takes over.

use clap::Args;
use serde_json::{Value, json};

use crate::Error;
use crate::output::{Output, text};
use crate::plugin::{self, OnHost};

const EXAMPLES: &str = "\
Examples:
  hoopoe activate                     # the newest version
  hoopoe activate 1.4.0
  hoopoe activate 3fa2c01b9d44        # the first 8 or more characters of a digest
  hoopoe activate 1.5.0 --canary 10   # for a tenth of the conversations";

/// Switch over to an uploaded version, for all conversations or a share of them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Its version, or its digest or the first 8 or more characters of that; without it the newest
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    /// Only for this share of the conversations, in percent; it is taken back when it fails too often
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    canary: Option<u8>,
    /// Also when it cannot take over the state of some conversations; those stay with the version that left it
    #[arg(long)]
    force: bool,
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

/// Switch over.
pub fn run(options: &Options) -> Result<(), Error> {
    let (api, path) = options.host.open()?;
    let mut order = json!({});
    if let Some(version) = &options.version {
        order["digest"] = json!(version);
    }
    if let Some(percent) = options.canary {
        order["canaryPercent"] = json!(percent);
    }
    if options.force {
        order["force"] = json!(true);
    }
    let answer = api.post(&format!("{path}/activate"), &order)?;
    options.output.show(&answer, shown);
    Ok(())
}

fn shown(answer: &Value) -> String {
    let (name, version) = (text(&answer["plugin"]), plugin::version(answer));
    let is = match answer["canaryPercent"].as_u64() {
        Some(percent) => format!("has {percent} % of the conversations"),
        None => "is active".to_owned(),
    };
    let states = match (answer["migrated"].as_u64().unwrap_or(0), answer["migrationFailures"].as_u64().unwrap_or(0)) {
        (0, _) => String::new(),
        (tried, 0) => format!("; it can take over the state of conversations ({tried} tried)"),
        (tried, failed) => format!("; of {tried} states that were tried it cannot take over {failed}"),
    };
    format!("{name} {version} {is}{states}")
}
