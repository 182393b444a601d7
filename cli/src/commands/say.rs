//! `hoopoe say`: a customer writes, and the flow's answer is shown. Goes through everything: webhook, flow, delivery;
//! only Meta is simulated.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::output::{Output, duration, line};
use crate::settings::DevFile;
use crate::sim::{Received, Sim, order, render};
use crate::{Api, Connection, Error};

const EXAMPLES: &str = "\
Examples:
  hoopoe say \"hi\"
  hoopoe say \"where is my order?\" --from 15550002222 --name Ada
  hoopoe say --button track           # a tap on the button with the id `track`
  hoopoe say --kind image             # any kind of message that the simulator has a sample of
  hoopoe say --raw '{\"type\": \"text\", \"text\": {\"body\": \"hi\"}}'

The exit code is 1 when no answer comes.";

const BETWEEN: Duration = Duration::from_millis(3);
/// After an answer, how long another one may take to follow.
const MORE: Duration = Duration::from_millis(300);

/// Write to the flow as a customer, through the simulator of Meta, and show the answer
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["text", "button", "row", "kind", "raw"]))]
pub struct Options {
    /// What the customer writes
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// The customer taps the reply button with this id
    #[arg(long, value_name = "ID")]
    button: Option<String>,
    /// The customer chooses the row with this id from a list
    #[arg(long, value_name = "ID")]
    row: Option<String>,
    /// The simulator's sample of this kind: image, voice, location, order, ...
    #[arg(long)]
    kind: Option<String>,
    /// Fields of the message, as Meta would send them: a JSON object
    #[arg(long, value_name = "JSON")]
    raw: Option<String>,
    /// The customer's number
    #[arg(long, value_name = "DIGITS", default_value = "15550001111")]
    from: String,
    /// The customer's name
    #[arg(long, default_value = "Demo Customer")]
    name: String,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    wait: f64,
    /// The simulator; without it that of the development host
    #[arg(long, env = "HOOPOE_SIM", value_name = "URL", help_heading = "Connection")]
    sim: Option<String>,
    /// Meta's id of the tenant's number; without it the tenant's first
    #[arg(long, value_name = "ID", help_heading = "Connection")]
    phone_number_id: Option<String>,
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

    fn content(&self) -> Result<Value, Error> {
        let reply = |kind: &str, id: &str| json!({ "raw": { "type": "interactive", "interactive": { "type": kind, kind: { "id": id, "title": id } } } });
        Ok(match (&self.text, &self.button, &self.row, &self.kind, &self.raw) {
            (Some(text), ..) => json!({ "text": text }),
            (_, Some(id), ..) => reply("button_reply", id),
            (_, _, Some(id), ..) => reply("list_reply", id),
            (_, _, _, Some(kind), _) => json!({ "kind": kind }),
            (.., raw) => json!({ "raw": super::config::object(raw.as_deref().unwrap_or_default())? }),
        })
    }

    /// The simulator, and the number to write to.
    fn places(&self) -> Result<(Sim, String), Error> {
        let file = DevFile::find()?;
        let kept = file.as_ref().and_then(|file| file.simulator.clone());
        let simulator = self.sim.clone().filter(|url| !url.is_empty()).or(kept).ok_or_else(|| {
            Error::usage(
                "HOOPOE_SIM is not set; give it or --sim, or start the development host with `cargo xtask dev`",
            )
        })?;
        if let Some(number) = &self.phone_number_id {
            return Ok((Sim::new(&simulator), number.clone()));
        }
        let settings = self.connection.settings()?;
        let kept = file.filter(|file| file.tenant == settings.tenant).and_then(|file| file.phone_number_id);
        let number = match kept {
            Some(number) => number,
            None => first_number(&Api::new(settings))?,
        };
        Ok((Sim::new(&simulator), number))
    }
}

fn first_number(api: &Api) -> Result<String, Error> {
    let tenant = api.get("")?;
    let number = tenant["channels"][0]["phoneNumberId"].as_str().map(str::to_owned);
    number.ok_or_else(|| Error::failed("the tenant has no number; give --phone-number-id"))
}

/// Say it.
pub fn run(options: &Options) -> Result<(), Error> {
    let content = options.content()?;
    let wait =
        Duration::try_from_secs_f64(options.wait).map_err(|_| Error::usage("--wait: give seconds, such as 10"))?;
    let (sim, number) = options.places()?;
    let from = options.from.trim_start_matches('+');
    let before = sim.received(from, 1)?.last().map_or(0, |message| message.seq);
    let start = Instant::now();
    let ids = sim.write(&order(&number, from, &options.name, content))?;
    let mut talk = Talk { sim: &sim, from, last: before, answers: Vec::new(), start };
    while talk.answers.is_empty() && start.elapsed() < wait {
        talk.look()?;
    }
    let first = start.elapsed();
    // Further messages of the same answer follow at once.
    let end = Instant::now() + MORE;
    while !talk.answers.is_empty() && Instant::now() < end {
        talk.look()?;
    }
    let answers = talk.answers;
    if options.output.json {
        let list: Vec<_> = answers.iter().map(|(message, after)| {
            json!({ "text": render(&message.body), "message": message.body, "afterMs": after.as_millis() as u64 })
        }).collect();
        line(&format!("{:#}", json!({ "messageId": ids.first(), "answers": list })));
    } else {
        answers.iter().for_each(|(message, _)| line(&render(&message.body)));
    }
    if answers.is_empty() {
        let waited = duration(wait);
        return Err(Error::failed(format!("no answer within {waited}; `hoopoe runs` tells what the flow decided")));
    }
    if !options.output.json {
        eprintln!("({} after it was written)", duration(first));
    }
    Ok(())
}

struct Talk<'a> {
    sim: &'a Sim,
    from: &'a str,
    last: u64,
    /// With the time since the customer wrote.
    answers: Vec<(Received, Duration)>,
    start: Instant,
}

impl Talk<'_> {
    /// See what came, and pause.
    fn look(&mut self) -> Result<(), Error> {
        for message in self.sim.received(self.from, 20)? {
            if message.seq > self.last {
                self.last = message.seq;
                self.answers.push((message, self.start.elapsed()));
            }
        }
        std::thread::sleep(BETWEEN);
        Ok(())
    }
}
