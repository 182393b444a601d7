//! What tenants may have under way in front of a writer that they share.
//!
//! Who waits in one queue waits for all that came before, so no tenant may fill it: each has up to a limit of its own,
//! and never more than it leaves to the others. Beyond that the tenant alone is told to come back later. In: a tenant,
//! items and bytes. Out: a share, which is given back when it is dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// How much may be under way, in items or units of bytes, whichever are more.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of all tenants together.
    pub all: usize,
    /// Of one tenant.
    pub each: usize,
    /// Bytes that count as much as one item.
    pub unit: usize,
}

/// The shares of this process in one queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shares {
    limits: Limits,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    all: usize,
    tenants: HashMap<Uuid, usize>,
}

/// A tenant's share, until it is dropped.
#[derive(Debug)]
pub struct Share {
    of: Shares,
    tenant_id: Uuid,
    weight: usize,
}

impl Shares {
    /// Nothing is under way.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: Arc::default() }
    }

    /// A share for so many bytes and items; `None` when it would be too much. Who has nothing under way may take more
    /// than one tenant may have, as long as there is room: what comes in one piece is taken sooner or later.
    pub fn take(&self, tenant_id: Uuid, (bytes, items): (usize, usize)) -> Option<Share> {
        let Limits { all, each, unit } = self.limits;
        let weight = items.max(bytes.div_ceil(unit)).max(1);
        let mut state = self.state();
        let left = all.checked_sub(state.all + weight)?;
        let own = state.tenants.get(&tenant_id).copied().unwrap_or_default();
        if own > 0 && own + weight > each.min(left) {
            return None;
        }
        state.all += weight;
        state.tenants.insert(tenant_id, own + weight);
        Some(Share { of: self.clone(), tenant_id, weight })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.all -= self.weight;
        if let Some(own) = state.tenants.get_mut(&self.tenant_id) {
            *own -= self.weight;
            if *own == 0 {
                state.tenants.remove(&self.tenant_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { all: 3_000, each: 1_000, unit: 4096 };

    #[test]
    fn a_tenant_has_its_part_and_all_of_them_together_theirs() {
        let shares = Shares::new(LIMITS);
        let [one, two, three, four] = [1, 2, 3, 4].map(Uuid::from_u128);
        let first = shares.take(one, (0, 900)).expect("a part");
        assert!(shares.take(one, (0, 200)).is_none(), "more than its part");
        assert!(shares.take(one, (200 * LIMITS.unit, 1)).is_none(), "bytes count as well");
        let _second = shares.take(two, (0, 1_500)).expect("a single one may have more");
        assert!(shares.take(three, (0, 700)).is_none(), "more than all may have");
        drop(first);
        let _third = shares.take(three, (0, 700)).expect("it was given back");
        assert!(shares.take(four, (3 << 20, 1)).is_some(), "the largest webhook");
    }

    #[test]
    fn no_tenant_takes_more_than_it_leaves() {
        let shares = Shares::new(Limits { each: 3_000, ..LIMITS });
        let mut held = Vec::new();
        let parts = [1, 2, 3].map(|tenant| {
            let before = held.len();
            held.extend(std::iter::from_fn(|| shares.take(Uuid::from_u128(tenant), (0, 1))));
            held.len() - before
        });
        assert_eq!(parts, [1_500, 750, 375]);
        // What the first gives back is there for the others as well.
        held.drain(..1_500);
        assert!(shares.take(Uuid::from_u128(2), (0, 1)).is_some());
        assert!(shares.take(Uuid::from_u128(1), (0, 1)).is_some());
    }

    #[test]
    fn a_part_of_a_unit_counts_as_one() {
        let shares = Shares::new(Limits { all: 4, each: 4, unit: 100 });
        let _two = shares.take(Uuid::from_u128(1), (101, 1)).expect("half");
        assert!(shares.take(Uuid::from_u128(2), (201, 1)).is_none());
        assert!(shares.take(Uuid::from_u128(2), (200, 1)).is_some());
    }
}
