//! `{{secret:NAME}}` in the values of headers: found when a flow asks, put in when the call is made.

use std::collections::{BTreeSet, HashMap};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// What a secret's place begins with.
pub(crate) const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";
/// Longest name, in bytes.
const LONGEST_NAME: usize = 64;
/// Names and values of all headers together, in bytes, with secrets.
const LARGEST: usize = 64 << 10;

/// A part of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Secret(&'a str),
}

/// Takes a value apart. Fails when a place begins that does not end, or has no name in it.
pub(crate) fn pieces(value: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, behind) = after.split_once(CLOSE).unwrap_or_default();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(format!("{OPEN:?} must be followed by a secret's name (A-Z, a-z, 0-9, _, -) and {CLOSE:?}"));
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Secret(name));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// The names of all secrets in these headers.
pub(crate) fn names(headers: &[(String, String)]) -> Result<BTreeSet<&str>, String> {
    let mut names = BTreeSet::new();
    for (_, value) in headers {
        names.extend(pieces(value)?.into_iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name),
            Piece::Text(_) => None,
        }));
    }
    Ok(names)
}

/// The headers with the secrets put in. An error names what is missing or wrong, never a value.
pub(crate) fn fill(headers: &[(String, String)], secrets: &HashMap<String, SecretString>) -> Result<HeaderMap, String> {
    let mut filled = HeaderMap::with_capacity(headers.len());
    let mut size = 0;
    for (name, value) in headers {
        let mut text = String::new();
        let mut is_secret = false;
        for piece in pieces(value)? {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Secret(secret) => {
                    let secret = secrets.get(secret).ok_or_else(|| format!("the plugin has no secret {secret}"))?;
                    text.push_str(secret.expose_secret());
                    is_secret = true;
                }
            }
        }
        size += name.len() + text.len();
        if size > LARGEST {
            return Err(format!("the headers have more than {LARGEST} bytes with the secrets in them"));
        }
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no name of a header"))?;
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| format!("the value of {parsed} cannot stand in a header"))?;
        value.set_sensitive(is_secret);
        filled.append(parsed, value);
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_apart() {
        use Piece::{Secret, Text};
        let cases: [(&str, Option<Vec<Piece<'_>>>); 10] = [
            ("", Some(vec![])),
            ("plain {{name}}", Some(vec![Text("plain {{name}}")])),
            ("{{secret:A}}", Some(vec![Secret("A")])),
            ("Bearer {{secret:API_key-2}}.", Some(vec![Text("Bearer "), Secret("API_key-2"), Text(".")])),
            ("{{secret:A}}{{secret:B}}", Some(vec![Secret("A"), Secret("B")])),
            ("{{secret:A", None),
            ("{{secret:}}", None),
            ("{{secret:A B}}", None),
            ("{{secret:{{secret:A}}}}", None),
            ("{{ secret:A}}", Some(vec![Text("{{ secret:A}}")])),
        ];
        for (value, expected) in cases {
            assert_eq!(pieces(value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn secrets_are_put_in_once_and_marked() {
        let headers = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let known = |value: &str| HashMap::from([("A".to_owned(), SecretString::from(value.to_owned()))]);
        let asked = headers(&[("X-Key", "a{{secret:A}}b"), ("Accept", "*/*")]);
        assert_eq!(names(&asked), Ok(BTreeSet::from(["A"])));
        let filled = fill(&asked, &known("s3cret")).expect("filled");
        assert_eq!(filled["x-key"], "as3cretb");
        assert!(filled["x-key"].is_sensitive() && !filled["accept"].is_sensitive());
        assert!(!format!("{filled:?}").contains("s3cret"));
        // What a secret contains is not looked at again.
        assert_eq!(fill(&asked, &known("{{secret:A}}")).expect("filled")["x-key"], "a{{secret:A}}b");

        let missing = fill(&asked, &HashMap::new()).expect_err("it is missing");
        assert_eq!(missing, "the plugin has no secret A");
        let broken = fill(&asked, &known("s3cret\r\nHost: x")).expect_err("no header");
        assert!(broken.contains("x-key") && !broken.contains("s3cret"), "{broken}");
        let many = headers(&[("X-Key", &"{{secret:A}}".repeat(100))]);
        let large = fill(&many, &known(&"s3cret".repeat(500))).expect_err("too large");
        assert!(large.contains("65536") && !large.contains("s3cret"), "{large}");
    }
}
