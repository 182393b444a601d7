//! `hoopoe push`: build and upload, and switch over when that is wanted.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::output::{Output, duration, short, size, text};
use crate::project::{Package, check_name, name_of_file};
use crate::{Api, Connection, Error, artifact, plugin};

const EXAMPLES: &str = "\
Examples:
  hoopoe push                         # build and upload; nothing changes for customers
  hoopoe push --activate              # and switch over
  hoopoe push --canary 10             # and give it a tenth of the conversations
  hoopoe push bot.wasm --plugin bot   # a component, or a core module that carries its WIT, of any language";

/// Build the plugin and upload it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Upload this file instead of building the current folder's plugin
    #[arg(value_name = "WASM")]
    file: Option<PathBuf>,
    /// The plugin's name on the host; without it the crate's or the file's
    #[arg(long, short, value_name = "NAME")]
    plugin: Option<String>,
    /// Switch over to it at once
    #[arg(long)]
    activate: bool,
    /// Give it this share of the conversations, in percent
    #[arg(long, value_name = "PERCENT", conflicts_with = "activate", value_parser = clap::value_parser!(u8).range(1..=99))]
    canary: Option<u8>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

/// Upload it.
pub fn run(options: &Options) -> Result<(), Error> {
    // Before a build that takes its time.
    let api = Api::new(options.connection.settings()?);
    let (name, component) = component(options)?;
    let (mut version, new) = api.upload(&name, &component, options.activate)?;
    if let Some(percent) = options.canary {
        let order = json!({ "digest": version["digest"], "canaryPercent": percent });
        version["trial"] = api.post(&format!("/plugins/{name}/activate"), &order)?;
    }
    version["new"] = json!(new);
    options.output.show(&version, |version| shown(version, &name, options));
    Ok(())
}

fn component(options: &Options) -> Result<(String, Vec<u8>), Error> {
    let (name, component) = match &options.file {
        Some(file) => {
            let name = options.plugin.clone().map_or_else(|| name_of_file(file), Ok)?;
            (name, artifact::read(file)?)
        }
        None => {
            let package = Package::here()?;
            let built = artifact::build(&artifact::toolchain()?, &package)?;
            (options.plugin.clone().unwrap_or(package.name), built.component)
        }
    };
    check_name(&name)?;
    Ok((name, component))
}

fn shown(version: &Value, name: &str, options: &Options) -> String {
    let millis = version["compileMillis"].as_u64().map(std::time::Duration::from_millis);
    let compiled = millis.map(|time| format!(", compiled in {}", duration(time))).unwrap_or_default();
    let bytes = version["size"].as_u64().map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
    let known = if version["new"] == true { "" } else { " (was there already)" };
    let digest = text(&version["digest"]);
    let next = match (options.activate, options.canary) {
        (true, _) => "it is active".to_owned(),
        (_, Some(percent)) => format!("it has {percent} % of the conversations"),
        _ => format!("`hoopoe activate {} --plugin {name}` switches over to it", short(&digest)),
    };
    format!("{name} {}{bytes}{compiled}{known}; {next}", plugin::version(version))
}
