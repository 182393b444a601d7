//! Texts with variables: `Hello {{first_name|friend}}`.
//!
//! `{{name}}` stands for a value, `{{name|default}}` has a default, which may be empty. `\{{` stands for two plain
//! braces. Values and defaults are put in as they are: what looks like a variable in them is none.

use crate::Invalid;

/// Longest name of a variable, in characters.
const LONGEST_NAME: usize = 64;
/// Greatest number of a positional variable.
const GREATEST_NUMBER: usize = crate::limits::VARIABLES;

/// A variable in a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variable {
    /// A name, or a number when it is positional.
    pub name: String,
    /// Stands in when no value is given.
    pub default: Option<String>,
}

impl Variable {
    /// The number, when the variable is positional.
    pub fn position(&self) -> Option<usize> {
        self.name.parse().ok()
    }
}

/// A text of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// Where it stands, for messages about it.
    pub path: String,
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Plain(String),
    Variable(Variable),
}

impl Text {
    pub fn parse(path: String, source: &str) -> Result<Text, Invalid> {
        let refuse = |message| Err(Invalid::new(&path, message));
        if source.contains('\0') {
            return refuse("holds a NUL character (U+0000); remove it".to_owned());
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{{") {
            if let Some(before) = before.strip_suffix('\\') {
                plain.push_str(before);
                plain.push_str("{{");
                rest = after;
                continue;
            }
            plain.push_str(before);
            let Some((inside, after)) = after.split_once("}}").filter(|(inside, _)| !inside.contains("{{")) else {
                return refuse(format!(
                    "has \"{{{{\" without \"}}}}\" before {:?}; write \\{{{{ for two plain braces",
                    after.chars().take(20).collect::<String>()
                ));
            };
            if !plain.is_empty() {
                pieces.push(Piece::Plain(std::mem::take(&mut plain)));
            }
            match variable(inside) {
                Ok(variable) => pieces.push(Piece::Variable(variable)),
                Err(message) => return refuse(format!("{{{{{inside}}}}} is no variable: {message}")),
            }
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Ok(Text { path, pieces })
    }

    /// Every variable at every place where it stands.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable),
            Piece::Plain(_) => None,
        })
    }

    /// The variables in the order of their first places, each once, with the first default that one has.
    pub fn distinct(&self) -> Vec<Variable> {
        distinct(self.variables())
    }

    pub fn has_variables(&self) -> bool {
        self.variables().next().is_some()
    }

    /// The plain characters: what the text has however short the values are.
    pub fn least_chars(&self) -> usize {
        let plain = |piece: &Piece| match piece {
            Piece::Plain(text) => text.chars().count(),
            Piece::Variable(_) => 0,
        };
        self.pieces.iter().map(plain).sum()
    }
}

/// Each variable once, in this order, with the first default that one has.
pub(crate) fn distinct<'a>(variables: impl Iterator<Item = &'a Variable>) -> Vec<Variable> {
    let mut found: Vec<Variable> = Vec::new();
    for variable in variables {
        match found.iter_mut().find(|known| known.name == variable.name) {
            Some(known) => known.default = known.default.take().or_else(|| variable.default.clone()),
            None => found.push(variable.clone()),
        }
    }
    found
}

fn variable(inside: &str) -> Result<Variable, String> {
    let (name, default) = match inside.split_once('|') {
        Some((name, default)) => (name.trim(), Some(default.trim().to_owned())),
        None => (inside.trim(), None),
    };
    let name = if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = name.parse().ok().filter(|number| (1..=GREATEST_NUMBER).contains(number));
        number.ok_or_else(|| format!("positional variables go from 1 to {GREATEST_NUMBER}"))?.to_string()
    } else {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.bytes().all(fits) || name.len() > LONGEST_NAME
        {
            return Err(format!(
                "a name begins with a letter and has up to {LONGEST_NAME} of a-z, A-Z, 0-9 and _; a default follows \
                 after |"
            ));
        }
        name.to_owned()
    };
    Ok(Variable { name, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> Result<Text, Invalid> {
        Text::parse("text".to_owned(), source)
    }

    #[test]
    fn variables_are_found_with_their_defaults() {
        let named = |name: &str, default: Option<&str>| (name.to_owned(), default.map(str::to_owned));
        let cases = [
            ("no variables { } }} at all", vec![]),
            ("{{a}}", vec![named("a", None)]),
            ("x{{ a }}{{b|}}y", vec![named("a", None), named("b", Some(""))]),
            ("{{first_name|dear friend}}", vec![named("first_name", Some("dear friend"))]),
            ("{{a | b|c } d }}", vec![named("a", Some("b|c } d"))]),
            ("{{1}} and {{02}}", vec![named("1", None), named("2", None)]),
            (r"\{{a}} {{b}}", vec![named("b", None)]),
        ];
        for (source, expected) in cases {
            let text = parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
            let found: Vec<_> = text.variables().map(|one| (one.name.clone(), one.default.clone())).collect();
            assert_eq!(found, expected, "{source}");
        }
    }

    #[test]
    fn what_is_no_variable_is_refused_with_a_reason() {
        let cases = [
            ("Hello {{name", "without \"}}\""),
            ("Hello {{name {{x}}", "without \"}}\""),
            ("{{}}", "begins with a letter"),
            ("{{first name}}", "begins with a letter"),
            ("{{_x}}", "begins with a letter"),
            ("{{1st}}", "begins with a letter"),
            ("{{größe}}", "begins with a letter"),
            ("{{0}}", "from 1 to 100"),
            ("{{101}}", "from 1 to 100"),
            ("{{99999999999999999999}}", "from 1 to 100"),
            ("{{{x}}}", "begins with a letter"),
            ("a\0b", "NUL"),
        ];
        for (source, word) in cases {
            let error = parse(source).expect_err(source);
            assert!(error.message.contains(word), "{source}: {error}");
        }
    }

    #[test]
    fn a_variable_counts_once_and_its_first_default_counts() {
        let text = parse("{{a}} {{b|x}} {{a|y}} {{a|z}}").expect("it is right");
        let expected = [
            Variable { name: "a".into(), default: Some("y".into()) },
            Variable { name: "b".into(), default: Some("x".into()) },
        ];
        assert_eq!(text.distinct(), expected);
        assert_eq!(text.least_chars(), 3);
    }
}
