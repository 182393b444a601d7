//! How much is under way for each endpoint in this process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use hoopoe_store::Store;
use uuid::Uuid;

/// Notices under way, by endpoint.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<Uuid, usize>>>);

impl Places {
    pub(crate) fn taken(&self) -> HashMap<Uuid, usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A place for a notice of an endpoint that has `most`.
    pub(crate) fn enter(&self, webhook_id: Uuid, most: usize, store: Store) -> Place {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(webhook_id).or_default() += 1;
        Place { places: self.clone(), webhook_id, most, store }
    }
}

/// A notice's place among its endpoint's; free again when this is dropped.
pub(crate) struct Place {
    places: Places,
    webhook_id: Uuid,
    most: usize,
    store: Store,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = places.entry(self.webhook_id) {
            let was_full = *entry.get() >= self.most;
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
            if was_full {
                // Its other notices were passed over so far. Here alone: other processes have places of their own.
                let here: &tokio::sync::Notify = &self.store.wakes.webhooks;
                here.notify_one();
            }
        }
    }
}
