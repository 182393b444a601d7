//! `hoopoe rollback`: back to the version before.

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::output::{Output, short, text};
use crate::plugin::OnHost;

/// Switch back to the version that was active before
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

/// Switch back.
pub fn run(options: &Options) -> Result<(), Error> {
    let (api, path) = options.host.open()?;
    let answer = api.post(&format!("{path}/rollback"), &json!({}))?;
    options.output.show(&answer, |answer| {
        format!(
            "{} {} is active again; it was {}",
            text(&answer["plugin"]),
            short(&text(&answer["digest"])),
            short(&text(&answer["from"]))
        )
    });
    Ok(())
}
