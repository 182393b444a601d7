//! Putting values into texts.

use std::collections::HashMap;

use crate::text::{Piece, Text, Variable};

/// Why a template was not rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Variables without a value and without a default, by name, in reading order.
    #[error("no value for {}", .0.join(", "))]
    MissingVariables(Vec<String>),
    /// The message cannot be sent with these values.
    #[error("{0}")]
    Invalid(String),
}

/// The values of one message, and what turned out to be wrong with them.
pub(crate) struct Values<'a> {
    values: HashMap<&'a str, &'a str>,
    missing: Vec<String>,
    wrong: Option<String>,
}

impl<'a> Values<'a> {
    pub fn new(variables: &'a [(String, String)]) -> Self {
        let values = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Values { values, missing: Vec::new(), wrong: None }
    }

    /// A variable's value; one that is missing is noted.
    pub fn get<'b>(&mut self, variable: &'b Variable) -> &'b str
    where
        'a: 'b,
    {
        if let Some(value) = self.values.get(variable.name.as_str()) {
            return value;
        }
        if variable.default.is_none() && !self.missing.contains(&variable.name) {
            self.missing.push(variable.name.clone());
        }
        variable.default.as_deref().unwrap_or_default()
    }

    /// The text with its values, at most `limit` characters; what is over is noted.
    pub fn text(&mut self, text: &Text, limit: usize) -> String {
        self.fill(text, limit, |value, filled| filled.push_str(value))
    }

    /// An address with its values. They are percent-encoded, so that none of them can lead elsewhere, unless the
    /// address begins with one: that one is put in as it is.
    pub fn url(&mut self, text: &Text, limit: usize) -> String {
        let url = self.fill(text, limit, |value, filled| match filled.is_empty() {
            true => filled.push_str(value),
            false => encode(value, filled),
        });
        if !is_https(&url) {
            self.note(format!("{}: {url:?} is no https address; Meta takes https:// only", text.path));
        }
        url
    }

    fn fill(&mut self, text: &Text, limit: usize, put: impl Fn(&str, &mut String)) -> String {
        let mut filled = String::new();
        for piece in &text.pieces {
            match piece {
                Piece::Plain(plain) => filled.push_str(plain),
                Piece::Variable(variable) => put(self.get(variable), &mut filled),
            }
        }
        let count = filled.chars().count();
        if filled.trim().is_empty() {
            self.note(format!("{}: is empty with these values; give 1 to {limit} characters", text.path));
        } else if count > limit {
            self.note(format!("{}: has {count} characters with these values; Meta's limit is {limit}", text.path));
        }
        filled
    }

    /// Something is wrong; the first counts.
    pub fn note(&mut self, message: String) {
        self.wrong.get_or_insert(message);
    }

    /// The message, if nothing was missing or wrong. What is missing counts first: the rest may follow from it.
    pub fn finish<T>(self, message: T) -> Result<T, RenderError> {
        if !self.missing.is_empty() {
            return Err(RenderError::MissingVariables(self.missing));
        }
        self.wrong.map_or(Ok(message), |wrong| Err(RenderError::Invalid(wrong)))
    }
}

pub(crate) fn is_https(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(char::from(byte)),
            _ => into.push_str(&format!("%{byte:02X}")),
        }
    }
}
