//! How single values are read from Meta's JSON, forgivingly: a value of an unexpected type counts as absent, a number
//! where text belongs is its digits, and no value costs its neighbours.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

/// Longest message id that is accepted, in bytes. Real ones have about 60; an index cannot hold arbitrary ones.
pub(crate) const MAX_ID: usize = 512;

/// Last second of the year 9999: a "timestamp" after it is not one.
pub(crate) const MAX_SECONDS: i64 = 253_402_300_799;

/// An error as Meta reports it in webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformError {
    /// Meta's code, for example 131047; 0 when Meta gave none.
    pub code: i64,
    /// What happened, in Meta's words.
    pub title: String,
    /// More of it (`error_data.details`).
    pub details: Option<String>,
}

/// Reads a list of Meta's errors; what is not an error object is left out.
pub(crate) fn errors(raw: Option<&RawValue>) -> Vec<PlatformError> {
    list(raw).into_iter().filter_map(|item| error(&Object::read(item.get())?)).collect()
}

/// Reads one of Meta's errors; nothing when it says neither code nor title.
pub(crate) fn error(it: &Object<'_>) -> Option<PlatformError> {
    let title = it.text("title").or_else(|| it.text("message"));
    if title.is_none() && it.get("code").is_none() {
        return None;
    }
    Some(PlatformError {
        code: it.integer("code").unwrap_or_default(),
        title: title.unwrap_or_else(|| "no title given".to_owned()),
        details: it.object("error_data").text("details"),
    })
}

/// Any `T`, or nothing when it cannot be read.
pub(crate) fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// An object, or why not. Serde also takes a list for a struct, which here would be misread.
pub(crate) fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    if !json.trim_start().starts_with('{') {
        return Err("not an object".to_owned());
    }
    serde_json::from_str(json).map_err(|error| reason(&error))
}

/// What is wrong with JSON, in a bounded number of words.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    without_nul(clip(&error.to_string(), 300))
}

/// An object whose members are read one by one, each by itself.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Object<'a>(#[serde(borrow)] HashMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// Nothing when it is no object.
    pub(crate) fn read(json: &'a str) -> Option<Object<'a>> {
        object(json).ok()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// A text that is not empty, at most 4096 characters of it.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text).filter(|text| !text.is_empty()).map(|text| clip(&text, 4096))
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(integer)
    }

    pub(crate) fn millis(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(millis)
    }

    /// The object of this name; an empty one when there is none.
    pub(crate) fn object(&self, name: &str) -> Object<'a> {
        self.get(name).and_then(|raw| Object::read(raw.get())).unwrap_or_default()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<&'a RawValue> {
        list(self.get(name))
    }
}

/// The items of a list, or none when it is not a list.
pub(crate) fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(parse).unwrap_or_default()
}

/// A string, or the digits of a number.
pub(crate) fn text(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first()? {
        b'"' => parse::<String>(raw).map(without_nul),
        b'-' | b'0'..=b'9' => Some(raw.get().to_owned()),
        _ => None,
    }
}

/// A number, or a string that is one.
pub(crate) fn integer(raw: &RawValue) -> Option<i64> {
    text(raw)?.trim().parse().ok()
}

/// Meta's time, text or number of seconds since 1970, as milliseconds.
pub(crate) fn millis(raw: &RawValue) -> Option<i64> {
    integer(raw).filter(|seconds| (0..=MAX_SECONDS).contains(seconds)).map(|seconds| seconds * 1000)
}

/// Postgres cannot store NUL, and one such string would fail the whole batch it is in.
pub(crate) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// At most `max` characters, with `…` in place of the rest.
pub(crate) fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// For `#[serde(default, deserialize_with)]`: text when it is text.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<&RawValue>::deserialize(deserializer)?.and_then(text))
}

/// For `#[serde(deserialize_with)]`: text that must be there.
pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional(deserializer)?.ok_or_else(|| D::Error::custom("expected text"))
}

/// For `#[serde(default, deserialize_with)]`: true when it says true.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<&RawValue>::deserialize(deserializer)?.is_some_and(|raw| matches!(raw.get(), "true" | "\"true\"")))
}

/// For `#[serde(default, deserialize_with)]`: seconds as milliseconds.
pub(crate) fn optional_millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<&RawValue>::deserialize(deserializer)?.and_then(millis))
}

/// For `#[serde(default, deserialize_with)]`: any `T`, or nothing when it cannot be read.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<&RawValue>::deserialize(deserializer)?.and_then(parse))
}

/// For `#[serde(deserialize_with)]`: a number, also one written as a string.
pub(crate) fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
{
    required(deserializer)?.trim().parse().map_err(|_| D::Error::custom("expected a number"))
}

/// For `#[serde(deserialize_with)]`: the content of a string, or the JSON text of anything else.
pub(crate) fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(text(raw).unwrap_or_else(|| raw.get().to_owned()))
}
