//! Which headers let a body in.
#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_protocol::signature::{Error, sign, verify};

const SECRET: &[u8] = b"app-secret";
const BODY: &[u8] = b"{\"object\":\"whatsapp_business_account\"}";

#[test]
fn signature_table() {
    let right = sign(SECRET, BODY);
    let hex = right.strip_prefix("sha256=").unwrap();
    type Case<'a> = (&'a str, &'a [u8], Option<String>, Result<(), Error>);
    let cases: Vec<Case> = vec![
        ("right", BODY, Some(right.clone()), Ok(())),
        ("right, upper case digits", BODY, Some(format!("sha256={}", hex.to_uppercase())), Ok(())),
        ("right, spaces around", BODY, Some(format!(" {right} ")), Ok(())),
        ("missing", BODY, None, Err(Error::Missing)),
        ("empty", BODY, Some(String::new()), Err(Error::Missing)),
        ("no prefix", BODY, Some(hex.to_owned()), Err(Error::Malformed)),
        ("sha1", BODY, Some(format!("sha1={}", &hex[..40])), Err(Error::Malformed)),
        ("prefix only", BODY, Some("sha256=".to_owned()), Err(Error::Malformed)),
        ("too short", BODY, Some(right[..right.len() - 2].to_owned()), Err(Error::Malformed)),
        ("too long", BODY, Some(format!("{right}00")), Err(Error::Malformed)),
        ("not hex", BODY, Some(format!("sha256=zz{}", &hex[2..])), Err(Error::Malformed)),
        ("not ASCII", BODY, Some("sha256=é".to_owned()), Err(Error::Malformed)),
        ("other secret", BODY, Some(sign(b"other", BODY)), Err(Error::Mismatch)),
        ("zeros", BODY, Some(format!("sha256={}", "0".repeat(64))), Err(Error::Mismatch)),
        ("other bytes", b"{\"object\":\"whatsapp_business_account\" }", Some(right.clone()), Err(Error::Mismatch)),
        ("no bytes", b"", Some(right.clone()), Err(Error::Mismatch)),
    ];
    for (label, body, header, expected) in cases {
        assert_eq!(verify(SECRET, body, header.as_deref()), expected, "{label}");
    }
}

#[test]
fn known_answer() {
    // RFC 4231, test case 2.
    assert_eq!(
        sign(b"Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}
