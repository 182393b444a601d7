//! `X-Hub-Signature-256`: proof that a webhook body comes from Meta.
//!
//! In: the app secret, the raw bytes of the body and the header. Out: nothing, or why the body must be refused.
//! The comparison takes the same time wherever the first difference is.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "sha256=";

/// Why a webhook body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no header.
    #[error(
        "the header X-Hub-Signature-256 is missing; send \"sha256=\" and the hex HMAC-SHA256 of the raw body with the app secret"
    )]
    Missing,
    /// The header is not `sha256=` and 64 hex digits.
    #[error("the header X-Hub-Signature-256 is malformed; it must be \"sha256=\" and 64 hex digits")]
    Malformed,
    /// The signature belongs to other bytes or another secret.
    #[error(
        "the signature does not fit the body; check that APP_SECRET is the secret of the Meta app that sends this webhook and that nothing changes the body on its way"
    )]
    Mismatch,
}

/// Checks the header `X-Hub-Signature-256` against the raw bytes of the body, in constant time.
pub fn verify(secret: &[u8], body: &[u8], header: Option<&str>) -> Result<(), Error> {
    let header = header.ok_or(Error::Missing)?.trim();
    if header.is_empty() {
        return Err(Error::Missing);
    }
    let digits = header.strip_prefix(PREFIX).ok_or(Error::Malformed)?;
    let mut claimed = [0; 32];
    hex::decode_to_slice(digits, &mut claimed).map_err(|_| Error::Malformed)?;
    mac(secret, body).verify_slice(&claimed).map_err(|_| Error::Mismatch)
}

/// The header's value for these bytes: `sha256=<hex>`.
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    format!("{PREFIX}{}", hex::encode(mac(secret, body).finalize().into_bytes()))
}

fn mac(secret: &[u8], body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    mac
}
