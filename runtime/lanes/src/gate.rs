//! The gate of a stage: how much it works on at once, and whose.
//!
//! Work comes in two ways. What is *born* here was committed together with the lease of its lane: it enters through
//! the gate at once and needs no claim. Everything else waits in the database until the stage claims it. The gate keeps
//! both within the stage's capacity, and keeps any tenant from taking all of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hoopoe_telemetry::metrics::LaneMeters;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

/// What enters: work with its place.
type Entering<B> = mpsc::UnboundedReceiver<(B, Permit)>;

/// A gate. Cheap to clone.
pub struct Gate<B> {
    slots: Arc<Slots>,
    births: mpsc::UnboundedSender<(B, Permit)>,
    /// Until the stage takes it.
    entering: Arc<Mutex<Option<Entering<B>>>>,
}

impl<B> Clone for Gate<B> {
    fn clone(&self) -> Self {
        let (slots, births, entering) = (self.slots.clone(), self.births.clone(), self.entering.clone());
        Self { slots, births, entering }
    }
}

impl<B> Gate<B> {
    /// A gate for `capacity` pieces of work at once. It is closed until the stage runs.
    pub fn new(capacity: usize) -> Self {
        let (births, entering) = mpsc::unbounded_channel();
        let slots = Slots { capacity, state: Mutex::default(), freed: Notify::new(), meters: OnceLock::new() };
        Self { slots: Arc::new(slots), births, entering: Arc::new(Mutex::new(Some(entering))) }
    }

    /// Places for a batch that is about to be committed: for each member, the name under which its work comes back and
    /// its tenant; `None` for one that makes no work. A member gets no place when the stage does not run here, has no
    /// room, or has other work of the tenant waiting in the database: then its work waits there too.
    pub fn admit<K: Eq + Hash>(&self, batch: impl IntoIterator<Item = Option<(K, Uuid)>>) -> Admission<K> {
        let mut admission = Admission { own: Vec::new(), places: HashMap::new() };
        for member in batch {
            let place = member.and_then(|(name, tenant)| Some((name, self.slots.admit(tenant)?)));
            admission.own.push(place.is_some());
            if let Some((name, permit)) = place {
                admission.places.entry(name).or_default().push(permit);
            }
        }
        admission
    }

    /// Hands over what was committed as this process' own, each under its name. Places that are left are free again.
    pub fn enter<K: Eq + Hash>(&self, mut admission: Admission<K>, born: impl IntoIterator<Item = (K, B)>) {
        for (name, born) in born {
            if let Some(permit) = admission.places.get_mut(&name).and_then(Vec::pop) {
                // Nobody listens when the stage has ended: the lease runs out, and another process takes the work.
                let _ = self.births.send((born, permit));
            }
        }
    }

    /// Opens the gate for the stage that counts so. Only the first call gets the receiver.
    pub(crate) fn open(&self, meters: &LaneMeters) -> Option<Entering<B>> {
        self.slots.state().open = true;
        let _ = self.slots.meters.set(meters.clone());
        self.entering.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }
}

/// The places that a batch was given, by name.
pub struct Admission<K> {
    own: Vec<bool>,
    places: HashMap<K, Vec<Permit>>,
}

impl<K> Admission<K> {
    /// For each member of the batch: whether its work may belong to this process from birth.
    pub fn own(&self) -> &[bool] {
        &self.own
    }
}

pub(crate) struct Slots {
    capacity: usize,
    state: Mutex<State>,
    freed: Notify,
    /// Known when the gate is open.
    meters: OnceLock<LaneMeters>,
}

#[derive(Default)]
struct State {
    open: bool,
    running: usize,
    /// The last claim left something behind for want of room.
    hungry: bool,
    tenants: HashMap<Uuid, Tenant>,
}

#[derive(Default)]
struct Tenant {
    running: usize,
    /// Work of it was refused here and waits in the database.
    waits: bool,
}

impl State {
    /// What one tenant may have at once: an equal part among those at work and one more, so that whoever comes next
    /// finds room.
    fn share(&self, capacity: usize) -> usize {
        (capacity / (self.tenants.len() + 1)).max(1)
    }
}

