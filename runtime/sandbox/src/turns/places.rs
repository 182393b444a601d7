//! How many runs may be long: so many of each owner, and fewer in all than there are instances.
//!
//! Whoever's runs are short needs no place, and so always finds an instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Owner;

/// The places of a sandbox.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    each: usize,
    /// The owners who have or want places. An owner waits for the end of one of his own before he waits for others',
    /// so nobody fills the common queue.
    owners: Mutex<HashMap<Owner, Arc<Semaphore>>>,
}

/// The right of one run to be long, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    /// Of the owner's, and of all. Both are there, except while it waits for them.
    own: Option<OwnedSemaphorePermit>,
    one: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// So many places, and so many of them for each owner; at least one.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Places> {
        Arc::new(Places { all: Arc::new(Semaphore::new(all.max(1))), each: each.max(1), owners: Mutex::default() })
    }

    /// Whether the owner has or awaits a place.
    pub(crate) fn are_used_by(&self, owner: Owner) -> bool {
        self.owners().contains_key(&owner)
    }

    /// A place, if the owner may have one more and there is one.
    pub(crate) fn try_take(self: &Arc<Self>, owner: Owner) -> Option<Place> {
        let mut place = self.no_place();
        place.own = Some(self.of(owner).try_acquire_owned().ok()?);
        place.one = Some(Arc::clone(&self.all).try_acquire_owned().ok()?);
        Some(place)
    }

    /// A place, once there is one.
    pub(crate) async fn take(self: &Arc<Self>, owner: Owner) -> Place {
        const OPEN: &str = "these semaphores are never closed";
        let mut place = self.no_place();
        place.own = Some(self.of(owner).acquire_owned().await.expect(OPEN));
        place.one = Some(Arc::clone(&self.all).acquire_owned().await.expect(OPEN));
        place
    }

    /// Cleans up behind whoever gives up waiting, too.
    fn no_place(self: &Arc<Self>) -> Place {
        Place { places: Arc::clone(self), own: None, one: None }
    }

    fn of(&self, owner: Owner) -> Arc<Semaphore> {
        let mut owners = self.owners();
        Arc::clone(owners.entry(owner).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<Owner, Arc<Semaphore>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        (self.own, self.one) = (None, None);
        // Who has or awaits a place holds on to the owner's semaphore.
        self.places.owners().retain(|_, own| Arc::strong_count(own) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISY: Owner = Owner(1);
    const QUIET: Owner = Owner(2);

    #[tokio::test]
    async fn an_owner_has_no_more_than_his_and_leaves_the_rest_to_others() {
        let places = Places::new(3, 2);
        let first = places.try_take(NOISY).expect("there are three");
        let second = places.try_take(NOISY).expect("two are his");
        assert!(places.try_take(NOISY).is_none());
        assert!(places.are_used_by(NOISY) && !places.are_used_by(QUIET));
        let _others = places.try_take(QUIET).expect("the third is for somebody else");
        assert!(places.try_take(QUIET).is_none(), "that was all");

        drop(first);
        let again = places.try_take(NOISY).expect("his again");
        drop((second, again));
        assert!(!places.are_used_by(NOISY) && places.are_used_by(QUIET));
    }

    #[tokio::test]
    async fn who_waits_gets_the_next_and_nothing_is_left_behind() {
        let places = Places::new(2, 1);
        let (noisy, quiet) = (places.take(NOISY).await, places.take(QUIET).await);
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(NOISY).await }
        });
        let given_up = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(QUIET).await }
        });
        tokio::task::yield_now().await;
        given_up.abort();
        assert!(given_up.await.is_err());
        assert!(!waiting.is_finished());
        drop(noisy);
        let noisy = waiting.await.expect("it gets the place");
        drop((noisy, quiet));
        assert!(places.owners().is_empty());
        assert_eq!(places.all.available_permits(), 2);
    }
}
