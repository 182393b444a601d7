//! Which tenants have webhooks, and for what: remembered, so that a commit without a listener runs no statement for it.
//!
//! A process looks at its start, when it or another process changes a webhook, and every few seconds. So a webhook is
//! told of what this process does from the moment it is registered here, and of what others do once they have heard of
//! it. Whom a notice goes to is decided by the tables alone, in the transaction that writes it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::types;
use crate::{Error, Store};

/// What the webhooks of each tenant want: types, families, or `*`.
type Wishes = HashMap<Uuid, HashSet<String>>;

/// The tenants that have webhooks.
#[derive(Default)]
pub(crate) struct Listeners {
    wishes: RwLock<Arc<Wishes>>,
    /// Looks come one after the other: what one saw does not take the place of what a later one did.
    looking: Mutex<()>,
}

/// The tenants that have webhooks, as they were a moment ago.
#[derive(Clone)]
pub(crate) struct Known(Arc<Wishes>);

impl Listeners {
    pub fn known(&self) -> Known {
        Known(self.wishes.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Known {
    /// Whether a webhook of the tenant wants this type.
    pub fn want(&self, tenant_id: Uuid, kind: &str) -> bool {
        let wishes = self.0.get(&tenant_id);
        wishes.is_some_and(|it| it.contains("*") || it.contains(kind) || it.contains(&types::family(kind)))
    }

    /// The tenants with a webhook that wants one of these types, in the order of their ids.
    pub fn wanting(&self, kinds: &[&str]) -> Vec<Uuid> {
        let mut tenants: Vec<Uuid> =
            self.0.keys().copied().filter(|tenant| kinds.iter().any(|kind| self.want(*tenant, kind))).collect();
        tenants.sort_unstable();
        tenants
    }
}

impl Store {
    /// Looks anew which tenants have webhooks.
    pub async fn refresh_listeners(&self) -> Result<(), Error> {
        let _alone = self.listeners.looking.lock().await;
        // All of the primary key: one row per endpoint of all tenants.
        let rows =
            sqlx::query!("select tenant_id, types from webhooks where disabled_at is null order by tenant_id, id")
                .fetch_all(&self.pool)
                .await?;
        let mut wishes = Wishes::new();
        for row in rows {
            wishes.entry(row.tenant_id).or_default().extend(row.types);
        }
        *self.listeners.wishes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(wishes);
        Ok(())
    }
}
