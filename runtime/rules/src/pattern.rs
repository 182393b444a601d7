//! Regular expressions: linear in the text, without look-around and back-references (crate `regex-lite`).

use regex_lite::{Regex, RegexBuilder};

use crate::fold::{fold, fold_pattern, unfold};
use crate::limits;
use crate::schema::Fold;

/// How deep groups may be nested.
const NESTING: u32 = 20;

/// What groups of a regular expression caught; the first is the whole match.
pub(crate) type Captures = Vec<(Option<String>, String)>;

/// Compiles a pattern to at most this many bytes.
fn build(pattern: &str, level: Fold, limit: usize) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(&fold_pattern(pattern, level))
        .case_insensitive(level >= Fold::Case)
        .size_limit(limit)
        .nest_limit(NESTING)
        .build()
}

/// What the first match in the text caught, as it stands in the text.
pub(crate) fn find(pattern: &str, level: Fold, text: &str) -> Option<Captures> {
    let regex = build(pattern, level, limits::REGEX).ok()?;
    let text = beginning(text, limits::REGEX_SEEN);
    // The engine folds ASCII itself, so most texts are searched as they are.
    let folded = if text.is_ascii() { text.into() } else { fold(text, level) };
    let found = regex.captures(&folded)?;
    let original = |at: std::ops::Range<usize>| match &folded {
        std::borrow::Cow::Borrowed(text) => &text[at],
        std::borrow::Cow::Owned(_) => unfold(text, level, at),
    };
    let groups = regex.capture_names().zip(found.iter());
    let caught = groups.map(|(name, group)| {
        let part = group.map(|group| original(group.range()).to_owned());
        (name.map(str::to_owned), part.unwrap_or_default())
    });
    Some(caught.collect())
}

/// The unit in which compiled patterns are weighed, in bytes.
const UNIT: usize = 256;

/// How large a pattern is when it is compiled, in bytes, rounded up to a unit.
pub(crate) fn weigh(pattern: &str, level: Fold) -> Result<usize, String> {
    build(pattern, level, limits::REGEX).map_err(|error| advice(&error.to_string()))?;
    // The engine does not tell, but it refuses what is over a limit.
    let (mut over, mut enough) = (0, limits::REGEX / UNIT);
    while enough - over > 1 {
        let middle = (over + enough) / 2;
        *if build(pattern, level, middle * UNIT).is_ok() { &mut enough } else { &mut over } = middle;
    }
    Ok(enough * UNIT)
}

/// The first characters of a text.
pub(crate) fn beginning(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

/// How many groups a pattern has, and their names.
pub(crate) fn groups(pattern: &str, level: Fold) -> (usize, Vec<String>) {
    let Ok(regex) = build(pattern, level, limits::REGEX) else { return (0, Vec::new()) };
    (regex.captures_len() - 1, regex.capture_names().flatten().map(str::to_owned).collect())
}

fn advice(error: &str) -> String {
    if error.contains("size") {
        let limit = limits::REGEX;
        return format!("it is larger than {limit} bytes when it is compiled; ask for fewer or shorter repetitions");
    }
    if error.contains("nest") {
        return format!("its groups are nested more than {NESTING} deep");
    }
    format!("not a regular expression: {error}; look-around and back-references are not supported")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn caught(pattern: &str, level: Fold, text: &str) -> Option<Vec<String>> {
        find(pattern, level, text).map(|caught| caught.into_iter().map(|(_, part)| part).collect())
    }

    #[test]
    fn groups_are_caught_as_they_stand_in_the_text() {
        let cases: [(&str, Fold, &str, Option<&[&str]>); 10] = [
            (r"order (\d+)", Fold::Case, "My ORDER 4711, please", Some(&["ORDER 4711", "4711"])),
            (r"order (\d+)", Fold::None, "My ORDER 4711, please", None),
            (r"^(\w+)( \w+)?$", Fold::Case, "Sam", Some(&["Sam", "Sam", ""])),
            (r"ÄRGER (\w+)", Fold::Case, "Großer Ärger HIER", Some(&["Ärger HIER", "HIER"])),
            (r"ÄRGER", Fold::None, "ärger", None),
            (r"café (\S+)", Fold::CaseAndAccents, "Le CAFE Élysée?", Some(&["CAFE Élysée?", "Élysée?"])),
            (r"cafe (\S+)", Fold::CaseAndAccents, "Le Café Élysée?", Some(&["Café Élysée?", "Élysée?"])),
            (r"(?P<city>[a-z]+)$", Fold::CaseAndAccents, "aus Łódź", Some(&["Łódź", "Łódź"])),
            (r"x", Fold::Case, "", None),
            (r"", Fold::Case, "é", Some(&[""])),
        ];
        for (pattern, level, text, expected) in cases {
            let expected = expected.map(|parts| parts.iter().map(|part| (*part).to_owned()).collect());
            assert_eq!(caught(pattern, level, text), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_searched() {
        let text = format!("{}needle", "é".repeat(limits::REGEX_SEEN - 6));
        assert!(find("needle", Fold::Case, &text).is_some());
        assert!(find("needle", Fold::Case, &format!("é{text}")).is_none());
    }

    #[test]
    fn mistakes_are_explained() {
        let cases = [
            ("(", "not a regular expression"),
            (r"(?=x)", "look-around"),
            (r"(a)\1", "back-references"),
            (r"(\w{1,100}){100}", "bytes"),
            (&format!("{}x{}", "(".repeat(30), ")".repeat(30)), "nested"),
        ];
        for (pattern, word) in cases {
            let problem = weigh(pattern, Fold::Case).unwrap_err();
            assert!(problem.contains(word), "{pattern}: {problem}");
        }
        assert_eq!(weigh("hello", Fold::Case), Ok(512));
        assert!(weigh(r"(?:a?){130}", Fold::Case).is_ok_and(|weight| weight > 12 << 10));
        assert_eq!(groups(r"(a)(?P<name>b)", Fold::Case), (2, vec!["name".to_owned()]));
    }
}
