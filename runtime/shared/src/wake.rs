//! Wake-ups: a node finds at once the work that another one added, instead of at its next look at the database.
//!
//! A wake-up says that there may be work, never that there is. Many in a row become one message, and without other
//! nodes there is none. One that is lost costs the time until the next look; whoever may have lost some (a new node, a
//! connection made anew) wakes all its stages.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Shared;
use crate::shared::Inner;

/// A stage of the way of a message that waits for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Events wait for their flow.
    Flow,
    /// Messages wait for delivery.
    Delivery,
    /// Messages were scheduled.
    Scheduled,
    /// Timers were set.
    Timers,
    /// HTTP calls wait.
    Calls,
    /// Notices wait for tenants' webhooks.
    Webhooks,
    /// Files wait to be fetched.
    Media,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Flow, Self::Delivery, Self::Scheduled, Self::Timers, Self::Calls, Self::Webhooks, Self::Media];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Delivery => "delivery",
            Self::Scheduled => "scheduled",
            Self::Timers => "timers",
            Self::Calls => "calls",
            Self::Webhooks => "webhooks",
            Self::Media => "media",
        }
    }

    /// `None` for a stage that only a newer node has.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

type Listener = Arc<dyn Fn(Stage) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<Listener>>);

impl Listeners {
    pub fn tell(&self, stage: Stage) {
        for listener in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(stage);
        }
    }
}

impl Inner {
    fn wake(&self, stage: Stage) {
        if self.nodes.has_others() {
            self.outbox.wake(stage);
        }
    }
}

impl Shared {
    /// There may be work for this stage: the other nodes are told. Costs next to nothing and never waits.
    pub fn wake(&self, stage: Stage) {
        self.inner.wake(stage);
    }

    /// [`Shared::wake`] for one stage, for who must not keep this alive.
    pub fn waker(&self, stage: Stage) -> impl Fn() + Send + Sync + 'static {
        let inner = Arc::downgrade(&self.inner);
        move || {
            if let Some(inner) = inner.upgrade() {
                inner.wake(stage);
            }
        }
    }

    /// Calls `listener`, which must not block, when another node may have added work for a stage.
    pub fn on_wake(&self, listener: impl Fn(Stage) + Send + Sync + 'static) {
        self.inner.wakes.0.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(listener));
    }
}
