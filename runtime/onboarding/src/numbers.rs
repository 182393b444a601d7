//! What Meta knows of a number, asked when somebody wants to see it.

use hoopoe_protocol::graph::management::{Number, Profile};
use hoopoe_protocol::graph::{Class, Failure};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::{MOCK, Onboarding};

/// A number and its profile.
#[derive(Debug)]
pub struct AtMeta {
    /// The number.
    pub number: Number,
    /// What users see.
    pub profile: Profile,
}

/// Why Meta's part is missing.
#[derive(Debug, thiserror::Error)]
pub enum NotAtMeta {
    /// The tenant has no such number.
    #[error("the tenant has no such number")]
    NoNumber,
    /// The token is one for trying things out.
    #[error("the access token is a mock: Meta does not know the number")]
    Mock,
    /// Meta says so, or does not answer.
    #[error("{}", .0.message)]
    Meta(Failure),
    /// The database, or the token cannot be opened.
    #[error(transparent)]
    Store(#[from] hoopoe_store::Error),
}

impl Onboarding {
    /// Asks Meta for the number, its quality and throughput, and its profile.
    pub async fn at_meta(&self, tenant_id: Uuid, phone_number_id: &str) -> Result<AtMeta, NotAtMeta> {
        let inner = &self.inner;
        let found = inner.store.token_of(tenant_id, phone_number_id).await?.ok_or(NotAtMeta::NoNumber)?;
        let token = inner.master_key.open(tenant_id, &found.token).map_err(|error| {
            let message = error.to_string();
            NotAtMeta::Meta(Failure { class: Class::Permanent, http_status: None, code: None, subcode: None, message })
        })?;
        if token.expose_secret().starts_with(MOCK) {
            return Err(NotAtMeta::Mock);
        }
        let (number, profile) =
            tokio::join!(inner.meta.number(phone_number_id, &token), inner.meta.profile(phone_number_id, &token));
        Ok(AtMeta { number: number.map_err(NotAtMeta::Meta)?, profile: profile.map_err(NotAtMeta::Meta)? })
    }
}
