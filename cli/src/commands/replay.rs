//! `hoopoe replay`: a version over events that were handled already, and where it decides differently.

use clap::Args;
use serde_json::{Value, json};

use crate::output::{Output, text};
use crate::plugin::OnHost;
use crate::{Error, outcome};

const EXAMPLES: &str = "\
Examples:
  hoopoe replay --event 4711
  hoopoe replay 1.5.0 --conversation 01a20766-5fd9-706f-b17b-0cf61b2c6796
  hoopoe replay --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z --limit 500

Nothing takes effect. The exit code is 1 when an outcome differs from what was recorded.";

/// Run a version over stored events and show where its outcomes differ from what was recorded
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["event", "conversation", "from"]))]
pub struct Options {
    /// The version, or its digest or the first 8 or more characters of that; without it the newest
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    /// This event
    #[arg(long, value_name = "ID", conflicts_with_all = ["conversation", "from", "to"])]
    event: Option<u64>,
    /// The events of this conversation
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"])]
    conversation: Option<String>,
    /// Events from this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events before this moment; without it until now
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
    /// Most runs
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u32>,
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

    fn order(&self) -> Value {
        let given = [
            ("digest", self.version.as_ref().map(|value| json!(value))),
            ("eventId", self.event.map(|value| json!(value))),
            ("conversationId", self.conversation.as_ref().map(|value| json!(value))),
            ("from", self.from.as_ref().map(|value| json!(value))),
            ("to", self.to.as_ref().map(|value| json!(value))),
            ("limit", self.limit.map(|value| json!(value))),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Replay them.
pub fn run(options: &Options) -> Result<(), Error> {
    let (api, path) = options.host.open()?;
    let answer = api.post(&format!("{path}/replay"), &options.order())?;
    options.output.show(&answer, shown);
    match answer["differing"].as_array().map_or(0, Vec::len) {
        0 => Ok(()),
        1 => Err(Error::failed("1 outcome differs from what was recorded")),
        n => Err(Error::failed(format!("{n} outcomes differ from what was recorded"))),
    }
}

fn shown(answer: &Value) -> String {
    let mut shown = String::new();
    for difference in answer["differing"].as_array().into_iter().flatten() {
        let (event, attempt) = (text(&difference["eventId"]), text(&difference["attempt"]));
        shown.push_str(&format!("event {event} attempt {attempt}, recorded by {}\n", text(&difference["recordedBy"])));
        for (sign, side) in [('-', "recorded"), ('+', "replayed")] {
            side_lines(&difference[side]).iter().for_each(|line| shown.push_str(&format!("  {sign} {line}\n")));
        }
    }
    let (runs, identical) = (text(&answer["runs"]), text(&answer["identical"]));
    shown.push_str(&format!("{runs} runs, {identical} identical, {} skipped", text(&answer["skipped"])));
    shown
}

fn side_lines(side: &Value) -> Vec<String> {
    match side["failure"].as_str() {
        Some(code) => vec![format!("{code} {}", text(&side["reason"])).trim_end().to_owned()],
        None => outcome::lines(side),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_like_a_diff() {
        let send = |body: &str| json!({ "actions": [{ "send": { "content": { "text": { "body": body } } } }] });
        let answer = json!({
            "runs": 2, "identical": 1, "skipped": 0,
            "differing": [{
                "eventId": 7, "attempt": 1, "recordedBy": "bot@1.0.0",
                "recorded": send("old"), "replayed": { "failure": "trap", "reason": "unreachable" },
            }],
        });
        assert_eq!(
            shown(&answer),
            "event 7 attempt 1, recorded by bot@1.0.0\n  - send \"old\"\n  + trap unreachable\n\
             2 runs, 1 identical, 0 skipped"
        );
    }
}
