//! One event on its way through the rules.

use super::{Effect, Moment, Outcome};
use crate::evaluate::Facts;
use crate::fill::{Name, clipped, fill};
use crate::limits;
use crate::pattern::Captures;
use crate::state::{State, Step};
use crate::wire::{Malformed, Reader};

/// One event under way.
pub(super) struct Turn<'a> {
    facts: &'a Facts<'a>,
    pub outcome: Outcome,
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
    pub fn begin(facts: &'a Facts<'a>, mut state: State) -> Result<Self, State> {
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
    pub fn attempt(&mut self, rule: &str) -> Result<bool, Malformed> {
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

    pub fn end(mut self) -> Outcome {
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
