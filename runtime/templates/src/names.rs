//! Keys of templates and codes of languages.

use crate::Invalid;

/// Longest key, in characters.
const LONGEST_KEY: usize = 64;

/// Checks a template's key: 1 to 64 of a-z, A-Z, 0-9, `_`, `-` and `.`, so that it fits into a path.
pub fn check_key(key: &str) -> Result<(), Invalid> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(fits) && key.bytes().any(|byte| byte != b'.') {
        return Ok(());
    }
    let expected = format!("give it 1 to {LONGEST_KEY} of a-z, A-Z, 0-9, _, - and .");
    Err(Invalid::new("key", expected))
}

/// A language as Meta writes it (`en`, `pt_BR`, `zh_Hant_HK`) from any usual spelling (`pt-br`).
pub fn language(code: &str) -> Result<String, Invalid> {
    let wrong = || Invalid::new("language", format!("{code:?} is no language; give one such as en or pt_BR"));
    let mut parts = code.split(['_', '-']);
    let first = parts.next().unwrap_or_default();
    if !matches!(first.len(), 2 | 3) || !first.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(wrong());
    }
    let mut found = first.to_ascii_lowercase();
    for (place, part) in parts.enumerate() {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphabetic());
        found.push('_');
        match part.len() {
            2 if letters && place < 2 => found.push_str(&part.to_ascii_uppercase()),
            4 if letters && place == 0 => {
                found.push_str(&part[..1].to_ascii_uppercase());
                found.push_str(&part[1..].to_ascii_lowercase());
            }
            3 if place < 2 && part.bytes().all(|byte| byte.is_ascii_digit()) => found.push_str(part),
            _ => return Err(wrong()),
        }
    }
    Ok(found)
}

/// The languages that can stand in for this one, the closest first: `en_GB`, `en`.
pub fn fallbacks(language: &str) -> Vec<String> {
    let mut found = vec![language.to_owned()];
    let mut rest = language;
    while let Some((shorter, _)) = rest.rsplit_once('_') {
        found.push(shorter.to_owned());
        rest = shorter;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let longest = "k".repeat(64);
        for key in ["welcome_v1", "a", "A-1.b", &longest] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        let long = "k".repeat(65);
        for key in ["", " ", "a b", "a/b", "größe", ".", "..", "a\0", &long] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }

    #[test]
    fn languages_have_one_spelling() {
        let cases = [
            ("en", "en"),
            ("EN", "en"),
            ("pt-br", "pt_BR"),
            ("en_GB", "en_GB"),
            ("fil", "fil"),
            ("zh-hant-hk", "zh_Hant_HK"),
            ("es-419", "es_419"),
        ];
        for (code, expected) in cases {
            assert_eq!(language(code).as_deref(), Ok(expected), "{code}");
        }
        for code in ["", "e", "english", "en_", "en_G", "en GB", "e1", "en_GB_x", "en_GB_US_CA", "größe"] {
            assert!(language(code).is_err(), "{code}");
        }
    }

    #[test]
    fn closer_languages_come_first() {
        assert_eq!(fallbacks("zh_Hant_HK"), ["zh_Hant_HK", "zh_Hant", "zh"]);
        assert_eq!(fallbacks("en"), ["en"]);
    }
}
