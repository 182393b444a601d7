//! Signatures and secrets of Standard Webhooks (https://www.standardwebhooks.com, version 1 of its symmetric scheme).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// A secret for these random bytes, as its owner is shown it: `whsec_` and base64. The standard asks for 24 to 64 bytes.
pub fn secret(random: [u8; 32]) -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(random)).into()
}

/// One signature of the header `webhook-signature`: `v1,` and the base64 of HMAC-SHA-256 over id, timestamp (seconds of
/// Unix time) and body. `None` when the secret is none.
pub fn sign(secret: &SecretString, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.expose_secret().strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference implementations (standard-webhooks/standard-webhooks, libraries).
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_secret_can_sign_and_another_text_cannot() {
        let secret = secret([7; 32]);
        let text = secret.expose_secret();
        assert!(text.starts_with("whsec_") && STANDARD.decode(&text[6..]).is_ok_and(|bytes| bytes.len() == 32));
        assert!(sign(&secret, "evt_1", 1, "{}").is_some());
        assert_ne!(sign(&secret, "evt_1", 1, "{}"), sign(&secret, "evt_1", 2, "{}"));
        assert!(sign(&SecretString::from("secret"), "evt_1", 1, "{}").is_none());
    }
}
