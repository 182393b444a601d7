//! Placeholders in texts: `{{contact.name}}`, or `{{contact.name|there}}` with words for when there is nothing.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// What stands in for a placeholder: its name, and the words for when it has no value.
    Value(&'a str, Option<&'a str>),
    /// `{{` without `}}`.
    Unclosed(&'a str),
}

/// The parts of a text.
pub(crate) fn parts(mut text: &str) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let Some(rest) = text.strip_prefix("{{") else {
            let (part, rest) = text.split_at(text.find("{{").unwrap_or(text.len()));
            text = rest;
            return Some(Part::Text(part));
        };
        let Some((inner, rest)) = rest.split_once("}}") else {
            let part = text;
            text = "";
            return Some(Part::Unclosed(part));
        };
        text = rest;
        Some(match inner.split_once('|') {
            Some((name, otherwise)) => Part::Value(name.trim(), Some(otherwise)),
            None => Part::Value(inner.trim(), None),
        })
    })
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    Text,
    Kind,
    ReplyId,
    ReplyTitle,
    Profile,
    Phone,
    Username,
    Tenant,
    Language,
    Step,
    /// A group of a regular expression, by number or name; 0 is the whole match.
    Capture(&'a str),
    /// A variable of the conversation.
    Variable(&'a str),
}

/// The names of placeholders, for people.
pub(crate) const NAMES: &str = "text, kind, reply.id, reply.title, contact.name, contact.phone, contact.username, \
                                tenant.name, language, step, capture.1 and var.name";

impl<'a> Name<'a> {
    pub fn parse(name: &'a str) -> Option<Self> {
        Some(match name {
            "text" => Name::Text,
            "kind" => Name::Kind,
            "reply.id" => Name::ReplyId,
            "reply.title" => Name::ReplyTitle,
            "contact.name" => Name::Profile,
            "contact.phone" => Name::Phone,
            "contact.username" => Name::Username,
            "tenant.name" => Name::Tenant,
            "language" => Name::Language,
            "step" => Name::Step,
            _ => match name.split_once('.')? {
                ("capture", group) if !group.is_empty() => Name::Capture(group),
                ("var", name) if !name.is_empty() => Name::Variable(name),
                _ => return None,
            },
        })
    }
}

/// The text with values in place of placeholders. `value` gives nothing, or an empty text, when there is none.
pub(crate) fn fill<'v>(text: &str, value: impl Fn(Name) -> Option<&'v str>) -> String {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) | Part::Unclosed(text) => filled.push_str(text),
            Part::Value(name, otherwise) => {
                let value = Name::parse(name).and_then(&value).filter(|value| !value.is_empty());
                filled.push_str(value.or(otherwise).unwrap_or_default());
            }
        }
    }
    // Meta and Postgres refuse it.
    filled.retain(|char| char != '\0');
    filled
}

/// The first characters of a text.
pub(crate) fn clipped(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        let value = |name: Name| match name {
            Name::Text => Some("hi {{text}}"),
            Name::Profile => None,
            Name::ReplyId => Some(""),
            Name::Capture("1") => Some("4711"),
            Name::Variable("plan") => Some("gold\0"),
            _ => Some("?"),
        };
        let cases = [
            ("", ""),
            ("plain { } }}", "plain { } }}"),
            ("{{text}}!", "hi {{text}}!"),
            ("a {{ capture.1 }} b {{var.plan}}", "a 4711 b gold"),
            ("Hello {{contact.name}}.", "Hello ."),
            ("Hello {{contact.name|there}}.", "Hello there."),
            ("{{reply.id|no choice}}", "no choice"),
            ("{{text|x}}", "hi {{text}}"),
            ("{{text", "{{text"),
            ("{{unknown.thing}}|", "|"),
            ("{{{{text}}}}", "}}"),
        ];
        for (text, expected) in cases {
            assert_eq!(fill(text, value), expected, "{text}");
        }
        assert_eq!(clipped("äöü".to_owned(), 2), "äö");
        assert_eq!(clipped("äöü".to_owned(), 3), "äöü");
    }
}
