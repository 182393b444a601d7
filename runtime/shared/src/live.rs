//! Live events: what happens now, for who watches a tenant, on whatever node. Nothing is kept: who is slow is told how
//! many it missed, and what happens while Redis is away is not seen on other nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Shared;
use crate::shared::Inner;

/// Events that a watcher may be behind.
const BEHIND: usize = 256;
/// How long other nodes are not sent a tenant's events after nobody took one there. Who begins to watch says so, so that
/// this time matters only when that was lost.
const UNWATCHED: Duration = Duration::from_secs(1);
/// Tenants of which it is remembered that nobody watches them.
const REMEMBERED: usize = 10_000;

/// What happens to a tenant: JSON with its `type`, and the names in camel case.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Happening<'a> {
    /// An item of a webhook was kept.
    Event {
        /// The event.
        event_id: i64,
        /// `message`, `status`, or the webhook's field.
        kind: &'a str,
        /// Its conversation, when it has one.
        conversation_id: Option<Uuid>,
    },
    /// A run of a flow was committed.
    Run {
        /// The event.
        event_id: i64,
        /// 1 for the first run of the event.
        attempt: i32,
        /// name@version of the plugin.
        plugin: &'a str,
        /// `done`, `retry`, or the code of the failure.
        result: &'a str,
        /// How many actions it decided.
        actions: i32,
        /// Its conversation.
        conversation_id: Uuid,
    },
    /// An outbound message made a step.
    Message {
        /// The message.
        message_id: Uuid,
        /// The word of its timeline.
        status: &'a str,
    },
}

/// What was shown: JSON, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An event.
    Event(Arc<str>),
    /// So many events were not seen, because there were too many at once.
    Missed(u64),
}

/// An event on its way to other nodes.
pub(crate) struct Event {
    tenant: Uuid,
    json: Arc<str>,
}

impl Event {
    pub fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// Channel and message.
    pub fn write(&self, inner: &Inner) -> (String, String) {
        (channel(inner, self.tenant), format!("{} {}", inner.node.simple(), self.json))
    }
}

/// Where a tenant's events go.
pub(crate) fn channel(inner: &Inner, tenant: Uuid) -> String {
    format!("{}{}", prefix(inner), tenant.simple())
}

/// What the names of such channels begin with.
pub(crate) fn prefix(inner: &Inner) -> String {
    format!("{}:live:", inner.namespace)
}

/// Who watches.
#[derive(Default)]
pub(crate) struct Watched {
    here: Mutex<HashMap<Uuid, broadcast::Sender<Arc<str>>>>,
    /// Tenants that nobody watches elsewhere, and until when that is believed.
    not_elsewhere: Mutex<HashMap<Uuid, Instant>>,
    /// Told when `here` has changed.
    pub changed: Notify,
}

impl Watched {
    /// The tenants that are watched on this node.
    pub fn tenants(&self) -> Vec<Uuid> {
        lock(&self.here).keys().copied().collect()
    }

    /// Whether a tenant is watched on this node.
    pub fn is_here(&self, tenant: Uuid) -> bool {
        lock(&self.here).contains_key(&tenant)
    }

    /// An event for the watchers on this node.
    pub fn show(&self, tenant: Uuid, json: &Arc<str>) {
        if let Some(watchers) = lock(&self.here).get(&tenant) {
            // The last one may just have gone.
            let _ = watchers.send(json.clone());
        }
    }

    /// Whether an event of this tenant was received anywhere else.
    pub fn reached(&self, tenant: Uuid, anybody: bool) {
        let mut not_elsewhere = lock(&self.not_elsewhere);
        if anybody {
            not_elsewhere.remove(&tenant);
            return;
        }
        if not_elsewhere.len() >= REMEMBERED {
            not_elsewhere.clear();
        }
        not_elsewhere.insert(tenant, Instant::now() + UNWATCHED);
    }

    fn is_elsewhere(&self, tenant: Uuid) -> bool {
        lock(&self.not_elsewhere).get(&tenant).is_none_or(|until| *until <= Instant::now())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Whether another node may have a watcher, and can be told.
    fn is_watched_elsewhere(&self, tenant: Uuid) -> bool {
        let is_up = self.link.as_ref().is_some_and(|link| link.is_up());
        is_up && self.nodes.has_others() && self.live.is_elsewhere(tenant)
    }
}

impl Shared {
    /// Shows an event, JSON, to who watches the tenant. Never waits.
    pub fn show(&self, tenant: Uuid, json: impl Into<Arc<str>>) {
        let inner = &self.inner;
        let json = json.into();
        inner.live.show(tenant, &json);
        if inner.is_watched_elsewhere(tenant) {
            inner.outbox.live(Event { tenant, json });
        }
    }

    /// Shows what happens to who watches the tenant. Never waits, and writes nothing when nobody does.
    pub fn happens(&self, tenant: Uuid, happening: Happening<'_>) {
        if self.is_watched(tenant)
            && let Ok(json) = serde_json::to_string(&happening)
        {
            self.show(tenant, json);
        }
    }

    /// Whether somebody watches the tenant, on this node or perhaps on another.
    pub fn is_watched(&self, tenant: Uuid) -> bool {
        self.inner.live.is_here(tenant) || self.inner.is_watched_elsewhere(tenant)
    }

    /// Watches a tenant from now on.
    pub fn watch(&self, tenant: Uuid) -> Watch {
        let events = {
            let mut here = lock(&self.inner.live.here);
            here.entry(tenant).or_insert_with(|| broadcast::channel(BEHIND).0).subscribe()
        };
        // The subscription tells the others when it has this tenant.
        self.inner.live.changed.notify_one();
        Watch { tenant, events: Some(events), inner: self.inner.clone() }
    }
}

/// A view of a tenant's events. It ends when it is dropped.
pub struct Watch {
    tenant: Uuid,
    events: Option<broadcast::Receiver<Arc<str>>>,
    inner: Arc<Inner>,
}

impl Watch {
    /// The next event.
    pub async fn next(&mut self) -> Seen {
        let Some(events) = &mut self.events else { return std::future::pending().await };
        match events.recv().await {
            Ok(json) => Seen::Event(json),
            Err(broadcast::error::RecvError::Lagged(missed)) => Seen::Missed(missed),
            // The sender stays as long as there is a watcher.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.events.take());
        let mut here = lock(&self.inner.live.here);
        if here.get(&self.tenant).is_some_and(|watchers| watchers.receiver_count() == 0) {
            here.remove(&self.tenant);
            self.inner.live.changed.notify_one();
        }
    }
}
