//! Checks of texts and names.

use super::{Groups, Problem};
use crate::fill::{NAMES, Name, Part, parts};
use crate::limits;
use crate::program::normal_language;

/// The path of an entry: `path` itself when there is only one.
pub(crate) fn at(path: &str, place: Option<usize>) -> String {
    place.map_or_else(|| path.to_owned(), |place| format!("{path}[{place}]"))
}

/// A text of 1 to `longest` characters.
pub(crate) fn bounded<'a>(path: &str, text: &'a str, longest: usize) -> Result<&'a str, Problem> {
    let length = text.chars().count();
    if (1..=longest).contains(&length) && !text.contains('\0') {
        return Ok(text);
    }
    Err(Problem::new(path, format!("it has {length} characters; give it 1 to {longest}, none of them NUL")))
}

/// As [`bounded`], with something to see.
pub(crate) fn visible<'a>(path: &str, text: &'a str, longest: usize) -> Result<&'a str, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(path, format!("it is empty; give it 1 to {longest} characters")));
    }
    bounded(path, text, longest)
}

/// A name of a rule, step, variable or of business hours.
pub(crate) fn name<'a>(path: &str, name: &'a str) -> Result<&'a str, Problem> {
    let is_allowed = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    if (1..=limits::NAME).contains(&name.chars().count()) && name.chars().all(is_allowed) {
        return Ok(name);
    }
    let message = format!("{name:?} is no name; give it 1 to {} letters, digits, '_', '-' and '.'", limits::NAME);
    Err(Problem::new(path, message))
}

/// A language, written as Meta does.
pub(crate) fn language(path: &str, language: &str) -> Result<String, Problem> {
    normal_language(language)
        .ok_or_else(|| Problem::new(path, format!("{language:?} is no language; write it like en or pt_BR")))
}

/// A text with placeholders, each of which is known and can have a value.
pub(super) fn filled<'a>(path: &str, text: &'a str, longest: usize, groups: &Groups) -> Result<&'a str, Problem> {
    let text = visible(path, text, longest)?;
    check_placeholders(path, text, groups)?;
    Ok(text)
}

pub(super) fn check_placeholders(path: &str, text: &str, groups: &Groups) -> Result<(), Problem> {
    for part in parts(text) {
        match part {
            Part::Text(_) => {}
            Part::Unclosed(_) => return Err(Problem::new(path, "a {{ has no }}")),
            Part::Value(written, _) => match Name::parse(written) {
                Some(Name::Capture(group)) if !groups.has(group) => {
                    let message = format!("{{{{{written}}}}}: no regex of this rule's match has the group {group}");
                    return Err(Problem::new(path, message));
                }
                Some(Name::Variable(variable)) => name(path, variable).map(drop)?,
                Some(_) => {}
                None => {
                    let message = format!("{{{{{written}}}}} is not known; there are {NAMES}");
                    return Err(Problem::new(path, message));
                }
            },
        }
    }
    Ok(())
}

impl Groups {
    fn has(&self, group: &str) -> bool {
        match group.parse::<usize>() {
            Ok(number) => self.any && number <= self.most,
            Err(_) => self.names.iter().any(|name| name == group),
        }
    }
}
