//! Running a compiled rule set on one event.

use std::borrow::Cow;

use serde::Deserialize;

use crate::evaluate::Facts;
use crate::fill::{Name, clipped, fill};
use crate::limits;
use crate::pattern::Captures;
use crate::state::{State, Step};
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

/// One event under way.
struct Turn<'a> {
    facts: &'a Facts<'a>,
    outcome: Outcome,
    /// Where the conversation was at first; rules of this step are tried, wherever the first of them leads.
    at: Option<Step>,
    is_timeout: bool,
    /// How long the step that was entered waits, in milliseconds.
    timeout: Option<u64>,
    /// Whether a rule went to a step.
    moved: bool,
}

impl<'a> Turn<'a> {
    /// Gives the state back when there is nothing to do: a timer that came too late.
    fn begin(facts: &'a Facts<'a>, mut state: State) -> Result<Self, State> {
        let at = state.step.clone();
        let is_timeout = match facts.input.moment {
            Moment::Message { .. } => false,
            Moment::Timeout { payload } => {
                if !at.as_ref().is_some_and(|step| step.timed && step.entered == payload) {
                    return Err(state);
                }
                state.step = None;
                true
            }
        };
        let outcome = Outcome { state, ..Outcome::default() };
        Ok(Self { facts, outcome, at, is_timeout, timeout: None, moved: false })
    }

    /// Tries a rule. Whether it is the last one.
    fn attempt(&mut self, rule: &str) -> Result<bool, Malformed> {
        let mut parts = Reader::new(rule);
        let (mut of_step, mut flags, mut caught) = (false, "", None);
        loop {
            match parts.next()?.ok_or(Malformed)? {
                (b's', step) if self.at.as_ref().is_none_or(|at| at.name != step) => return Ok(false),
                (b's', _) => of_step = true,
                (b'o', found) => flags = found,
                (b'm', _) if flags.contains('t') != self.is_timeout => return Ok(false),
                (b'm', conditions) if !self.facts.hold(conditions, &self.outcome.state, &mut caught)? => {
                    return Ok(false);
                }
                (b'm', _) => {}
                (b'i', _) if flags.contains('t') != self.is_timeout => return Ok(false),
                (b'i', id) => {
                    self.outcome.matched.push(id.to_owned());
                    break;
                }
                _ => return Err(Malformed),
            }
        }
        if of_step && !self.moved {
            self.outcome.state.step = None;
        }
        let mut actions = Reader::new(parts.expect(b'D')?);
        while let Some((tag, action)) = actions.next()? {
            self.act(tag, action, caught.as_ref())?;
        }
        Ok(!flags.contains('c'))
    }

