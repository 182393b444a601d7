//! Items of foreign channels that come by tenants' own apps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Items that are kept of one tenant's app within [`WHILE`]: they fill the operator's table.
const MOST: usize = 1_000;
const WHILE: TimeDelta = TimeDelta::hours(1);

/// Since when, and how many, by tenant.
type Counted = HashMap<Uuid, (DateTime<Utc>, usize)>;

/// What is counted in this process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Strays(Arc<Mutex<Counted>>);

impl Strays {
    /// Counts so many strays of the tenant's app; false when they would be too many, and then none is counted.
    pub fn keep(&self, tenant_id: Uuid, strays: usize, now: DateTime<Utc>) -> bool {
        if strays == 0 {
            return true;
        }
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, (since, _)| now - *since < WHILE);
        let (_, kept) = tenants.entry(tenant_id).or_insert((now, 0));
        let fits = *kept + strays <= MOST;
        if fits {
            *kept += strays;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_are_kept_up_to_a_number_in_an_hour() {
        let (strays, now, one) = (Strays::default(), DateTime::UNIX_EPOCH, Uuid::from_u128(1));
        assert!(strays.keep(one, MOST, now));
        assert!(!strays.keep(one, 1, now));
        assert!(strays.keep(one, 0, now), "its own items are none");
        assert!(strays.keep(Uuid::from_u128(2), 1, now), "another tenant's");
        assert!(strays.keep(one, 1, now + WHILE));
    }
}
