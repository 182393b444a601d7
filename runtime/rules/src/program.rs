//! Running a compiled rule set on one event.

mod turn;

use std::borrow::Cow;

use serde::Deserialize;

use self::turn::Turn;
use crate::evaluate::Facts;
use crate::state::State;
use crate::wire::{Malformed, Reader};

/// Version of the compact form.
pub(crate) const VERSION: u32 = 1;

/// A compiled rule set. Reading it costs no more than finding its end; rules are looked at when they are tried.
#[derive(Debug)]
pub struct Program<'a> {
    text: Cow<'a, str>,
}

/// Why a configuration is no program.
#[derive(Debug, thiserror::Error)]
pub enum BadProgram {
    /// It is not JSON of the right form.
    #[error("the configuration is not a compiled rule set: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the rules are compiled in version {0}, this plugin reads {VERSION}; save the rule set again")]
    Version(u32),
    /// It is damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// What is known of the event.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What happened.
    pub moment: Moment<'a>,
    /// The event's id, unique per tenant.
    pub event_id: &'a str,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Name of the tenant.
    pub tenant_name: &'a str,
    /// Profile name of the contact.
    pub contact_name: Option<&'a str>,
    /// Phone number of the contact, digits.
    pub contact_phone: Option<&'a str>,
    /// Username of the contact.
    pub contact_username: Option<&'a str>,
    /// Tags of the contact.
    pub tags: &'a [String],
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Moment<'a> {
    /// The contact sent a message.
    Message {
        /// As in the contract, with `_`.
        kind: &'a str,
        /// Its words, when it has some.
        text: Option<&'a str>,
        /// Id and title of what was chosen.
        reply: Option<(&'a str, &'a str)>,
    },
    /// The timer of a step is due.
    Timeout {
        /// What was scheduled with it.
        payload: &'a str,
    },
}

/// What came of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    /// What the conversation remembers from now on.
    pub state: State,
    /// Ids of the rules that matched.
    pub matched: Vec<String>,
    /// What could not be done as written, for the log.
    pub notes: Vec<String>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send one of the tenant's templates.
    Template {
        /// Its key.
        key: String,
        /// In this language, if there is such.
        language: Option<String>,
        /// Names and values.
        variables: Vec<(String, String)>,
    },
    /// Send a text.
    Text {
        /// 1 to 4096 characters.
        body: String,
        /// Show a preview of the first link.
        preview_url: bool,
    },
    /// Send a text with buttons.
    Buttons {
        /// 1 to 1024 characters.
        body: String,
        /// At most 60 characters.
        header: Option<String>,
        /// At most 60 characters.
        footer: Option<String>,
        /// Ids and titles, 1 to 3.
        buttons: Vec<(String, String)>,
    },
    /// Put a tag on the contact, or take it off.
    Tag {
        /// The tag.
        name: String,
        /// Whether it is put on.
        present: bool,
    },
    /// Hand the conversation to people.
    HandOff(String),
    /// Set the timer of the step.
    Schedule {
        /// Milliseconds since 1970.
        due: u64,
        /// Comes back as [`Moment::Timeout`].
        payload: String,
    },
    /// Cancel the timer of the step.
    Cancel,
}

/// Kinds of messages that nobody expects an answer to: the fallback passes over them.
const QUIET: [&str; 5] = ["reaction", "edit", "revoke", "system", "unknown"];

impl<'a> Program<'a> {
    /// Reads the configuration that [`compile`](crate::compile) gave. `{}` is a program without rules.
    pub fn read(config: &'a str) -> Result<Self, BadProgram> {
        #[derive(Deserialize)]
        struct Config<'a> {
            #[serde(default)]
            v: Option<u32>,
            #[serde(borrow, default)]
            rules: Cow<'a, str>,
        }

        let config: Config = serde_json::from_str(config)?;
        match config.v {
            None | Some(VERSION) => Ok(Self { text: config.rules }),
            Some(other) => Err(BadProgram::Version(other)),
        }
    }

    /// Handles one event. Pure: the same input and state give the same outcome.
    pub fn run(&self, input: &Input, state: State) -> Result<Outcome, BadProgram> {
        let (mut default_language, mut fallback, mut hours) = (None, None, Vec::new());
        let mut rules = Reader::new(&self.text);
        let mut next = rules.next()?;
        while let Some((tag, body)) = next {
            match tag {
                b'L' => default_language = Some(body),
                b'F' => fallback = Some(body),
                b'H' => hours.push(body),
                b'R' => break,
                _ => return Err(Malformed.into()),
            }
            next = rules.next()?;
        }
        let facts = Facts::new(input, &hours, default_language);
        let mut turn = match Turn::begin(&facts, state) {
            Ok(turn) => turn,
            Err(state) => return Ok(Outcome { state, ..Outcome::default() }),
        };
        while let Some((_, rule)) = next {
            if turn.attempt(rule)? {
                return Ok(turn.end());
            }
            next = rules.next()?;
        }
        if let (Some(key), Moment::Message { kind, .. }) = (fallback, input.moment)
            && !QUIET.contains(&kind)
        {
            let language = facts.language(&turn.outcome.state);
            turn.outcome.effects.push(Effect::Template { key: key.to_owned(), language, variables: Vec::new() });
        }
        Ok(turn.end())
    }
}

/// A language as Meta writes it, `pt_BR`; `None` for what is none.
pub(crate) fn normal_language(language: &str) -> Option<String> {
    let mut parts = language.trim().split(['_', '-']);
    let first = parts.next().filter(|part| (2..=3).contains(&part.len()) && is_letters(part))?;
    let mut normal = first.to_ascii_lowercase();
    for part in parts {
        if !(2..=8).contains(&part.len()) || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        normal.push('_');
        if part.len() == 2 { normal.push_str(&part.to_ascii_uppercase()) } else { normal.push_str(part) }
    }
    (normal.len() <= 35).then_some(normal)
}

fn is_letters(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphabetic())
}
