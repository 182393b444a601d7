//! `hoopoe secret`: values that only headers of HTTP requests carry. They can be set, and never be read again.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::Error;
use crate::output::{Output, text};
use crate::plugin::OnHost;

const EXAMPLES: &str = "\
Examples:
  hoopoe secret set API_KEY < key.txt
  pass show shop | hoopoe secret set API_KEY
  hoopoe secret list
  hoopoe secret remove API_KEY

A flow writes {{secret:API_KEY}} into a header of a request; the host puts the value in.";

/// Set or remove the plugin's secrets
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set a secret; its value comes by standard input
    Set(Named),
    /// Remove a secret
    #[command(visible_alias = "rm")]
    Remove(Named),
    /// Names of the secrets
    List(All),
}

#[derive(Debug, Args)]
struct Named {
    /// Its name: letters, digits and `_`
    name: String,
    #[command(flatten)]
    all: All,
}

#[derive(Debug, Args)]
struct All {
    #[command(flatten)]
    host: OnHost,
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        match &self.action {
            Action::Set(named) | Action::Remove(named) => named.all.output,
            Action::List(all) => all.output,
        }
    }
}

/// Do it.
pub fn run(options: &Options) -> Result<(), Error> {
    match &options.action {
        Action::Set(Named { name, all }) => {
            check(name)?;
            let (api, path) = all.host.open()?;
            api.put(&format!("{path}/secrets/{name}"), &json!({ "value": value()? }))?;
            all.output.show(&json!({ "name": name }), |_| format!("{name} is set"));
        }
        Action::Remove(Named { name, all }) => {
            check(name)?;
            let (api, path) = all.host.open()?;
            api.delete(&format!("{path}/secrets/{name}"))?;
            all.output.show(&json!({ "name": name }), |_| format!("{name} is removed"));
        }
        Action::List(all) => {
            let (api, path) = all.host.open()?;
            let answer = api.get(&path)?;
            all.output.show(&answer["plugin"]["secrets"], |secrets| names(secrets).join("\n"));
        }
    }
    Ok(())
}

fn names(secrets: &Value) -> Vec<String> {
    let name = |secret: &Value| secret["name"].as_str().map_or_else(|| text(secret), str::to_owned);
    secrets.as_array().into_iter().flatten().map(name).collect()
}

/// The value, by standard input: an argument would be seen by others and kept by the shell. A line break at the end
/// is the editor's.
fn value() -> Result<String, Error> {
    if std::io::stdin().is_terminal() {
        eprintln!("the value, then Ctrl-D:");
    }
    let mut value = String::new();
    std::io::stdin()
        .read_to_string(&mut value)
        .map_err(|error| Error::usage(format!("the value on standard input is no text: {error}")))?;
    let value = value.trim_end_matches(['\r', '\n']).to_owned();
    if value.is_empty() {
        return Err(Error::usage("there is no value on standard input"));
    }
    Ok(value)
}

fn check(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Error::usage(format!("{name:?} is no name of a secret: it has 1 to 64 of A-Z, a-z, 0-9, `_` and `-`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_a_path() {
        for (name, fits) in [("API_KEY", true), ("a-1", true), ("", false), ("a/b", false), ("a b", false)] {
            assert_eq!(check(name).is_ok(), fits, "{name}");
        }
        assert_eq!(names(&json!(["A", { "name": "B" }])), ["A", "B"]);
    }
}
