//! Rule sets as tenants write them: what they do with messages, and what is wrong with bad ones.

#![allow(missing_docs, clippy::unwrap_used)]

mod actions;
mod matching;
mod mistakes;
mod mutations;
mod oracle;
mod order;
mod sizes;
mod steps;

use hoopoe_rules::{Effect, Input, Moment, Outcome, Problem, Program, RuleSet, State, Zone};
use serde_json::{Value, json};

/// 2026-01-01T12:00:00Z, a Thursday.
pub const NOON: u64 = 1_767_268_800_000;

/// Berlin and UTC, as far as the tests look.
pub fn zones(name: &str) -> Option<Zone> {
    match name {
        "Europe/Berlin" => Some(Zone { first: 3600, changes: vec![(1_774_746_000, 7200)] }),
        "UTC" => Some(Zone { first: 0, changes: Vec::new() }),
        _ => None,
    }
}

pub fn compile(set: &Value) -> Result<String, Problem> {
    let set: RuleSet = serde_json::from_value(set.clone()).unwrap_or_else(|error| panic!("{error} in {set}"));
    hoopoe_rules::compile(&set, &zones)
}

/// A rule set of one rule.
pub fn one(matches: Value, action: Value) -> Value {
    json!({ "flows": [{ "id": "one", "match": matches, "action": action }] })
}

/// A conversation with a rule set.
pub struct Chat {
    config: String,
    pub state: State,
    pub tags: Vec<String>,
    pub now: u64,
    pub name: Option<&'static str>,
    events: u32,
}

impl Chat {
    pub fn new(set: &Value) -> Self {
        let config = compile(set).unwrap_or_else(|problem| panic!("{problem}"));
        Chat { config, state: State::default(), tags: Vec::new(), now: NOON, name: Some("Ada"), events: 0 }
    }

    pub fn happens(&mut self, moment: Moment) -> Outcome {
        self.events += 1;
        let input = Input {
            moment,
            event_id: &self.events.to_string(),
            now: self.now,
            tenant_name: "Acme",
            contact_name: self.name,
            contact_phone: Some("15550001111"),
            contact_username: None,
            tags: &self.tags,
        };
        let program = Program::read(&self.config).unwrap();
        let outcome = program.run(&input, self.state.clone()).unwrap();
        assert_eq!(program.run(&input, self.state.clone()).unwrap(), outcome, "the same again");
        self.state = outcome.state.clone();
        outcome
    }

    pub fn says(&mut self, text: &str) -> Outcome {
        self.happens(Moment::Message { kind: "text", text: Some(text), reply: None })
    }

    pub fn sends(&mut self, kind: &str, text: Option<&str>, reply: Option<(&str, &str)>) -> Outcome {
        self.happens(Moment::Message { kind, text, reply })
    }

    pub fn times_out(&mut self, payload: &str) -> Outcome {
        self.happens(Moment::Timeout { payload })
    }

    /// What is answered, in short.
    pub fn hears(&mut self, text: &str) -> String {
        words(&self.says(text))
    }

    pub fn step(&self) -> Option<&str> {
        self.state.step.as_ref().map(|step| step.name.as_str())
    }
}

/// Texts as they are, and other effects in short.
pub fn words(outcome: &Outcome) -> String {
    let words = outcome.effects.iter().map(|effect| match effect {
        Effect::Text { body, .. } => body.clone(),
        Effect::Template { key, .. } => format!("<{key}>"),
        Effect::Buttons { body, .. } => format!("[{body}]"),
        Effect::Tag { name, present } => format!("{}{name}", if *present { '+' } else { '-' }),
        Effect::HandOff(reason) => format!("hand off: {reason}"),
        Effect::Schedule { due, payload } => format!("timer {}s {payload}", (due - NOON) / 1000),
        Effect::Cancel => "cancel".to_owned(),
    });
    words.collect::<Vec<_>>().join("; ")
}
