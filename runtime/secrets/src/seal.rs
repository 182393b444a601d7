//! Sealing of access tokens under a key derived from `MASTER_KEY`.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Shortest `MASTER_KEY`, in bytes.
const SHORTEST: usize = 32;
const NONCE: usize = 12;

/// Why sealing or opening failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The master key is too short to derive a key from.
    #[error(
        "MASTER_KEY has {0} bytes; give it at least {SHORTEST} random ones, for example from `openssl rand -hex 32`"
    )]
    ShortKey(usize),
    /// Sealed under another master key.
    #[error(
        "the secret is sealed under key {sealed}, the configured MASTER_KEY is {configured}: start with the former MASTER_KEY"
    )]
    OtherKey {
        /// The key id stored with the secret.
        sealed: String,
        /// The id of the configured key.
        configured: String,
    },
    /// Changed, cut, or another tenant's.
    #[error("the sealed secret was altered or belongs to another tenant")]
    Altered,
}

/// A secret as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Names the key; not secret.
    pub key_id: String,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

/// The operator's master key: proves admin access and seals tenants' tokens.
#[derive(Clone)]
pub struct MasterKey {
    secret: SecretString,
    cipher: Aes256Gcm,
    key_id: String,
}

impl MasterKey {
    /// Derives the sealing key with HKDF-SHA-256. Fails when `secret` has fewer than 32 bytes.
    pub fn new(secret: SecretString) -> Result<Self, Error> {
        let input = secret.expose_secret().as_bytes();
        if input.len() < SHORTEST {
            return Err(Error::ShortKey(input.len()));
        }
        let hkdf = Hkdf::<Sha256>::new(None, input);
        let mut key = [0u8; 32];
        let mut id = [0u8; 4];
        hkdf.expand(b"hoopoe/access-token/v1", &mut key).expect("32 bytes are within HKDF's bound");
        hkdf.expand(b"hoopoe/key-id/v1", &mut id).expect("4 bytes are within HKDF's bound");
        let cipher = Aes256Gcm::new_from_slice(&key).expect("the key has 32 bytes");
        Ok(Self { secret, cipher, key_id: hex::encode(id) })
    }

    /// A key for one purpose, named by `purpose`; the same for the same master key.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0u8; 32];
        let hkdf = Hkdf::<Sha256>::new(None, self.secret.expose_secret().as_bytes());
        hkdf.expand(format!("hoopoe/{purpose}").as_bytes(), &mut key).expect("32 bytes are within HKDF's bound");
        key
    }

    /// Seals a tenant's secret. `nonce` must be fresh random bytes.
    pub fn seal(&self, tenant_id: Uuid, plain: &SecretString, nonce: [u8; NONCE]) -> Sealed {
        let payload = Payload { msg: plain.expose_secret().as_bytes(), aad: &self.associated(tenant_id) };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a token is shorter than 64 GiB");
        Sealed { key_id: self.key_id.clone(), bytes: [&nonce[..], &sealed].concat() }
    }

    /// Opens what [`MasterKey::seal`] sealed for the same tenant.
    pub fn open(&self, tenant_id: Uuid, sealed: &Sealed) -> Result<SecretString, Error> {
        if sealed.key_id != self.key_id {
            return Err(Error::OtherKey { sealed: sealed.key_id.clone(), configured: self.key_id.clone() });
        }
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE>().ok_or(Error::Altered)?;
        let payload = Payload { msg: ciphertext, aad: &self.associated(tenant_id) };
        let plain = self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| Error::Altered)?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| Error::Altered)
    }

    /// Whether `candidate` is the master key; takes the same time wherever they differ.
    pub fn matches(&self, candidate: &str) -> bool {
        // Digests have one length, so that the length of the key does not show either.
        let of = |text: &str| Sha256::digest(text.as_bytes());
        crate::constant_time_eq(&of(candidate), &of(self.secret.expose_secret()))
    }

    /// What a sealed secret is bound to, so that a row copied to another tenant cannot be opened there.
    fn associated(&self, tenant_id: Uuid) -> Vec<u8> {
        [self.key_id.as_bytes(), b"/", tenant_id.as_bytes()].concat()
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_purpose_and_by_master_key() {
        let key = |secret: &str| MasterKey::new(SecretString::from(secret.repeat(32))).expect("long enough");
        assert_eq!(key("a").derive("one"), key("a").derive("one"));
        assert_ne!(key("a").derive("one"), key("a").derive("two"));
        assert_ne!(key("a").derive("one"), key("b").derive("one"));
    }

    fn key(text: &str) -> MasterKey {
        MasterKey::new(SecretString::from(text.to_owned())).expect("long enough")
    }

    #[test]
    fn opens_only_for_the_same_tenant_and_key() {
        let (one, other) = (key("0123456789abcdef0123456789abcdef"), key("another-key-another-key-another-k"));
        let (tenant, stranger) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = one.seal(tenant, &"EAAtoken".to_owned().into(), [7; 12]);

        assert_eq!(one.open(tenant, &sealed).expect("opens").expose_secret(), "EAAtoken");
        assert_eq!(one.open(stranger, &sealed).err(), Some(Error::Altered));
        assert!(matches!(other.open(tenant, &sealed).err(), Some(Error::OtherKey { .. })));
        assert!(!String::from_utf8_lossy(&sealed.bytes).contains("EAAtoken"));

        for place in 0..sealed.bytes.len() {
            let mut altered = sealed.clone();
            altered.bytes[place] ^= 1;
            assert_eq!(one.open(tenant, &altered).err(), Some(Error::Altered), "byte {place}");
        }
        let cut = Sealed { bytes: vec![1, 2, 3], ..sealed };
        assert_eq!(one.open(tenant, &cut).err(), Some(Error::Altered));
    }

    #[test]
    fn a_short_master_key_is_refused() {
        let refused = MasterKey::new(SecretString::from("short".to_owned())).err();
        assert_eq!(refused, Some(Error::ShortKey(5)));
    }

    #[test]
    fn only_the_whole_master_key_matches() {
        let key = key("0123456789abcdef0123456789abcdef");
        assert!(key.matches("0123456789abcdef0123456789abcdef"));
        assert!(!key.matches("0123456789abcdef0123456789abcde"));
        assert!(!key.matches(""));
    }
}
