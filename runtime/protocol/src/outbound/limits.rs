//! Meta's limits, checked on a payload in Meta's own format, whoever made it.
//!
//! In: `type` and the object of that type. Out: nothing, or the first field that Meta would refuse, by its path. Raw
//! payloads may hold what is not known here, because Meta may know it. Source: Meta's reference of the messages endpoint
//! and of each message type; lengths are in characters.

mod contacts;
mod interactive;
mod template;

use serde_json::{Map, Value};

use super::Invalid;

/// What becomes of kinds and fields that are not known here.
#[derive(Clone, Copy)]
pub(super) enum Unknown {
    /// Of messages that are typed.
    Refused,
    /// Of raw payloads.
    Passes,
}

pub(super) fn check(payload: &Map<String, Value>, unknown: Unknown) -> Result<(), Invalid> {
    let kind = payload.get("type").and_then(Value::as_str).unwrap_or_default();
    let member = |name: &str| At { path: name.to_owned(), value: payload.get(name).unwrap_or(&Value::Null), unknown };
    let content = member(kind);
    match kind {
        "text" => {
            content.object()?;
            content.field("body").text(1, 4096)?;
            content.field("preview_url").flag()?;
        }
        "image" | "video" | "audio" | "document" | "sticker" => file(kind, &content)?,
        "location" => place(&content)?,
        "contacts" => contacts::check(&content)?,
        "reaction" => {
            content.object()?;
            content.field("message_id").text(1, crate::wire::MAX_ID)?;
            content.field("emoji").text_or_none(0, 16)?;
        }
        "interactive" => interactive::check(&content)?,
        "template" => template::check(&content)?,
        super::typed::READ => {
            content.object()?;
            content.field("message_id").text(1, crate::wire::MAX_ID)?;
            content.field("typing").flag()?;
        }
        _ => {}
    }
    let context = member("context");
    if context.is_there() {
        context.field("message_id").text(1, crate::wire::MAX_ID)?;
    }
    Ok(())
}

/// A file at Meta or on the web.
fn file(kind: &str, at: &At<'_>) -> Result<(), Invalid> {
    at.object()?;
    at.only(&["id", "link", "caption", "filename", "voice"])?;
    match (at.field("id"), at.field("link")) {
        (id, link) if id.is_there() && link.is_there() => {
            return Err(link.invalid("is not possible beside id; give one of the two"));
        }
        (id, _) if id.is_there() => id.text(1, crate::wire::MAX_ID).map(drop)?,
        (_, link) if link.is_there() => link.url(&["https://", "http://"]).map(drop)?,
        _ => return Err(at.invalid("has neither id nor link; give one of the two")),
    }
    let caption = at.field("caption");
    if caption.is_there() && matches!(kind, "audio" | "sticker") {
        return Err(caption.invalid(&format!("is not possible with {kind}; send a text of its own")));
    }
    caption.text_or_none(1, 1024)?;
    let filename = at.field("filename");
    if filename.is_there() && kind != "document" {
        return Err(filename.invalid(&format!("is not possible with {kind}; only documents have one")));
    }
    filename.text_or_none(1, 240)?;
    let voice = at.field("voice");
    if voice.is_there() && kind != "audio" {
        return Err(voice.invalid(&format!("is not possible with {kind}; only audio has it")));
    }
    voice.flag()
}

/// A file within another message.
fn inner_file(kind: &str, at: &At<'_>) -> Result<(), Invalid> {
    file(kind, at)?;
    at.field("caption").absent("is not possible in a header; put the words into the body")
}

fn place(at: &At<'_>) -> Result<(), Invalid> {
    at.object()?;
    at.only(&["latitude", "longitude", "name", "address"])?;
    at.field("latitude").degrees(90.0)?;
    at.field("longitude").degrees(180.0)?;
    at.field("name").text_or_none(1, 1000)?;
    at.field("address").text_or_none(1, 1000)?;
    Ok(())
}

/// A value and where it is; null where there is none.
struct At<'a> {
    path: String,
    value: &'a Value,
    unknown: Unknown,
}

