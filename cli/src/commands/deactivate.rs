//! `hoopoe deactivate`: the plugin is switched off.

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::output::{Output, text};
use crate::plugin::OnHost;

/// Switch the plugin off; what the host has built in answers then
#[derive(Debug, Args)]
pub struct Options {
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

/// Switch it off.
pub fn run(options: &Options) -> Result<(), Error> {
    let (api, path) = options.host.open()?;
    let answer = api.post(&format!("{path}/deactivate"), &json!({}))?;
    options
        .output
        .show(&answer, |answer| format!("{} is off; {} answers", text(&answer["plugin"]), text(&answer["instead"])));
    Ok(())
}
