//! Headers of a file's bytes: what is asked for, and what is said of them.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderValue, header};
use hoopoe_media::plain_type;
use hoopoe_store::media::Media;

use crate::error::{ApiError, no_such_range};

/// The type of bytes that a browser only saves.
const ANY: &str = "application/octet-stream";

/// Types that a browser shows in place. None of them can hold a program.
const SHOWN: [&str; 11] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "video/mp4",
    "video/3gpp",
    "audio/ogg",
    "audio/mpeg",
    "audio/aac",
    "audio/amr",
    "audio/mp4",
];

/// What the file is, and that a browser runs nothing of it: it was sent by anybody.
pub(super) fn describe(headers: &mut HeaderMap, media: &Media) {
    let (mime_type, is_shown) = told(media.mime_type.as_deref().unwrap_or(ANY));
    headers.insert(header::CONTENT_TYPE, mime_type);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let kind = if is_shown { "inline" } else { "attachment" };
    // RFC 8187: whatever the name, it is ASCII here.
    let disposition = match &media.filename {
        Some(name) => format!("{kind}; filename*=UTF-8''{}", percent(name)),
        None => kind.to_owned(),
    };
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
}

/// A type as it is told to browsers, and whether they show such a file in place. Its sender made it up: what is not one
/// plain type is told as none, and parameters with a comma, behind which a browser sees another type, are left out.
fn told(mime_type: &str) -> (HeaderValue, bool) {
    let Some(essence) = plain_type(mime_type) else { return (HeaderValue::from_static(ANY), false) };
    let is_plain = mime_type.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b',');
    match HeaderValue::from_str(if is_plain { mime_type } else { &essence }) {
        Ok(value) => (value, SHOWN.contains(&essence.as_str())),
        Err(_) => (HeaderValue::from_static(ANY), false),
    }
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The one range that is asked for (RFC 9110, 14.1.2). What is no range, or several, asks for the whole.
pub(super) fn range(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, ApiError> {
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((from, to)) = asked.and_then(|asked| asked.strip_prefix("bytes=")?.split_once('-')) else {
        return Ok(None);
    };
    let range = match (from.trim(), to.trim()) {
        ("", last) => last.parse::<u64>().ok().map(|last| size.saturating_sub(last)..size),
        (from, "") => from.parse().ok().map(|from| from..size),
        (from, to) => {
            from.parse().ok().zip(to.parse::<u64>().ok()).map(|(from, to)| from..to.saturating_add(1).min(size))
        }
    };
    match range {
        None => Ok(None),
        Some(range) if range.start < range.end => Ok(Some(range)),
        Some(_) => Err(no_such_range(size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_only_when_it_is_one() {
        for (mime_type, expected, is_shown) in [
            ("image/png", "image/png", true),
            ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus", true),
            ("text/html; charset=utf-8", "text/html; charset=utf-8", false),
            ("image/svg+xml", "image/svg+xml", false),
            ("image/png, text/html", ANY, false),
            ("image/png; a, text/html", "image/png", true),
            ("image/png;\r\nx: y", "image/png", true),
            ("image/", ANY, false),
            ("nonsense", ANY, false),
        ] {
            assert_eq!(told(mime_type), (HeaderValue::from_static(expected), is_shown), "{mime_type:?}");
        }
    }
}
