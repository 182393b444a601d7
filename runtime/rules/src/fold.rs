//! Making texts alike that people take for the same.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization::char::decompose_canonical;

use crate::schema::Fold;

/// The text with what does not count taken away.
pub(crate) fn fold(text: &str, level: Fold) -> Cow<'_, str> {
    if level == Fold::None {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        let is_small = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if is_small { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) };
    }
    let mut folded = String::with_capacity(text.len());
    for char in text.chars() {
        push(char, level, &mut folded);
    }
    Cow::Owned(folded)
}

/// A regular expression for folded text. Only letters outside ASCII are changed: those within may be escapes, and the
/// engine folds their case itself.
pub(crate) fn fold_pattern(pattern: &str, level: Fold) -> Cow<'_, str> {
    if level == Fold::None || pattern.is_ascii() {
        return Cow::Borrowed(pattern);
    }
    let mut folded = String::with_capacity(pattern.len());
    for char in pattern.chars() {
        if char.is_ascii() { folded.push(char) } else { push(char, level, &mut folded) }
    }
    Cow::Owned(folded)
}

/// The part of the text that became this part of the folded text.
pub(crate) fn unfold(text: &str, level: Fold, part: Range<usize>) -> &str {
    if part.is_empty() {
        return "";
    }
    let mut folded = String::new();
    let (mut length, mut start, mut end) = (0, None, text.len());
    for (at, char) in text.char_indices() {
        folded.clear();
        push(char, level, &mut folded);
        // A mark that vanished belongs to the letter before it.
        if folded.is_empty() {
            continue;
        }
        if length >= part.end {
            end = at;
            break;
        }
        length += folded.len();
        if start.is_none() && length > part.start {
            start = Some(at);
        }
    }
    text.get(start.unwrap_or(text.len())..end).unwrap_or_default()
}

fn push(char: char, level: Fold, folded: &mut String) {
    if level == Fold::None {
        folded.push(char);
    } else if level == Fold::Case || char.is_ascii() {
        folded.extend(char.to_lowercase());
    } else {
        decompose_canonical(char, |part| {
            if !is_accent(part) {
                match without_stroke(part) {
                    Some(letters) => folded.push_str(letters),
                    None => folded.extend(part.to_lowercase()),
                }
            }
        });
    }
}

/// Marks that people leave out. Those of other scripts, vowel signs for example, make another word.
fn is_accent(char: char) -> bool {
    matches!(char,
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        // Points of Hebrew and Arabic, which are rarely written.
        | '\u{591}'..='\u{5c7}'
        | '\u{64b}'..='\u{65f}')
}

/// Letters that Unicode does not take apart, but people do.
fn without_stroke(char: char) -> Option<&'static str> {
    Some(match char {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ı' => "i",
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_alike() {
        let cases = [
            ("Hello", "Hello", "hello", "hello"),
            ("hello", "hello", "hello", "hello"),
            ("ÄRGER", "ÄRGER", "ärger", "arger"),
            ("Ça va, señor?", "Ça va, señor?", "ça va, señor?", "ca va, senor?"),
            ("e\u{301}tude", "e\u{301}tude", "e\u{301}tude", "etude"),
            ("Straße", "Straße", "straße", "strasse"),
            ("Łódź", "Łódź", "łódź", "lodz"),
            ("ΣΟΦΟΣ σοφός", "ΣΟΦΟΣ σοφός", "σοφοσ σοφός", "σοφοσ σοφοσ"),
            ("ÅNGSTRÖM", "ÅNGSTRÖM", "ångström", "angstrom"),
            ("नमस्ते 👍🏽", "नमस्ते 👍🏽", "नमस्ते 👍🏽", "नमस्ते 👍🏽"),
            ("", "", "", ""),
        ];
        for (text, none, case, all) in cases {
            assert_eq!(fold(text, Fold::None), none);
            assert_eq!(fold(text, Fold::Case), case);
            assert_eq!(fold(text, Fold::CaseAndAccents), all);
        }
    }

    #[test]
    fn parts_of_the_folded_text_are_found_in_the_text() {
        let text = "Le CAFÉ de la Straße, e\u{301}!";
        let folded = fold(text, Fold::CaseAndAccents);
        let cases = [("cafe", "CAFÉ"), ("strasse", "Straße"), ("e!", "e\u{301}!"), ("le", "Le"), ("!", "!"), ("", "")];
        for (part, original) in cases {
            let at = folded.find(part).unwrap();
            assert_eq!(unfold(text, Fold::CaseAndAccents, at..at + part.len()), original, "{part}");
        }
        let at = folded.rfind('e').unwrap();
        assert_eq!(unfold(text, Fold::CaseAndAccents, at..at + 1), "e\u{301}");
    }

    #[test]
    fn only_letters_outside_ascii_change_in_a_pattern() {
        assert_eq!(fold_pattern(r"\W[A-Z]É+", Fold::CaseAndAccents), r"\W[A-Z]e+");
        assert_eq!(fold_pattern(r"\WÉ", Fold::Case), r"\Wé");
        assert_eq!(fold_pattern(r"\WÉ", Fold::None), r"\WÉ");
    }
}