impl<'a> At<'a> {
    fn field(&self, name: &str) -> At<'a> {
        let value = self.value.get(name).unwrap_or(&Value::Null);
        At { path: format!("{}.{name}", self.path), value, unknown: self.unknown }
    }

    fn is_there(&self) -> bool {
        !self.value.is_null()
    }

    fn invalid(&self, message: &str) -> Invalid {
        Invalid::new(self.path.clone(), message)
    }

    fn absent(&self, why: &str) -> Result<(), Invalid> {
        if self.is_there() { Err(self.invalid(why)) } else { Ok(()) }
    }

    fn whole(&self, advice: &str) -> Result<(), Invalid> {
        if self.value.is_i64() { Ok(()) } else { Err(self.invalid(&format!("is no whole number; {advice}"))) }
    }

    /// It is none of the known ones.
    fn none_of(&self, known: &[&str]) -> Result<(), Invalid> {
        match self.unknown {
            Unknown::Passes => Ok(()),
            Unknown::Refused => Err(self.invalid(&format!(
                "is not known; known are {}. What else Meta has goes as a payload, in Meta's own format",
                known.join(", ")
            ))),
        }
    }

    /// No fields beside these.
    fn only(&self, known: &[&str]) -> Result<(), Invalid> {
        let mut names = self.value.as_object().into_iter().flat_map(Map::keys);
        match names.find(|name| !known.contains(&name.as_str())) {
            Some(name) => self.field(name).none_of(known),
            None => Ok(()),
        }
    }

    fn object(&self) -> Result<(), Invalid> {
        match self.value {
            Value::Object(_) => Ok(()),
            Value::Null => Err(self.invalid("is missing; an object belongs there")),
            _ => Err(self.invalid("is not an object")),
        }
    }

    fn flag(&self) -> Result<(), Invalid> {
        match self.value {
            Value::Null | Value::Bool(_) => Ok(()),
            _ => Err(self.invalid("is neither true nor false")),
        }
    }

    /// A text that must be there.
    fn text(&self, min: usize, max: usize) -> Result<&'a str, Invalid> {
        match self.value {
            Value::String(text) => super::payload::length(&self.path, text, min, max).map(|()| text.as_str()),
            Value::Null => Err(self.invalid(&format!("is missing; give {min} to {max} characters"))),
            _ => Err(self.invalid(&format!("is not a text; give {min} to {max} characters"))),
        }
    }

    fn text_or_none(&self, min: usize, max: usize) -> Result<Option<&'a str>, Invalid> {
        if self.is_there() { self.text(min, max).map(Some) } else { Ok(None) }
    }

    /// One of these words, which must be there.
    fn word(&self, words: &[&str]) -> Result<&'a str, Invalid> {
        match self.value.as_str().filter(|word| words.contains(word)) {
            Some(word) => Ok(word),
            None if self.is_there() => {
                Err(self.invalid(&format!("is {}; it must be {}", self.value, words.join(" or "))))
            }
            None => Err(self.invalid(&format!("is missing; it must be {}", words.join(" or ")))),
        }
    }

    fn url(&self, schemes: &[&str]) -> Result<&'a str, Invalid> {
        let url = self.text(1, 2000)?;
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace)) {
            return Ok(url);
        }
        Err(self.invalid(&format!("is no URL; it must begin with {} and hold no spaces", schemes.join(" or "))))
    }

    /// Degrees: a number, or a text that is one, as Meta takes it.
    fn degrees(&self, limit: f64) -> Result<(), Invalid> {
        let degrees = self.value.as_f64().or_else(|| self.value.as_str()?.trim().parse().ok());
        match degrees {
            Some(degrees) if degrees.is_finite() && degrees.abs() <= limit => Ok(()),
            _ if !self.is_there() => Err(self.invalid(&format!("is missing; give degrees from -{limit} to {limit}"))),
            _ => Err(self.invalid(&format!("is {}; it must be degrees from -{limit} to {limit}", self.value))),
        }
    }

    /// The elements of a list with `min` to `max` of them; the first that is too many is named.
    fn list(&self, min: usize, max: usize, what: &str) -> Result<Vec<At<'a>>, Invalid> {
        let list = match self.value {
            Value::Array(list) => list.as_slice(),
            Value::Null if min == 0 => &[],
            Value::Null => return Err(self.invalid(&format!("is missing; give {min} to {max} {what}"))),
            _ => return Err(self.invalid(&format!("is not a list; give {min} to {max} {what}"))),
        };
        if list.len() > max {
            return Err(Invalid::new(format!("{}[{max}]", self.path), format!("at most {max} {what}")));
        }
        if list.len() < min {
            return Err(self.invalid(&format!("has {} {what}; give {min} to {max}", list.len())));
        }
        Ok(list
            .iter()
            .enumerate()
            .map(|(place, value)| At { path: format!("{}[{place}]", self.path), value, unknown: self.unknown })
            .collect())
    }
}

/// Refuses a second use of a word.
fn unique<'a>(at: &At<'_>, word: &'a str, seen: &mut Vec<&'a str>) -> Result<(), Invalid> {
    if seen.contains(&word) {
        return Err(at.invalid("is used twice; give each its own"));
    }
    seen.push(word);
    Ok(())
}