impl Slots {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(self: &Arc<Self>, tenant: Uuid) -> Option<Permit> {
        let mut state = self.state();
        if !state.open {
            return None;
        }
        let room = state.running < self.capacity;
        let entry = state.tenants.entry(tenant).or_default();
        let waits = entry.waits;
        let running = entry.running;
        if !room || waits || running >= state.share(self.capacity) {
            state.hungry = true;
            state.tenants.entry(tenant).or_default().waits = true;
            drop(state);
            if let Some(meters) = self.meters.get() {
                meters.left.inc();
            }
            return None;
        }
        drop(state);
        Some(self.take(tenant))
    }

    /// A place for claimed work.
    pub(crate) fn take(self: &Arc<Self>, tenant: Uuid) -> Permit {
        let mut state = self.state();
        state.running += 1;
        state.tenants.entry(tenant).or_default().running += 1;
        Permit { slots: self.clone(), tenant }
    }

    /// How much may be claimed, and which tenants have their share. `None` when there is no room.
    pub(crate) fn room(&self) -> Option<(usize, Vec<Uuid>)> {
        let mut state = self.state();
        let room = self.capacity.saturating_sub(state.running);
        if room == 0 {
            state.hungry = true;
            return None;
        }
        let share = state.share(self.capacity);
        let full = state.tenants.iter().filter(|(_, tenant)| tenant.running >= share).map(|(id, _)| *id).collect();
        Some((room, full))
    }

    /// Notes what a claim found: whether it may have left something behind for want of room.
    pub(crate) fn claimed(&self, full: &[Uuid], left_behind: bool) {
        let mut state = self.state();
        if !left_behind {
            state.tenants.retain(|id, tenant| {
                tenant.waits &= full.contains(id);
                tenant.running > 0 || tenant.waits
            });
        }
        state.hungry = left_behind || state.tenants.values().any(|tenant| tenant.waits);
    }

    /// What a claim passed over, as its tenant has its share, is ready.
    pub(crate) fn left_behind(&self) {
        self.state().hungry = true;
    }

    /// Nobody is admitted any more.
    pub(crate) fn close(&self) {
        self.state().open = false;
        self.freed.notify_one();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state().running == 0
    }

    /// Waits until a place is free again, if that is of interest.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// A place in a stage; free again when this is dropped.
pub struct Permit {
    slots: Arc<Slots>,
    tenant: Uuid,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.running -= 1;
        if let Some(tenant) = state.tenants.get_mut(&self.tenant) {
            tenant.running -= 1;
            if tenant.running == 0 && !tenant.waits {
                state.tenants.remove(&self.tenant);
            }
        }
        if state.hungry || !state.open {
            self.slots.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISY: Uuid = Uuid::from_u128(1);
    const QUIET: Uuid = Uuid::from_u128(2);

    fn open(capacity: usize) -> Gate<()> {
        let gate = Gate::new(capacity);
        assert!(gate.slots().admit(NOISY).is_none(), "it is closed");
        let _ = gate.open(&LaneMeters::named("a test"));
        gate
    }

    #[test]
    fn a_tenant_leaves_room_for_others() {
        let gate = open(8);
        let noisy: Vec<Permit> = std::iter::from_fn(|| gate.slots().admit(NOISY)).collect();
        assert_eq!(noisy.len(), 4, "half of it, as the only one at work");
        let quiet = gate.slots().admit(QUIET);
        assert!(quiet.is_some());
        assert_eq!(gate.slots().room(), Some((3, vec![NOISY])));
    }

    #[test]
    fn who_has_work_waiting_in_the_database_takes_its_turn_there() {
        let gate = open(4);
        let both = (gate.slots().admit(NOISY), gate.slots().admit(NOISY));
        assert!(gate.slots().admit(NOISY).is_none());
        drop(both);
        assert!(gate.slots().admit(NOISY).is_none(), "what was refused is first");
        gate.slots().claimed(&[], true);
        assert!(gate.slots().admit(NOISY).is_none(), "the claim left some behind");
        gate.slots().claimed(&[], false);
        assert!(gate.slots().admit(NOISY).is_some());
    }

    #[test]
    fn places_are_given_back() {
        let gate = open(2);
        for _ in 0..10 {
            assert!(gate.slots().admit(QUIET).is_some());
        }
        assert!(gate.slots().is_idle());
        let permit = gate.slots().take(NOISY);
        assert!(!gate.slots().is_idle());
        drop(permit);
        assert!(gate.slots().is_idle() && gate.slots().state().tenants.is_empty());
    }
}
