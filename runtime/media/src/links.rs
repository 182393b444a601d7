//! Links to files that need no key: signed, and good for a time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use hoopoe_secrets::MasterKey;
use sha2::Sha256;
use uuid::Uuid;

/// Makes and checks links.
#[derive(Clone)]
pub struct Links {
    key: [u8; 32],
    life: TimeDelta,
    base: String,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where the file is shown; without a host unless there is a base.
    pub url: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Why a link shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made here, or was changed.
    #[error("the link's signature is wrong; ask GET /tenants/{{id}}/media/{{mediaId}} for a link and use it unchanged")]
    Forged,
    /// Its time is over.
    #[error("the link has expired; ask GET /tenants/{{id}}/media/{{mediaId}} for a new one")]
    Expired,
}

impl Links {
    /// Links begin with `base` (`https://hoopoe.example.com`, or nothing) and are good for `life`.
    pub fn new(master_key: &MasterKey, base: &str, life: TimeDelta) -> Self {
        Self { key: master_key.derive("media-links/v1"), life, base: base.trim_end_matches('/').to_owned() }
    }

    /// A link to a file. Its id is such that it can stand in a path: [`is_plain`].
    pub fn link(&self, tenant_id: Uuid, id: &str, now: DateTime<Utc>) -> Link {
        let expires = (now + self.life).timestamp();
        let signature = URL_SAFE_NO_PAD.encode(self.mac(tenant_id, id, expires).finalize().into_bytes());
        Link {
            url: format!("{}/media/{tenant_id}/{id}?expires={expires}&signature={signature}", self.base),
            expires_at: DateTime::from_timestamp(expires, 0).unwrap_or(now),
        }
    }

    /// Whether a link is ours and still good.
    pub fn check(
        &self,
        tenant_id: Uuid,
        id: &str,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LinkError> {
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkError::Forged)?;
        self.mac(tenant_id, id, expires).verify_slice(&signature).map_err(|_| LinkError::Forged)?;
        if now.timestamp() >= expires { Err(LinkError::Expired) } else { Ok(()) }
    }

    fn mac(&self, tenant_id: Uuid, id: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        // The id comes last: nothing behind it can be taken for a part of it.
        mac.update(format!("{tenant_id} {expires} {id}").as_bytes());
        mac
    }
}

/// Whether an id can stand in a path as it is. Meta's ids are digits.
pub fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_its_file_and_its_time_only() {
        let key = |text: &str| MasterKey::new(text.repeat(32).into()).expect("long enough");
        let links = Links::new(&key("a"), "https://h.example/", TimeDelta::minutes(10));
        let (tenant, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let now = DateTime::from_timestamp(1_767_225_600, 5_000_000).expect("a time");
        let link = links.link(tenant, "123", now);
        let (path, query) = link.url.split_once('?').expect("a query");
        assert_eq!(path, format!("https://h.example/media/{tenant}/123"));
        let (expires, signature) = query.split_once("&signature=").expect("a signature");
        let expires: i64 = expires.trim_start_matches("expires=").parse().expect("a number");
        assert_eq!((expires, link.expires_at.timestamp()), (1_767_226_200, 1_767_226_200));
        let changed = signature.replace(&signature[..1], if signature.starts_with('A') { "B" } else { "A" });
        let late = now + TimeDelta::minutes(10);
        for (label, found, expected) in [
            ("as it is", links.check(tenant, "123", expires, signature, now), Ok(())),
            ("too late", links.check(tenant, "123", expires, signature, late), Err(LinkError::Expired)),
            ("another file", links.check(tenant, "124", expires, signature, now), Err(LinkError::Forged)),
            ("another tenant", links.check(other, "123", expires, signature, now), Err(LinkError::Forged)),
            ("a longer life", links.check(tenant, "123", expires + 1, signature, now), Err(LinkError::Forged)),
            ("another signature", links.check(tenant, "123", expires, &changed, now), Err(LinkError::Forged)),
            ("a cut signature", links.check(tenant, "123", expires, &signature[..8], now), Err(LinkError::Forged)),
            ("no signature", links.check(tenant, "123", expires, "", now), Err(LinkError::Forged)),
        ] {
            assert_eq!(found, expected, "{label}");
        }
        let others = Links::new(&key("b"), "", TimeDelta::minutes(10));
        assert_eq!(others.check(tenant, "123", expires, signature, now), Err(LinkError::Forged));
    }

    #[test]
    fn ids_that_change_a_path_are_not_plain() {
        for (id, plain) in
            [("123", true), ("media_0a-b", true), ("", false), ("a/b", false), ("..", false), ("a?b", false)]
        {
            assert_eq!(is_plain(id), plain, "{id}");
        }
    }
}
