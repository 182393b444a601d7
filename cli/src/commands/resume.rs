//! `hoopoe resume`: go on after a pause.

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::output::{Output, text};
use crate::plugin::OnHost;

/// Go on after the host has paused a plugin that kept failing; what waited runs in order
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

/// Go on.
pub fn run(options: &Options) -> Result<(), Error> {
    let (api, path) = options.host.open()?;
    let answer = api.post(&format!("{path}/resume"), &json!({}))?;
    options.output.show(&answer, |answer| format!("{} goes on", text(&answer["plugin"])));
    Ok(())
}
