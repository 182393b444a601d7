//! Cached things that have changed: every node forgets them, and reads them anew.
//!
//! A node that may have missed such a message, because its connection was lost, forgets everything once it is back. A
//! connection that is dead without saying so is noticed within some seconds; so a cache is never older than that, but
//! while a node is cut off: what must not be old then needs a lifetime of its own.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Shared;

/// A kind of cached things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cache {
    /// Which tenant a number or account belongs to; the key is Meta's id of it.
    Routes,
    /// Whose an API key is; the key is the tenant.
    ApiKeys,
    /// A tenant's templates; the key is the tenant.
    Templates,
    /// A tenant's numbers with their tokens; the key is the tenant.
    Channels,
    /// Which tenants have webhooks, and for what; always all of them.
    Webhooks,
    /// Whose a contact's ids are; the key is the tenant.
    Contacts,
}

impl Cache {
    const ALL: [Self; 6] =
        [Self::Routes, Self::ApiKeys, Self::Templates, Self::Channels, Self::Webhooks, Self::Contacts];

    fn name(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::ApiKeys => "api-keys",
            Self::Templates => "templates",
            Self::Channels => "channels",
            Self::Webhooks => "webhooks",
            Self::Contacts => "contacts",
        }
    }
}

/// What is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Forget {
    /// Everything, of all caches.
    Everything,
    /// All of one kind.
    All(Cache),
    /// One thing.
    One(Cache, String),
}

impl Forget {
    /// Whether a cache has to look at it.
    pub fn concerns(&self, cache: Cache) -> bool {
        match self {
            Self::Everything => true,
            Self::All(other) | Self::One(other, _) => *other == cache,
        }
    }

    pub(crate) fn write(&self) -> String {
        match self {
            Self::Everything => String::new(),
            Self::All(cache) => cache.name().to_owned(),
            Self::One(cache, key) => format!("{} {key}", cache.name()),
        }
    }

    /// `None` for a cache that only a newer node has.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Everything);
        }
        let (name, key) = text.split_once(' ').map_or((text, None), |(name, key)| (name, Some(key)));
        let cache = Cache::ALL.into_iter().find(|cache| cache.name() == name)?;
        Some(key.map_or(Self::All(cache), |key| Self::One(cache, key.to_owned())))
    }
}

type Listener = Arc<dyn Fn(&Forget) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<Listener>>);

impl Listeners {
    pub fn tell(&self, forget: &Forget) {
        for listener in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(forget);
        }
    }
}

impl Shared {
    /// Something has changed: this node forgets it before this returns, the others soon after.
    pub fn forget(&self, forget: Forget) {
        self.inner.forgets.tell(&forget);
        if self.inner.nodes.has_others() {
            self.inner.outbox.forget(forget);
        }
    }

    /// Calls `listener`, which must not block, when something has to be forgotten.
    pub fn on_forget(&self, listener: impl Fn(&Forget) + Send + Sync + 'static) {
        self.inner.forgets.0.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(listener));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_unknown_is_left() {
        for forget in [
            Forget::Everything,
            Forget::All(Cache::ApiKeys),
            Forget::One(Cache::Routes, "106540352242922".to_owned()),
            Forget::One(Cache::Templates, "with a space".to_owned()),
        ] {
            assert_eq!(Forget::read(&forget.write()), Some(forget));
        }
        assert_eq!(Forget::read("recipes 12"), None);
    }
}
