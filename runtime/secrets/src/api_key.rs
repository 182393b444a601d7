//! API keys of tenants: `hoopoe_` and 32 random letters and digits, of which the digest is stored.

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 32;
const PREFIX: &str = "hoopoe_";

/// A new key, shown to its owner once.
pub struct ApiKey {
    /// The key itself.
    pub secret: SecretString,
    /// Its first characters, by which people tell keys apart.
    pub prefix: String,
    /// What is stored.
    pub sha256: [u8; 32],
}

impl ApiKey {
    /// Makes a key of 32 characters (190 bits) drawn by `chance`, which gives a number below its argument.
    pub fn generate(mut chance: impl FnMut(usize) -> usize) -> Self {
        let random: String = (0..RANDOM).map(|_| char::from(ALPHABET[chance(ALPHABET.len())])).collect();
        let key = format!("{PREFIX}{random}");
        Self { prefix: key[..PREFIX.len() + 4].to_owned(), sha256: digest(&key), secret: key.into() }
    }
}

/// SHA-256 of a key, as stored.
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Compares without telling by its time where the two differ.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_key_has_its_prefix_and_32_characters() {
        let mut next = 0;
        let key = ApiKey::generate(|below| {
            next += 7;
            next % below
        });
        let text = key.secret.expose_secret();
        assert_eq!(text.len(), 39);
        assert!(text.starts_with(&key.prefix) && key.prefix.len() == 11);
        assert_eq!(key.sha256, digest(text));
        assert_ne!(key.sha256, digest("hoopoe_"));
    }
}
