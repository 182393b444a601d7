//! The numbers to send from, with their tokens open, remembered for some seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::messenger::Platform;
use hoopoe_secrets::{MasterKey, Sealed};
use hoopoe_store::Store;
use hoopoe_store::suspended_templates::TemplateSuspension;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// A new token or rate is used, and a suspension seen, after this time at the latest.
const LIFETIME: Duration = Duration::from_secs(5);
/// So long a suspension is believed without a look.
const SURE: Duration = Duration::from_secs(1);
/// Numbers remembered at the most; beyond that all are forgotten.
const REMEMBERED: usize = 100_000;
/// A suspended number is tried with one message, so often.
const PROBE: TimeDelta = TimeDelta::minutes(5);
/// Tokens that begin so are for trying things out: the send is simulated and never leaves the process.
const MOCK: &str = "mock_";

/// A number to send from.
pub(crate) struct Sender {
    /// Messenger or Instagram; none for WhatsApp.
    pub platform: Option<Platform>,
    /// Meta's id of it.
    pub phone_number_id: String,
    /// Meta's id of its business account, when it is known.
    pub waba_id: Option<String>,
    /// Instagram: the page that the account is linked to.
    pub page_id: Option<String>,
    /// Its access token.
    pub token: SecretString,
    /// The same as it is stored.
    pub sealed: Sealed,
    /// Messages per second, when it has a rate of its own.
    pub rate: Option<f64>,
    /// Messages per second of all that its tenant sends, when that has a quota of its own.
    pub tenant_rate: Option<f64>,
    /// When a message of it was tried last while Meta refuses it, and why it does.
    pub suspended: Option<(DateTime<Utc>, String)>,
    /// When the next message may try a suspended number: the same for all who look it up meanwhile.
    probe_at: Arc<Mutex<DateTime<Utc>>>,
    /// Templates of its account.
    templates: Vec<TemplateSuspension>,
}

impl Sender {
    /// Its sends are simulated.
    pub(crate) fn is_mock(&self) -> bool {
        self.token.expose_secret().starts_with(MOCK)
    }

    /// Until when a message has to wait because Meta refuses the number, and why. One message at a time is let through
    /// to see whether that is still so.
    pub(crate) fn waits(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, &str)> {
        let (_, reason) = self.suspended.as_ref()?;
        let mut probe_at = self.probe_at.lock().unwrap_or_else(PoisonError::into_inner);
        if *probe_at <= now {
            *probe_at = now + PROBE;
            return None;
        }
        Some((*probe_at, reason))
    }

    /// The one that was let through has told nothing: another may be tried.
    pub(crate) fn try_next(&self, now: DateTime<Utc>) {
        *self.probe_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Why the template of this name and language is not to be tried now.
    pub(crate) fn refuses(&self, name: &str, language: &str, now: DateTime<Utc>) -> Option<&TemplateSuspension> {
        let is_it = |one: &&TemplateSuspension| one.name == name && one.language == language && one.until > now;
        self.templates.iter().find(is_it)
    }
}

/// Why a number cannot be used.
pub(crate) enum Unusable {
    /// It cannot be looked up now.
    Now(hoopoe_store::Error),
    /// There is none.
    Gone,
    /// Its token cannot be opened.
    Token(hoopoe_secrets::Error),
}

/// A number, and since when it is known.
type Known = (Arc<Sender>, Instant);

/// Numbers by tenant and channel.
pub(crate) struct Senders {
    store: Store,
    master_key: MasterKey,
    known: RwLock<HashMap<(Uuid, Uuid), Known>>,
}

impl Senders {
    pub(crate) fn new(store: Store, master_key: MasterKey) -> Self {
        Self { store, master_key, known: RwLock::default() }
    }

    pub(crate) async fn get(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<Arc<Sender>, Unusable> {
        let key = (tenant_id, channel_id);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((sender, since)) = &known
            && since.elapsed() < LIFETIME
        {
            return Ok(sender.clone());
        }
        self.look(key).await
    }

    async fn look(&self, key: (Uuid, Uuid)) -> Result<Arc<Sender>, Unusable> {
        let (tenant_id, channel_id) = key;
        let found = self.store.sender(tenant_id, channel_id).await.map_err(Unusable::Now)?;
        let found = found.ok_or(Unusable::Gone)?;
        let token = self.master_key.open(tenant_id, &found.token).map_err(Unusable::Token)?;
        let next = found.suspended.as_ref().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at + PROBE);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // A probe that was made does not come back with the next look.
        let before = known.get(&key).map(|(sender, _)| sender.probe_at.clone());
        let probe_at = before.unwrap_or_else(|| Arc::new(Mutex::new(next)));
        {
            let mut at = probe_at.lock().unwrap_or_else(PoisonError::into_inner);
            *at = next.max(*at);
        }
        let sender = Arc::new(Sender {
            platform: Platform::of(&found.kind),
            phone_number_id: found.phone_number_id,
            waba_id: found.waba_id,
            page_id: found.page_id,
            token,
            sealed: found.token,
            rate: found.rate,
            tenant_rate: found.tenant_rate,
            suspended: found.suspended,
            probe_at,
            templates: found.templates,
        });
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (sender.clone(), Instant::now()));
        Ok(sender)
    }

    /// The number as it is, where what is remembered of it would make a message wait.
    pub(crate) async fn get_anew(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<Arc<Sender>, Unusable> {
        let key = (tenant_id, channel_id);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        match known {
            Some((sender, since)) if since.elapsed() < SURE => Ok(sender),
            _ => self.look(key).await,
        }
    }

    /// Whether a number may be suspended, by what is remembered of it.
    pub(crate) fn may_be_suspended(&self, tenant_id: Uuid, channel_id: Uuid) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&(tenant_id, channel_id)).is_none_or(|(sender, _)| sender.suspended.is_some())
    }

    /// Looks again at the next use of any.
    pub(crate) fn forget_all(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Looks again at the next use.
    pub(crate) fn forget(&self, tenant_id: Uuid, channel_id: Uuid) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&(tenant_id, channel_id));
    }
}
