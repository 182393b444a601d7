//! `hoopoe build`: the component of the project.

use clap::Args;
use serde_json::json;

use crate::output::{Output, duration, size};
use crate::project::Package;
use crate::{Error, artifact};

const EXAMPLES: &str = "\
Examples:
  hoopoe build
  hoopoe build --json | jq -r .path   # where the component is";

/// Build the plugin of the current folder to a component
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

/// Build it.
pub fn run(options: &Options) -> Result<(), Error> {
    let package = Package::here()?;
    let built = artifact::build(&artifact::toolchain()?, &package)?;
    let bytes = built.component.len() as u64;
    let took = built.build + built.pack;
    let value =
        json!({ "plugin": package.name, "path": built.path, "size": bytes, "buildMs": took.as_millis() as u64 });
    options.output.show(&value, |_| format!("{} ({}) in {}", built.path.display(), size(bytes), duration(took)));
    Ok(())
}
