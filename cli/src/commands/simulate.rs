//! `hoopoe simulate`: what a version would make of an event, without effect.

use clap::Args;
use serde_json::{Value, json};

use super::config::{any, object};
use crate::output::{Output, text};
use crate::plugin::OnHost;
use crate::project::Package;
use crate::{Error, artifact, outcome};

const EXAMPLES: &str = "\
Examples:
  hoopoe simulate events/hello.json
  hoopoe simulate events/hello.json --build       # of the source as it is now; uploaded, but not switched to
  hoopoe simulate events/hello.json --digest 1.4.0 --state '{\"count\": 3}' --config config.json
  hoopoe simulate '{\"text\": \"hi\"}'

An event is one of
  {\"text\": \"hi\"}
  {\"message\": {\"type\": \"image\", ...}}            as Meta sends it in `messages`
  {\"status\": {\"id\": \"wamid.1\", \"status\": \"read\", ...}}
  {\"timer\": {\"name\": \"reminder\", \"payload\": \"\"}}
  {\"httpResponse\": {\"name\": \"order\", \"status\": 200, \"body\": {\"eta\": 5}}}
A file holds one, or an object with `event` and `digest`, `state`, `config`, `now`, `attempt`, `contact`.
The exit code is 1 when the run fails.";

/// Run a version on an event from a file and show what it would do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A file with the event, `-` for standard input, or the JSON itself
    #[arg(value_name = "EVENT")]
    event: String,
    /// The version, or its digest or the first 8 or more characters of that; without it the newest
    #[arg(long, value_name = "VERSION")]
    digest: Option<String>,
    /// Build the current folder's plugin and upload it first
    #[arg(long, conflicts_with = "digest")]
    build: bool,
    /// The state that the conversation's last run left: JSON (a text is base64 of its bytes), a file or `-`
    #[arg(long, value_name = "JSON")]
    state: Option<String>,
    /// The configuration in place of the plugin's own: JSON, a file or `-`
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// What counts as now (RFC 3339)
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
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

    fn order(&self) -> Result<Value, Error> {
        let given = object(&self.event)?;
        let mut order =
            if given.get("event").is_some_and(Value::is_object) { given } else { json!({ "event": given }) };
        let values = [
            ("digest", self.digest.as_ref().map(|value| json!(value))),
            ("state", self.state.as_deref().map(any).transpose()?),
            ("config", self.config.as_deref().map(object).transpose()?),
            ("now", self.now.as_ref().map(|value| json!(value))),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                order[name] = value;
            }
        }
        Ok(order)
    }
}

/// Simulate it.
pub fn run(options: &Options) -> Result<(), Error> {
    let mut order = options.order()?;
    let (api, path) = options.host.open()?;
    if options.build {
        let built = artifact::build(&artifact::toolchain()?, &Package::here()?)?;
        let (version, _) = api.upload(&options.host.name()?, &built.component, false)?;
        order["digest"] = version["digest"].clone();
    }
    let answer = api.post(&format!("{path}/simulate"), &order)?;
    options.output.show(&answer, shown);
    match failure(&answer) {
        Some(failure) => Err(Error::failed(failure)),
        None => Ok(()),
    }
}

fn failure(answer: &Value) -> Option<String> {
    let failure = &answer["failure"];
    let code = failure["code"].as_str().or(failure.as_str())?;
    Some(format!("{code}: {}", text(&failure["reason"])).trim_end_matches([':', ' ']).to_owned())
}

fn shown(answer: &Value) -> String {
    let mut lines = Vec::new();
    if answer["outcome"].is_object() {
        lines.extend(outcome::lines(&answer["outcome"]));
    }
    let problems = answer["problems"].as_array().into_iter().flatten();
    lines.extend(problems.map(|problem| format!("would be refused: {}", text(problem))));
    lines.extend(outcome::logs(&answer["logs"]).iter().map(|line| format!("log {line}")));
    lines.push(format!("({} fuel, {} \u{b5}s)", text(&answer["fuel"]), text(&answer["micros"])));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_would_do_is_shown_with_its_price() {
        let answer = json!({
            "outcome": { "actions": [{ "tag": { "name": "vip", "present": true } }], "state": "keep" },
            "problems": ["actions[0].text: too long"], "logs": [{ "level": "info", "message": "m" }],
            "fuel": 12, "micros": 34,
        });
        let expected = "tag vip\nwould be refused: actions[0].text: too long\nlog info: m\n(12 fuel, 34 \u{b5}s)";
        assert_eq!(shown(&answer), expected);
        assert_eq!(failure(&answer), None);
        let failed = json!({ "failure": { "code": "trap", "reason": "unreachable" } });
        assert_eq!(failure(&failed).as_deref(), Some("trap: unreachable"));
    }
}
