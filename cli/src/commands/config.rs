//! `hoopoe config`: the plugin's configuration for this tenant.

use std::io::Read;
use std::path::Path;

use clap::Args;
use serde_json::Value;

use crate::Error;
use crate::output::{Output, line};
use crate::plugin::OnHost;

const EXAMPLES: &str = "\
Examples:
  hoopoe config                          # show it
  hoopoe config '{\"greeting\": \"Hello\"}'  # replace it
  hoopoe config config.json              # by a file
  jq '.limit = 5' config.json | hoopoe config -";

/// Show or replace the plugin's configuration
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A JSON object, a file with one, or `-` for standard input; without it the configuration is shown
    #[arg(value_name = "JSON")]
    new: Option<String>,
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

/// Show or replace it.
pub fn run(options: &Options) -> Result<(), Error> {
    let new = options.new.as_deref().map(object).transpose()?;
    let (api, path) = options.host.open()?;
    match new {
        Some(new) => {
            let answer = api.put(&format!("{path}/config"), &new)?;
            options.output.show(&answer, |_| "configured; the next event sees it".to_owned());
        }
        None => {
            let answer = api.get(&path)?;
            line(&format!("{:#}", answer["plugin"]["config"]));
        }
    }
    Ok(())
}

/// A JSON object, given as such, as a file or on standard input.
pub fn object(given: &str) -> Result<Value, Error> {
    match any(given)? {
        value @ Value::Object(_) => Ok(value),
        _ => Err(Error::usage(format!("{given} is JSON, but no object: it has to begin with {{"))),
    }
}

/// Any JSON, given as such, as a file or on standard input.
pub fn any(given: &str) -> Result<Value, Error> {
    if let Ok(value) = serde_json::from_str(given) {
        return Ok(value);
    }
    let (text, from) = if given == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Error::failed(format!("standard input: {error}")))?;
        (text, "standard input".to_owned())
    } else if given.trim_start().starts_with('{') {
        (given.to_owned(), "the argument".to_owned())
    } else {
        let text = std::fs::read_to_string(given).map_err(|error| Error::file(Path::new(given), &error))?;
        (text, given.to_owned())
    };
    serde_json::from_str(&text).map_err(|error| Error::usage(format!("{from} is no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_an_argument_or_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.json");
        let path = file.to_string_lossy();
        std::fs::write(&file, r#"{"a": 1}"#).expect("written");
        assert_eq!(object(r#" {"a": 1}"#), Ok(json!({ "a": 1 })));
        assert_eq!(object(&path), Ok(json!({ "a": 1 })));
        for (text, expected) in [("[1]", "no object"), ("{", "no JSON"), ("", "no JSON")] {
            std::fs::write(&file, text).expect("written");
            let error = object(&path).expect_err(text);
            assert!(error.to_string().contains(expected) && error.to_string().contains("c.json"), "{error}");
            assert_eq!(error.code(), 2);
        }
        assert_eq!(object("missing.json").expect_err("no such file").code(), 1);
    }
}
