//! `hoopoe test`: the project's tests, natively and with the compiled plugin.

use clap::Args;
use serde_json::json;

use crate::output::{Output, duration, line, short, size};
use crate::project::{Package, cargo};
use crate::{Error, Host, TestEnvironment, artifact};

const EXAMPLES: &str = "\
Examples:
  hoopoe test
  hoopoe test -- a_text_is_answered --nocapture";

/// Run the tests natively, then build the plugin and run them with it in the sandbox
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    output: Output,
    /// For the tests, as after `cargo test --`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Run the project's tests in this environment; whether they pass.
    fn pass(&self, package: &Package, environment: TestEnvironment) -> Result<bool, Error> {
        let mut command = cargo();
        command.arg("test").arg("--manifest-path").arg(package.folder.join("Cargo.toml")).arg("--");
        command.args(&self.arguments).envs(environment);
        if self.output.json {
            // Standard output is the result's.
            command.stdout(std::io::stderr());
        }
        let status = command.status().map_err(|error| Error::failed(format!("cargo cannot be started: {error}")))?;
        Ok(status.success())
    }
}

/// Test it.
pub fn run(options: &Options, host: &Host) -> Result<(), Error> {
    let package = Package::here()?;
    if !options.pass(&package, Vec::new())? {
        return Err(Error::failed("the tests failed"));
    }
    let built = artifact::build(&artifact::toolchain()?, &package)?;
    let what = (host.describe)(&built.component)
        .map_err(|error| Error::failed(format!("the tests pass, but the compiled plugin does not load: {error}")))?;
    if what.is_flow {
        if !options.output.json {
            line("the tests pass natively; now with the compiled plugin");
        }
        let environment = (host.test_environment)(&built.path).map_err(Error::failed)?;
        if !options.pass(&package, environment)? {
            return Err(Error::failed("the tests pass natively, but they failed with the compiled plugin"));
        }
    }
    let bytes = built.component.len() as u64;
    let value = json!({
        "plugin": package.name, "path": built.path, "size": bytes, "digest": what.digest, "name": what.name,
        "version": what.version, "events": what.events, "hasConfigSchema": what.config_schema.is_some(),
    });
    if options.output.json {
        line(&format!("{value:#}"));
        return Ok(());
    }
    let schema = if what.config_schema.is_some() { ", checks its configuration" } else { "" };
    line(&format!(
        "the tests pass; compiled: {} {} ({}), {} in {}, wants {}{schema}",
        what.name,
        what.version,
        short(&what.digest),
        size(bytes),
        duration(built.build + built.pack),
        what.events.join(", "),
    ));
    Ok(())
}
