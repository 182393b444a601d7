//! Where parties are, as far as this process has seen.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lru::LruCache;
use uuid::Uuid;

use super::{Party, Place, Profile};
use crate::Store;

/// Conversations remembered per process in which the contact has written, and others; about 300 bytes each.
const WROTE: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
const WRITTEN_TO: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// How long a place is remembered. Meta gives a number to somebody else after months.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub place: Place,
    pub profile: Profile,
    pub seen_at: Option<DateTime<Utc>>,
    pub since: Instant,
    /// Not for what comes from now on: it is found by an id that it has no more, or its ids are still two contacts'.
    pub is_passing: bool,
}

/// Conversations that this process has seen. Contacts are never removed, but an id may become another's: whoever was
/// told so forgets it and tells the others, who would know after [`LIFETIME`] otherwise; of contacts that are merged see
/// [`crate::identity`].
pub(crate) struct Cache {
    remembered: Mutex<Parties>,
    /// Tells other processes of a tenant whose contacts' ids have changed.
    elsewhere: OnceLock<Box<dyn Fn(Uuid) + Send + Sync>>,
}

/// Who writes and who is only written to, by themselves: a mailing to a hundred thousand puts nobody out who writes.
struct Parties {
    wrote: LruCache<Party, Remembered>,
    written_to: LruCache<Party, Remembered>,
}

impl Parties {
    fn get(&mut self, party: &Party) -> Option<&Remembered> {
        self.wrote.get(party).or_else(|| self.written_to.get(party))
    }

    fn put(&mut self, party: Party, remembered: Remembered) {
        if remembered.seen_at.is_some() || self.wrote.contains(&party) {
            self.written_to.pop(&party);
            self.wrote.put(party, remembered);
        } else {
            self.written_to.put(party, remembered);
        }
    }

    fn pop(&mut self, party: &Party) {
        self.wrote.pop(party);
        self.written_to.pop(party);
    }

    fn iter(&self) -> impl Iterator<Item = (&Party, &Remembered)> {
        self.wrote.iter().chain(self.written_to.iter())
    }
}

impl Default for Cache {
    fn default() -> Self {
        let parties = Parties { wrote: LruCache::new(WROTE), written_to: LruCache::new(WRITTEN_TO) };
        Self { remembered: Mutex::new(parties), elsewhere: OnceLock::new() }
    }
}

/// What a transaction learned; goes to the cache once it is committed.
#[derive(Default)]
pub(crate) struct Learned(pub(super) Vec<(Party, Remembered)>);

impl Learned {
    /// Those of whom something is news: that they are there, their profile, or that they wrote after a while.
    pub(crate) fn parties(&self) -> HashSet<&Party> {
        self.0.iter().map(|(party, _)| party).collect()
    }
}

impl Cache {
    fn remembered(&self) -> MutexGuard<'_, Parties> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, party: &Party) -> Option<Remembered> {
        let known = self.remembered().get(party).cloned();
        known.filter(|known| known.since.elapsed() < LIFETIME)
    }

    /// Whether it is known where all of these are.
    pub(crate) fn knows<'a>(&self, parties: impl IntoIterator<Item = &'a Party>) -> bool {
        parties.into_iter().all(|party| self.get(party).is_some())
    }

    /// Forgets who has one of these ids, here and elsewhere.
    pub(crate) fn forget_ids(&self, tenant_id: Uuid, ids: &[String]) {
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere(tenant_id);
        }
        let has = |id: &Option<String>| id.as_ref().is_some_and(|id| ids.contains(id));
        self.forget(|party, _| party.tenant_id == tenant_id && (has(&party.wa_id) || has(&party.user_id)));
    }

    /// Forgets these contacts.
    pub(crate) fn forget_contacts(&self, ids: &[Uuid]) {
        self.forget(|_, place| ids.contains(&place.contact_id));
    }

    /// Forgets where these parties are.
    pub(crate) fn forget_parties<'a>(&self, parties: impl Iterator<Item = &'a Party>) {
        let mut cache = self.remembered();
        parties.for_each(|party| cache.pop(party));
    }

    fn forget(&self, is_it: impl Fn(&Party, &Place) -> bool) {
        let mut cache = self.remembered();
        let gone: Vec<Party> =
            cache.iter().filter(|(party, known)| is_it(party, &known.place)).map(|(party, _)| party.clone()).collect();
        gone.iter().for_each(|party| cache.pop(party));
    }

    pub(crate) fn learn(&self, learned: Learned) {
        let mut cache = self.remembered();
        for (party, remembered) in learned.0.into_iter().filter(|(_, remembered)| !remembered.is_passing) {
            cache.put(party, remembered);
        }
    }
}

impl Store {
    /// How other processes are told that ids of a tenant's contacts have changed; it must not block. The first one stays.
    pub fn tell_of_changed_ids(&self, by: impl Fn(Uuid) + Send + Sync + 'static) {
        let _ = self.contacts.elsewhere.set(Box::new(by));
    }

    /// Another process has changed ids of this tenant's contacts, or, without one, of some tenant's: looks them up anew.
    pub fn forget_contacts(&self, tenant_id: Option<Uuid>) {
        self.contacts.forget(|party, _| tenant_id.is_none_or(|tenant_id| party.tenant_id == tenant_id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(people: impl Iterator<Item = usize>, seen_at: Option<DateTime<Utc>>) -> Learned {
        let person = |number: usize| {
            let (place, profile) =
                (Place { contact_id: Uuid::nil(), conversation_id: Uuid::nil() }, Profile::default());
            let remembered = Remembered { place, profile, seen_at, since: Instant::now(), is_passing: false };
            (party(number), remembered)
        };
        Learned(people.map(person).collect())
    }

    fn party(number: usize) -> Party {
        Party { wa_id: Some(number.to_string()), ..Party::default() }
    }

    #[test]
    fn a_mailing_puts_nobody_out_who_writes() {
        let cache = Cache::default();
        cache.learn(learned(0..1_000, Some(DateTime::UNIX_EPOCH)));
        cache.learn(learned(1_000..1_001, None));
        assert!(cache.knows(&[party(1_000)]), "there is room");
        cache.learn(learned(10_000..10_000 + WROTE.get(), None));
        assert!((0..1_000).all(|number| cache.knows(&[party(number)])));
        assert!(!cache.knows(&[party(1_000)]));
        let last = 10_000 + WROTE.get() - 1;
        assert!(cache.knows(&[party(last)]), "the last are remembered");
        assert_eq!(cache.remembered().iter().count(), 1_000 + WRITTEN_TO.get());
    }

    #[test]
    fn who_writes_is_remembered_once() {
        let cache = Cache::default();
        cache.learn(learned(0..1, None));
        cache.learn(learned(0..1, Some(DateTime::UNIX_EPOCH)));
        cache.learn(learned(0..1, None));
        assert_eq!(cache.remembered().iter().count(), 1);
        assert_eq!(cache.remembered().wrote.len(), 1);
        cache.forget_parties([party(0)].iter());
        assert_eq!(cache.remembered().iter().count(), 0);
    }
}
