//! What tenants' own apps may have under way.
//!
//! Whoever has a tenant's API key chooses the secret of its own app, and can sign anything. All webhooks wait in one
//! queue for one writer: so what came by such an app gets a small part of it, and each tenant a part of that. Beyond it
//! the tenant alone is told to come back later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// What one tenant may have under way, in items or units of [`UNIT`], whichever are more; a single POST may have more.
const EACH: usize = 1_000;
/// The same for all tenants together: the writer is through with them in less than a second.
const ALL: usize = 3_000;
/// Bytes of a body that count as much as one item.
const UNIT: usize = 4096;
/// Items of foreign channels that are kept of one tenant's app within [`WHILE`]: they fill the operator's table.
const STRAYS: usize = 1_000;
const WHILE: TimeDelta = TimeDelta::hours(1);

/// The shares of this process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Shares(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    all: usize,
    tenants: HashMap<Uuid, usize>,
    /// Since when, and how many.
    strays: HashMap<Uuid, (DateTime<Utc>, usize)>,
}

/// A tenant's share, until it is dropped.
pub(crate) struct Share {
    of: Shares,
    tenant_id: Uuid,
    weight: usize,
}

impl Shares {
    /// A share for a POST of so many bytes and items, `strays` of which are of no channel of the tenant; `None` when it
    /// would be too much.
    pub fn take(
        &self,
        tenant_id: Uuid,
        (bytes, items, strays): (usize, usize, usize),
        now: DateTime<Utc>,
    ) -> Option<Share> {
        let weight = items.max(bytes / UNIT).max(1);
        let mut state = self.state();
        let own = state.tenants.get(&tenant_id).copied().unwrap_or_default();
        let fits = state.all + weight <= ALL && (own == 0 || own + weight <= EACH);
        if !fits || !state.keeps(tenant_id, strays, now) {
            return None;
        }
        state.all += weight;
        state.tenants.insert(tenant_id, own + weight);
        Some(Share { of: self.clone(), tenant_id, weight })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keeps(&mut self, tenant_id: Uuid, strays: usize, now: DateTime<Utc>) -> bool {
        if strays == 0 {
            return true;
        }
        self.strays.retain(|_, (since, _)| now - *since < WHILE);
        let (_, kept) = self.strays.entry(tenant_id).or_insert((now, 0));
        let fits = *kept + strays <= STRAYS;
        if fits {
            *kept += strays;
        }
        fits
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

    #[test]
    fn a_tenant_has_its_part_and_all_of_them_together_theirs() {
        let (shares, now) = (Shares::default(), DateTime::UNIX_EPOCH);
        let [one, two, three, four] = [1, 2, 3, 4].map(Uuid::from_u128);
        let first = shares.take(one, (0, 900, 0), now).expect("a part");
        assert!(shares.take(one, (0, 200, 0), now).is_none(), "more than its part");
        assert!(shares.take(one, (200 * UNIT, 1, 0), now).is_none(), "bytes count as well");
        let _second = shares.take(two, (0, 1_500, 0), now).expect("a single one may have more");
        assert!(shares.take(three, (0, 700, 0), now).is_none(), "more than all may have");
        drop(first);
        let _third = shares.take(three, (0, 700, 0), now).expect("it was given back");
        assert!(shares.take(four, (3 << 20, 1, 0), now).is_some(), "the largest body");
    }

    #[test]
    fn strays_are_kept_up_to_a_number_in_an_hour() {
        let (shares, now, one) = (Shares::default(), DateTime::UNIX_EPOCH, Uuid::from_u128(1));
        assert!(shares.take(one, (0, STRAYS, STRAYS), now).is_some());
        assert!(shares.take(one, (0, 1, 1), now).is_none());
        assert!(shares.take(one, (0, 1, 0), now).is_some(), "its own items are none");
        assert!(shares.take(Uuid::from_u128(2), (0, 1, 1), now).is_some(), "another tenant's");
        assert!(shares.take(one, (0, 1, 1), now + WHILE).is_some());
    }
}
