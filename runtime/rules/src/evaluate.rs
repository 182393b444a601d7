//! Whether a rule matches: conditions in their compact form against what is known of the event.

mod seen;

use std::cell::OnceCell;

use self::seen::Seen;
use crate::fold::fold;
use crate::hours::is_open;
use crate::limits;
use crate::pattern::{self, Captures, beginning};
use crate::program::{Input, Moment, normal_language};
use crate::schema::Fold;
use crate::state::State;
use crate::wire::{Malformed, Reader};

/// What conditions look at.
pub(crate) struct Facts<'a> {
    pub input: &'a Input<'a>,
    /// The business hours in their compact form.
    pub hours: &'a [&'a str],
    pub default_language: Option<&'a str>,
    /// The text as each way of folding leaves it; made when it is first asked for.
    seen: [OnceCell<Seen<'a>>; 3],
}

impl<'a> Facts<'a> {
    pub fn new(input: &'a Input<'a>, hours: &'a [&'a str], default_language: Option<&'a str>) -> Self {
        Self { input, hours, default_language, seen: Default::default() }
    }

    /// The conversation's language, as Meta writes it.
    pub fn language(&self, state: &State) -> Option<String> {
        let of_conversation = state.variables.get("language").and_then(|language| normal_language(language));
        of_conversation.or_else(|| self.default_language.map(str::to_owned))
    }

    /// Whether all of the conditions hold. What a regular expression caught is put into `caught`.
    pub fn hold(&self, conditions: &str, state: &State, caught: &mut Option<Captures>) -> Result<bool, Malformed> {
        let mut conditions = Reader::new(conditions);
        let had_caught = caught.is_some();
        while let Some((tag, body)) = conditions.next()? {
            if !self.holds(tag, body, state, caught)? {
                if !had_caught {
                    *caught = None;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, tag: u8, body: &str, state: &State, caught: &mut Option<Captures>) -> Result<bool, Malformed> {
        match tag {
            b'&' => self.hold(body, state, caught),
            b'|' => {
                let mut conditions = Reader::new(body);
                while let Some((tag, body)) = conditions.next()? {
                    if self.holds(tag, body, state, caught)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            b'!' => Ok(!self.hold(body, state, &mut None)?),
            b'k' => any(body, |kind| self.kind() == Some(kind)),
            b'b' => any(body, |id| self.reply_id() == Some(id)),
            b't' => any(body, |tag| self.input.tags.iter().any(|known| known == tag)),
            b'l' => {
                let Some(language) = self.language(state) else { return Ok(false) };
                let language = language.to_ascii_lowercase();
                any(body, |wanted| {
                    language.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
                })
            }
            b'h' => {
                let mut places = Reader::new(body);
                while let Some((_, place)) = places.next()? {
                    let place: usize = place.parse().map_err(|_| Malformed)?;
                    let hours = self.hours.get(place).ok_or(Malformed)?;
                    if is_open(hours, i64::try_from(self.input.now / 1000).unwrap_or(i64::MAX))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            b'V' => {
                let mut parts = Reader::new(body);
                let value = state.variables.get(parts.expect(b'n')?);
                let Some((_, first)) = parts.next()? else { return Ok(value.is_none()) };
                let Some(value) = value else { return Ok(false) };
                let mut wanted = Some(first);
                while let Some(one) = wanted {
                    if value == one {
                        return Ok(true);
                    }
                    wanted = parts.next()?.map(|(_, body)| body);
                }
                Ok(false)
            }
            b'e' => self.compare(body, |seen, phrase| seen.text.trim() == phrase),
            b'p' => self.compare(body, |seen, phrase| seen.text.trim_start().starts_with(phrase)),
            b'c' => self.compare(body, Seen::contains),
            b'w' => self.compare(body, Seen::contains_words),
            b'r' => self.search(body, caught),
            _ => Err(Malformed),
        }
    }

    fn compare(&self, body: &str, matches: impl Fn(&Seen<'a>, &str) -> bool) -> Result<bool, Malformed> {
        let Some(text) = self.text() else { return Ok(false) };
        let (level, phrases) = level(body)?;
        let seen = &self.seen[level as usize];
        let seen = seen.get_or_init(|| Seen::new(fold(beginning(text, limits::SEEN), level)));
        any(phrases, |phrase| matches(seen, phrase))
    }

    fn search(&self, body: &str, caught: &mut Option<Captures>) -> Result<bool, Malformed> {
        let Some(text) = self.text() else { return Ok(false) };
        let (level, patterns) = level(body)?;
        let mut patterns = Reader::new(patterns);
        while let Some((_, pattern)) = patterns.next()? {
            if let Some(found) = pattern::find(pattern, level, text) {
                caught.get_or_insert(found);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn kind(&self) -> Option<&'a str> {
        match self.input.moment {
            Moment::Message { kind, .. } => Some(kind),
            Moment::Timeout { .. } => None,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        match self.input.moment {
            Moment::Message { text, .. } => text,
            Moment::Timeout { .. } => None,
        }
    }

    pub fn reply_id(&self) -> Option<&'a str> {
        match self.input.moment {
            Moment::Message { reply, .. } => reply.map(|(id, _)| id),
            Moment::Timeout { .. } => None,
        }
    }
}

fn any(texts: &str, holds: impl Fn(&str) -> bool) -> Result<bool, Malformed> {
    let mut texts = Reader::new(texts);
    while let Some((_, text)) = texts.next()? {
        if holds(text) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn level(body: &str) -> Result<(Fold, &str), Malformed> {
    let level = match body.as_bytes().first() {
        Some(b'0') => Fold::None,
        Some(b'1') => Fold::Case,
        Some(b'2') => Fold::CaseAndAccents,
        _ => return Err(Malformed),
    };
    Ok((level, &body[1..]))
}
