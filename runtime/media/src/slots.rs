//! How many uploads of a tenant this process takes at the same time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// Uploads of one tenant at the same time.
pub(crate) const MOST: usize = 4;

/// Uploads under way, by tenant.
#[derive(Default)]
pub(crate) struct Slots(Mutex<HashMap<Uuid, usize>>);

/// Room for one upload, until it is dropped.
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
    tenant_id: Uuid,
}

impl Slots {
    /// `None` when the tenant has [`MOST`].
    pub(crate) fn take(&self, tenant_id: Uuid) -> Option<Slot<'_>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = slots.entry(tenant_id).or_default();
        if *taken >= MOST {
            return None;
        }
        *taken += 1;
        Some(Slot { slots: self, tenant_id })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut slots = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = slots.get_mut(&self.tenant_id) {
            *taken -= 1;
            if *taken == 0 {
                slots.remove(&self.tenant_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_slots_and_gives_them_back() {
        let slots = Slots::default();
        let (tenant, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut taken: Vec<_> = (0..MOST).map(|_| slots.take(tenant).expect("room")).collect();
        assert!(slots.take(tenant).is_none());
        assert!(slots.take(other).is_some());
        taken.pop();
        taken.push(slots.take(tenant).expect("room again"));
        assert!(slots.take(tenant).is_none());
        drop(taken);
        assert!(slots.0.lock().expect("no panic").is_empty());
    }
}
