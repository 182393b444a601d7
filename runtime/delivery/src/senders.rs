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
/// Those who wait for the same trial come back one after the other, so far apart: a hundred looks a second cost little,
/// while all the messages of a mailing at one instant would keep others from being claimed.
const APART: TimeDelta = TimeDelta::milliseconds(10);
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
    /// The next trial of a suspended number: the same for all who look it up meanwhile.
    trial: Arc<Mutex<Trial>>,
    /// Templates of its account.
    templates: Vec<TemplateSuspension>,
}

/// When the next message may try a suspended number.
struct Trial {
    at: DateTime<Utc>,
    /// Messages that were put off since the last one.
    waiting: i32,
}

/// Whether a message may go out now, as far as Meta takes anything of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The number is not suspended.
    Free,
    /// The number is suspended, and this is the one message that tries it.
    Trial,
    /// The message waits until then.
    Waits(DateTime<Utc>),
}

impl Sender {
    /// Its sends are simulated.
    pub(crate) fn is_mock(&self) -> bool {
        self.token.expose_secret().starts_with(MOCK)
    }

    /// What Meta's refusal of the number means for a message. One at a time is let through to see whether that is still
    /// so; the others wait for its next trial, each a little longer than the one before.
    pub(crate) fn turn(&self, now: DateTime<Utc>) -> Turn {
        if self.suspended.is_none() {
            return Turn::Free;
        }
        let mut trial = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        if trial.at <= now {
            *trial = Trial { at: now + PROBE, waiting: 0 };
            return Turn::Trial;
        }
        let until = trial.at + APART * trial.waiting;
        trial.waiting = trial.waiting.saturating_add(1);
        Turn::Waits(until)
    }

    /// The one that was let through has told nothing: another may be tried.
    pub(crate) fn try_next(&self, now: DateTime<Utc>) {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner).at = now;
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
        // A trial that was made does not come back with the next look.
        let before = known.get(&key).map(|(sender, _)| sender.trial.clone());
        let trial = before.unwrap_or_else(|| Arc::new(Mutex::new(Trial { at: next, waiting: 0 })));
        {
            let mut trial = trial.lock().unwrap_or_else(PoisonError::into_inner);
            if trial.at < next {
                *trial = Trial { at: next, waiting: 0 };
            }
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
            trial,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A number whose next trial may be at this moment.
    fn suspended(at: DateTime<Utc>) -> Sender {
        Sender {
            platform: None,
            phone_number_id: "106540352242922".to_owned(),
            waba_id: None,
            page_id: None,
            token: SecretString::from("token".to_owned()),
            sealed: Sealed { key_id: String::new(), bytes: Vec::new() },
            rate: None,
            tenant_rate: None,
            suspended: Some((at - PROBE, "why".to_owned())),
            trial: Arc::new(Mutex::new(Trial { at, waiting: 0 })),
            templates: Vec::new(),
        }
    }

    #[test]
    fn who_waits_for_a_trial_comes_back_one_after_the_other() {
        let (now, at) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + PROBE);
        let sender = suspended(at);
        for place in 0..100 {
            assert_eq!(sender.turn(now), Turn::Waits(at + TimeDelta::milliseconds(10 * place)));
        }
        assert_eq!(sender.turn(at), Turn::Trial);
        for place in 0..2 {
            let until = at + PROBE + TimeDelta::milliseconds(10 * place);
            assert_eq!(sender.turn(at), Turn::Waits(until), "with each trial they are counted anew");
        }
    }

    #[test]
    fn a_trial_that_told_nothing_is_the_next_ones() {
        let at = DateTime::UNIX_EPOCH;
        let sender = suspended(at);
        assert_eq!(sender.turn(at), Turn::Trial);
        assert!(matches!(sender.turn(at), Turn::Waits(_)));
        sender.try_next(at);
        assert_eq!(sender.turn(at), Turn::Trial);
    }

    #[test]
    fn a_number_that_is_not_suspended_keeps_nobody_waiting() {
        let sender = Sender { suspended: None, ..suspended(DateTime::UNIX_EPOCH + PROBE) };
        assert_eq!(sender.turn(DateTime::UNIX_EPOCH), Turn::Free);
    }
}
