//! What must hold for any bytes. The fuzz targets use it as well.

use hoopoe_protocol::{
    envelope::{ItemKind, parse},
    field, message, messenger, signature, status,
};

/// No body makes anything panic, and what comes out is bounded by what went in.
pub fn envelope(body: &[u8]) {
    let Ok(items) = parse(body) else { return };
    let mut raw = 0;
    for item in &items {
        raw += item.raw.len();
        assert!(item.field.len() <= 500 && !item.field.contains('\0'));
        match &item.kind {
            ItemKind::Message(head) => {
                assert!(!head.id.is_empty() && !head.sender.is_empty());
                assert!(head.preview.as_ref().is_none_or(|text| text.chars().count() <= 4097));
                assert_eq!(message::parse(&item.raw).id, head.id);
            }
            ItemKind::Status(head) => assert_eq!(status::parse(&item.raw).as_ref(), Some(head)),
            ItemKind::Other { kind } => {
                assert!(kind.len() <= 500 && !kind.contains('\0'));
                let _ = (field::parse(kind, &item.raw), messenger::parse(&item.raw));
            }
            ItemKind::Invalid { reason } => assert!(reason.len() <= 2000 && !reason.contains('\0'), "{reason}"),
        }
    }
    // Items are stretches of the body that do not overlap; only a change without a value, `{}`, becomes a longer `null`.
    assert!(raw <= 2 * body.len(), "{raw} bytes of items from {}", body.len());
}

/// A header lets a body in only when it is the body's own.
pub fn signature(secret: &[u8], body: &[u8], header: &str) {
    let own = signature::sign(secret, body);
    assert_eq!(signature::verify(secret, body, Some(&own)), Ok(()));
    let same = header.trim().to_ascii_lowercase() == own && header.trim().starts_with("sha256=");
    assert_eq!(signature::verify(secret, body, Some(header)).is_ok(), same, "{header:?}");
}

/// An input of the fuzz target: the header in the first line, the body behind it.
pub fn signed(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let body = input.get(end + 1..).unwrap_or_default();
    signature(b"app-secret", body, &String::from_utf8_lossy(&input[..end]));
}
