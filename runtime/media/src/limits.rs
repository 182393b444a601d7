//! Which types of files are kept.

use std::str::FromStr;

use hoopoe_protocol::media::essence;

/// Types of files: `image/jpeg`, `image/*`, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types(Vec<String>);

impl Types {
    /// Whether a file of this type is kept.
    pub fn has(&self, mime_type: &str) -> bool {
        let essence = essence(mime_type);
        self.0.iter().any(|entry| {
            entry == "*"
                || *entry == essence
                || entry.strip_suffix('*').is_some_and(|family| essence.starts_with(family))
        })
    }
}

impl FromStr for Types {
    type Err = String;

    /// Entries between commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let entry = |entry: &str| {
            let entry = entry.trim().to_ascii_lowercase();
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_graphic() && it != b'*');
            match entry.split_once('/') {
                _ if entry == "*" => Ok(entry),
                Some((family, kind)) if is_word(family) && (kind == "*" || is_word(kind)) => Ok(entry),
                _ => Err(format!("{entry:?} is no type of file; give image/jpeg, image/* or *, with commas between")),
            }
        };
        text.split(',').map(entry).collect::<Result<_, _>>().map(Self)
    }
}

/// A content type without its parameters, in small letters: one `type/subtype` of plain words (RFC 9110, 8.3.1). `None`
/// for anything else, which one program reads as this type and another as that: `image/png, text/html`.
pub fn plain_type(mime_type: &str) -> Option<String> {
    let essence = essence(mime_type);
    let is_token = |word: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !word.is_empty() && word.bytes().all(is_plain)
    };
    let (family, kind) = essence.split_once('/')?;
    (is_token(family) && is_token(kind)).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_by_themselves_by_family_or_all() {
        for (types, mime_type, expected) in [
            ("*", "application/zip", true),
            ("image/*", "image/png", true),
            ("image/*", "IMAGE/PNG; x=1", true),
            ("image/*", "imagery/png", false),
            ("image/png, application/pdf", "application/pdf", true),
            ("image/png", "image/png2", false),
        ] {
            let read: Types = types.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.has(mime_type), expected, "{types} {mime_type}");
        }
        for wrong in ["", "image", "image/", "/png", "im*/png", "image/p*", "image/png,"] {
            assert!(wrong.parse::<Types>().is_err_and(|error| error.contains("image/*")), "{wrong}");
        }
    }
    #[test]
    fn a_type_is_two_plain_words() {
        for (mime_type, expected) in [
            ("image/png", Some("image/png")),
            ("Audio/OGG; codecs=opus", Some("audio/ogg")),
            ("application/vnd.ms-excel", Some("application/vnd.ms-excel")),
            ("image/png, text/html", None),
            ("image/png text/html", None),
            ("image/png/html", None),
            ("image/", None),
            ("/png", None),
            ("image", None),
            ("", None),
            ("image/p\u{fc}ng", None),
            ("image/png\r\nx: y", None),
        ] {
            assert_eq!(plain_type(mime_type).as_deref(), expected, "{mime_type:?}");
        }
    }
}
