//! Files in messages: how a message names one, and what Meta takes.
//!
//! Source: Meta's Cloud API reference, Media.

use crate::message::{Audio, Content, Media, Sticker};

/// A file as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Meta's id, good for 7 days.
    pub id: String,
    /// As Meta says it, perhaps with parameters: `audio/ogg; codecs=opus`.
    pub mime_type: Option<String>,
    /// Documents only.
    pub filename: Option<String>,
    /// The digest of its bytes, when Meta gave a readable one.
    pub sha256: Option<[u8; 32]>,
}

/// The file that a message carries, if it carries one.
pub fn named(content: &Content) -> Option<Named> {
    let (id, mime_type, sha256, filename) = match content {
        Content::Image(it) | Content::Video(it) | Content::Document(it) => {
            let Media { id, mime_type, sha256, filename, .. } = it;
            (id, mime_type, sha256, filename.clone())
        }
        Content::Audio(Audio { id, mime_type, sha256, .. }) => (id, mime_type, sha256, None),
        Content::Sticker(Sticker { id, mime_type, sha256, .. }) => (id, mime_type, sha256, None),
        _ => return None,
    };
    let sha256 = sha256.as_deref().and_then(digest);
    Some(Named { id: id.clone(), mime_type: mime_type.clone(), filename, sha256 })
}

/// Reads a SHA-256 digest: Meta writes it in base64 in webhooks and in hex in the Graph API.
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let bytes = match text.len() {
        64 => hex::decode(text).ok()?,
        43 | 44 => base64(text.trim_end_matches('='))?,
        _ => return None,
    };
    bytes.try_into().ok()
}

/// Standard or URL-safe base64 without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::with_capacity(text.len() * 3 / 4));
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// A kind of message that sends a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Named as in Meta's reference.
pub enum Kind {
    Image,
    Video,
    Audio,
    Document,
    Sticker,
}

const MIB: u64 = 1024 * 1024;

/// Content types that Meta takes, by kind, and how many bytes of each.
const TAKEN: [(Kind, &str, u64); 21] = [
    (Kind::Image, "image/jpeg", 5 * MIB),
    (Kind::Image, "image/png", 5 * MIB),
    (Kind::Video, "video/mp4", 16 * MIB),
    (Kind::Video, "video/3gpp", 16 * MIB),
    (Kind::Audio, "audio/aac", 16 * MIB),
    (Kind::Audio, "audio/amr", 16 * MIB),
    (Kind::Audio, "audio/mpeg", 16 * MIB),
    (Kind::Audio, "audio/mp4", 16 * MIB),
    (Kind::Audio, "audio/ogg", 16 * MIB),
    // Animated ones; others may have 100 KB, which Meta checks.
    (Kind::Sticker, "image/webp", 500 * 1024),
    (Kind::Document, "text/plain", 100 * MIB),
    (Kind::Document, "application/pdf", 100 * MIB),
    (Kind::Document, "application/msword", 100 * MIB),
    (Kind::Document, "application/vnd.ms-excel", 100 * MIB),
    (Kind::Document, "application/vnd.ms-powerpoint", 100 * MIB),
    (Kind::Document, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 * MIB),
    (Kind::Document, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 * MIB),
    (Kind::Document, "application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 * MIB),
    // Pictures and films may be sent as documents as well.
    (Kind::Document, "image/jpeg", 5 * MIB),
    (Kind::Document, "image/png", 5 * MIB),
    (Kind::Document, "video/mp4", 16 * MIB),
];

impl Kind {
    /// The kind of a field or a header's type: `image`, `video`, `audio`, `document`, `sticker`.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "image" => Self::Image,
            "video" => Self::Video,
            "audio" => Self::Audio,
            "document" => Self::Document,
            "sticker" => Self::Sticker,
            _ => return None,
        })
    }

    /// Whether a message of this kind may have a file of this type and size; if not, what may it have.
    pub fn check(self, mime_type: &str, size: u64) -> Result<(), String> {
        let types = || TAKEN.iter().filter(|(kind, ..)| *kind == self);
        let essence = essence(mime_type);
        match types().find(|(_, taken, _)| *taken == essence) {
            None => {
                let names: Vec<&str> = types().map(|(_, taken, _)| *taken).collect();
                Err(format!("the file is {essence}; Meta takes {}", names.join(", ")))
            }
            Some((_, _, most)) if size > *most => Err(format!("the file has {size} bytes; Meta takes {most}")),
            Some(_) => Ok(()),
        }
    }
}

/// The most bytes that Meta takes of a type, in whatever message; `None` for a type that it does not take.
pub fn most(mime_type: &str) -> Option<u64> {
    let essence = essence(mime_type);
    TAKEN.iter().filter(|(_, taken, _)| *taken == essence).map(|(_, _, most)| *most).max()
}

/// Every type that Meta takes, without repeats.
pub fn types() -> Vec<&'static str> {
    let mut types: Vec<&str> = TAKEN.iter().map(|(_, taken, _)| *taken).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// A content type without its parameters, in small letters.
pub fn essence(mime_type: &str) -> String {
    mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_in_hex_and_in_base64() {
        for (text, expected) in [
            ("SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=", true),
            ("SfInY0gGKTsJlUWbwxC1k-FAD0FZHvzwfpvO0zX0GUI", true),
            ("49f227634806293b", false),
            (&"g".repeat(64), false),
            ("SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GU!=", false),
            ("", false),
        ] {
            assert_eq!(digest(text).is_some(), expected, "{text}");
        }
        let bytes = digest("SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=").expect("base64");
        assert_eq!(digest(&hex::encode(bytes)), Some(bytes));
        assert_eq!(&bytes[..3], [0x49, 0xf2, 0x27]);
    }

    #[test]
    fn each_kind_has_its_types_and_sizes() {
        let cases = [
            (Kind::Image, "image/jpeg", 5 * MIB, ""),
            (Kind::Image, "image/JPEG; q=1", 1, ""),
            (Kind::Image, "image/jpeg", 5 * MIB + 1, "5242880"),
            (Kind::Image, "image/webp", 1, "image/jpeg, image/png"),
            (Kind::Sticker, "image/webp", 500 * 1024, ""),
            (Kind::Sticker, "image/png", 1, "image/webp"),
            (Kind::Audio, "audio/ogg; codecs=opus", 16 * MIB, ""),
            (Kind::Video, "video/mp4", 16 * MIB + 1, "16777216"),
            (Kind::Document, "application/pdf", 100 * MIB, ""),
            (Kind::Document, "application/zip", 1, "application/pdf"),
        ];
        for (kind, mime_type, size, refusal) in cases {
            let checked = kind.check(mime_type, size).err().unwrap_or_default();
            assert_eq!(checked.is_empty(), refusal.is_empty(), "{kind:?} {mime_type} {size}: {checked}");
            assert!(checked.contains(refusal), "{checked}");
        }
        assert_eq!(
            (most("image/jpeg"), most("image/webp"), most("text/html")),
            (Some(5 * MIB), Some(500 * 1024), None)
        );
        assert!(types().is_sorted() && types().len() == 18);
    }
}
