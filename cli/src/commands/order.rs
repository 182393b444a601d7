//! `hoopoe rollback`, `deactivate` and `resume`: orders about the active version that need nothing but its plugin.

use clap::Args;
use serde_json::{Value, json};

use crate::Error;
use crate::output::{Output, short, text};
use crate::plugin::OnHost;

/// Of `hoopoe rollback`.
pub const ROLLBACK: &str = "\
Examples:
  hoopoe rollback                     # of the plugin of the current folder
  hoopoe rollback && hoopoe rollback  # two versions back
  hoopoe rollback --plugin shop --json";
/// Of `hoopoe deactivate`.
pub const DEACTIVATE: &str = "\
Examples:
  hoopoe deactivate
  hoopoe deactivate --plugin shop     # from any folder
  hoopoe activate                     # switch it on again";
/// Of `hoopoe resume`.
pub const RESUME: &str = "\
Examples:
  hoopoe runs --result failed         # why it was paused
  hoopoe resume
  hoopoe resume --plugin shop";

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Back to the version that was active before.
    Rollback,
    /// What is built in answers again.
    Deactivate,
    /// The events that wait since a pause go on.
    Resume,
}

/// Which plugin, and how to print.
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

impl Order {
    /// The API's word for it.
    fn action(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Deactivate => "deactivate",
            Self::Resume => "resume",
        }
    }

    fn done(self, answer: &Value) -> String {
        let plugin = text(&answer["plugin"]);
        let version = |field: &str| short(&text(&answer[field])).to_owned();
        match self {
            Self::Rollback => format!("{plugin} {} is active again; it was {}", version("digest"), version("from")),
            Self::Deactivate => format!("{plugin} is off; {} answers", text(&answer["instead"])),
            Self::Resume => format!("{plugin} goes on"),
        }
    }
}

/// Give the order.
pub fn run(order: Order, options: &Options) -> Result<(), Error> {
    let (api, path) = options.host.open()?;
    let answer = api.post(&format!("{path}/{}", order.action()), &json!({}))?;
    options.output.show(&answer, |answer| order.done(answer));
    Ok(())
}
