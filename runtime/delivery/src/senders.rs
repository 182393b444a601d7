//! The numbers to send from, with their tokens open, remembered for some seconds.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hoopoe_secrets::MasterKey;
use hoopoe_store::Store;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// A new token is used after this time at the latest.
const LIFETIME: Duration = Duration::from_secs(5);
/// Numbers remembered at the most; beyond that all are forgotten.
const REMEMBERED: usize = 100_000;
/// Tokens that begin so are for trying things out: the send is simulated and never leaves the process.
const MOCK: &str = "mock_";

/// A number to send from.
pub(crate) struct Sender {
    /// Meta's id of it.
    pub phone_number_id: String,
    /// Its access token.
    pub token: SecretString,
}

impl Sender {
    /// Its sends are simulated.
    pub(crate) fn is_mock(&self) -> bool {
        self.token.expose_secret().starts_with(MOCK)
    }
}

/// Why a number cannot be used.
pub(crate) enum Unusable {
    /// It cannot be looked up now.
    Now(hoopoe_store::Error),
    /// Its token cannot be opened.
    Token(hoopoe_secrets::Error),
}

/// Numbers by tenant and channel.
pub(crate) struct Senders {
    store: Store,
    master_key: MasterKey,
    known: RwLock<HashMap<(Uuid, Uuid), (Arc<Sender>, Instant)>>,
}

impl Senders {
    pub(crate) fn new(store: Store, master_key: MasterKey) -> Self {
        Self { store, master_key, known: RwLock::default() }
    }

    pub(crate) async fn get(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<Arc<Sender>, Unusable> {
        let key = (tenant_id, channel_id);
        if let Some((sender, since)) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key)
            && since.elapsed() < LIFETIME
        {
            return Ok(sender.clone());
        }
        let found = self.store.sender(tenant_id, channel_id).await.map_err(Unusable::Now)?;
        let found = found.ok_or(Unusable::Now(hoopoe_store::Error::Stopped))?;
        let token = self.master_key.open(tenant_id, &found.token).map_err(Unusable::Token)?;
        let sender = Arc::new(Sender { phone_number_id: found.phone_number_id, token });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (sender.clone(), Instant::now()));
        Ok(sender)
    }
}