    fn act(&mut self, tag: u8, action: &str, caught: Option<&Captures>) -> Result<(), Malformed> {
        let mut parts = Reader::new(action);
        match tag {
            b'T' => {
                let key = parts.expect(b'k')?.to_owned();
                let (mut language, mut variables) = (self.facts.language(&self.outcome.state), Vec::new());
                while let Some((tag, body)) = parts.next()? {
                    match tag {
                        b'l' => language = Some(body.to_owned()),
                        b'n' => variables.push((body.to_owned(), self.fill(parts.expect(b'v')?, caught))),
                        _ => return Err(Malformed),
                    }
                }
                // The template's default stands in for what has no value.
                variables.retain(|(_, value)| !value.trim().is_empty());
                self.outcome.effects.push(Effect::Template { key, language, variables });
            }
            b'X' => {
                let body = clipped(self.fill(parts.expect(b'b')?, caught), limits::TEXT);
                let preview_url = parts.next()?.is_some();
                self.say(Effect::Text { body, preview_url });
            }
            b'B' => {
                let body = clipped(self.fill(parts.expect(b'b')?, caught), limits::BUTTONS_TEXT);
                let (mut header, mut footer, mut buttons) = (None, None, Vec::new());
                while let Some((tag, text)) = parts.next()? {
                    let margin = || Some(clipped(self.fill(text, caught), limits::MARGIN));
                    match tag {
                        b'h' => header = margin(),
                        b'f' => footer = margin(),
                        b'i' => buttons.push((text.to_owned(), parts.expect(b't')?.to_owned())),
                        _ => return Err(Malformed),
                    }
                }
                let seen = |margin: Option<String>| margin.filter(|margin| !margin.trim().is_empty());
                self.say(Effect::Buttons { body, header: seen(header), footer: seen(footer), buttons });
            }
            b'S' => {
                let mut next = parts.next()?;
                while let Some((b'n', name)) = next {
                    next = parts.next()?;
                    let mut value = None;
                    if let Some((b'v', text)) = next {
                        value = Some(self.fill(text, caught));
                        next = parts.next()?;
                    }
                    if !self.outcome.state.set(name, value) {
                        self.outcome.notes.push(format!("the variable {name} does not fit any more and was not set"));
                    }
                }
            }
            b'G' => {
                let name = parts.expect(b's')?.to_owned();
                self.timeout = match parts.next()? {
                    Some((_, seconds)) => Some(seconds.parse::<u64>().map_err(|_| Malformed)?.saturating_mul(1000)),
                    None => None,
                };
                let entered = self.facts.input.event_id.to_owned();
                self.outcome.state.step = Some(Step { name, entered, timed: self.timeout.is_some() });
                self.moved = true;
            }
            b'A' => {
                while let Some((sign, name)) = parts.next()? {
                    self.outcome.effects.push(Effect::Tag { name: name.to_owned(), present: sign == b'+' });
                }
            }
            b'O' => {
                let reason = parts.next()?.map(|(_, reason)| clipped(self.fill(reason, caught), limits::REASON));
                self.outcome.effects.push(Effect::HandOff(reason.unwrap_or_default()));
                self.leave();
            }
            b'E' => self.leave(),
            _ => return Err(Malformed),
        }
        Ok(())
    }

    /// Sends, unless nothing is left of the text.
    fn say(&mut self, effect: Effect) {
        if let Effect::Text { body, .. } | Effect::Buttons { body, .. } = &effect
            && body.trim().is_empty()
        {
            self.outcome.notes.push("a text came out empty and was not sent".to_owned());
            return;
        }
        self.outcome.effects.push(effect);
    }

    fn leave(&mut self) {
        self.outcome.state.step = None;
        self.timeout = None;
        self.moved = true;
    }

    fn end(mut self) -> Outcome {
        let input = self.facts.input;
        let was_timed = self.at.as_ref().is_some_and(|step| step.timed) && !self.is_timeout;
        if let Some(timeout) = self.timeout {
            let due = input.now.saturating_add(timeout);
            self.outcome.effects.push(Effect::Schedule { due, payload: input.event_id.to_owned() });
        } else if was_timed && self.outcome.state.step != self.at {
            self.outcome.effects.push(Effect::Cancel);
        }
        self.outcome
    }

    fn fill(&self, text: &str, caught: Option<&Captures>) -> String {
        let Facts { input, .. } = self.facts;
        let state = &self.outcome.state;
        let language = self.facts.language(state);
        fill(text, |name| match name {
            Name::Text => self.facts.text(),
            Name::Kind => match input.moment {
                Moment::Message { kind, .. } => Some(kind),
                Moment::Timeout { .. } => None,
            },
            Name::ReplyId => self.facts.reply_id(),
            Name::ReplyTitle => match input.moment {
                Moment::Message { reply, .. } => reply.map(|(_, title)| title),
                Moment::Timeout { .. } => None,
            },
            Name::Profile => input.contact_name,
            Name::Phone => input.contact_phone,
            Name::Username => input.contact_username,
            Name::Tenant => Some(input.tenant_name),
            Name::Language => language.as_deref(),
            Name::Step => self.at.as_ref().map(|step| step.name.as_str()),
            Name::Capture(group) => caught.and_then(|caught| capture(caught, group)),
            Name::Variable(name) => state.variables.get(name).map(String::as_str),
        })
    }
}

fn capture<'a>(caught: &'a Captures, group: &str) -> Option<&'a str> {
    let found = match group.parse::<usize>() {
        Ok(number) => caught.get(number),
        Err(_) => caught.iter().find(|(name, _)| name.as_deref() == Some(group)),
    };
    found.map(|(_, part)| part.as_str())
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
