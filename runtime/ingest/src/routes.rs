//! Which tenant each item belongs to, remembered for some seconds. Unknown numbers are not remembered, so that a new
//! number works at once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hoopoe_protocol::envelope::{self, Item};
use hoopoe_store::routes::{Key, Route};
use hoopoe_store::silence::{SILENCE, answered};
use hoopoe_store::{Error, Store};

use crate::facts;

/// Where items of one key go: nowhere, to one channel, or, of an account that tenants share, to one of each.
pub(crate) type Targets = Arc<[Route]>;

/// Routes and since when they are known.
type Known = HashMap<Key, (Targets, Instant)>;

#[derive(Clone)]
pub(crate) struct Routes {
    store: Store,
    lifetime: Duration,
    known: Arc<RwLock<Known>>,
}

impl Routes {
    pub(crate) fn new(store: Store, lifetime: Duration) -> Self {
        Self { store, lifetime, known: Arc::default() }
    }

    /// The owners of the items, in their order; at most one query.
    pub(crate) async fn of(&self, items: &[Item]) -> Result<Vec<Targets>, Error> {
        self.named(&items.iter().map(key).collect::<Vec<_>>()).await
    }

    /// Whether the account that an item names is one that tenants share.
    pub(crate) async fn is_shared(&self, item: &Item) -> Result<bool, Error> {
        // An item of the account as a whole would have found them.
        let Some(Key::NumberOf(account, _)) = key(item) else { return Ok(false) };
        let owners = self.named(&[Some(Key::Account(account))]).await?;
        Ok(owners.iter().any(|owners| owners.len() > 1))
    }

    /// The owners by these keys, in their order; at most one query.
    async fn named(&self, keys: &[Option<Key>]) -> Result<Vec<Targets>, Error> {
        let mut found: HashMap<&Key, Option<Targets>> = HashMap::new();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            for key in keys.iter().flatten() {
                let fresh = known.get(key).filter(|(_, since)| since.elapsed() < self.lifetime);
                found.entry(key).or_insert_with(|| fresh.map(|(routes, _)| routes.clone()));
            }
        }
        let missing: Vec<Key> =
            found.iter().filter(|(_, routes)| routes.is_none()).map(|(key, _)| (*key).clone()).collect();
        if !missing.is_empty() {
            let routes = answered(SILENCE, self.store.routes(&missing)).await?;
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            for (key, routes) in missing.into_iter().zip(routes).filter(|(_, routes)| !routes.is_empty()) {
                if let Some((key, _)) = found.get_key_value(&key) {
                    let key: &Key = key;
                    known.insert(key.clone(), (routes.clone(), now));
                    found.insert(key, Some(routes));
                }
            }
        }
        let targets = |key: &Option<Key>| key.as_ref().and_then(|key| found.get(key).cloned().flatten());
        Ok(keys.iter().map(|key| targets(key).unwrap_or_default()).collect())
    }

    pub(crate) fn forget(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn key(item: &Item) -> Option<Key> {
    match &item.route {
        envelope::Route::PhoneNumber(number) => Some(Key::PhoneNumber(number.clone())),
        envelope::Route::Account(account) if facts::is_of_account(item) => Some(Key::Account(account.clone())),
        envelope::Route::Account(account) => Some(Key::NumberOf(account.clone(), facts::number(item))),
        envelope::Route::Page(page) => Some(Key::Page(page.clone())),
        envelope::Route::Instagram(account) => Some(Key::Instagram(account.clone())),
        envelope::Route::None => None,
    }
}
