//! Configurations of plugins: immutable rows, so what was read once is right for ever.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use hoopoe_store::Store;
use lru::LruCache;
use uuid::Uuid;

/// At 64 KiB each at the most.
const KEPT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Configurations by tenant and id.
pub(crate) struct Configs {
    store: Store,
    kept: Mutex<LruCache<(Uuid, i64), Arc<str>>>,
}

impl Configs {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, kept: Mutex::new(LruCache::new(KEPT)) }
    }

    pub(crate) async fn get(&self, tenant_id: Uuid, id: Option<i64>) -> Result<Arc<str>, hoopoe_store::Error> {
        let Some(id) = id else { return Ok("{}".into()) };
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = kept().get(&(tenant_id, id)) {
            return Ok(config.clone());
        }
        let config: Arc<str> = self.store.plugin_config(tenant_id, Some(id)).await?.into();
        kept().put((tenant_id, id), config.clone());
        Ok(config)
    }
}
