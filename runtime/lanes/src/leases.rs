//! The heartbeat: leases of work that takes long are put off, so that a lease can be short and its end still means
//! that the owner is gone. Not for ever: work that hangs loses its lane at the hard deadline.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hoopoe_store::lanes::{LaneKey, Lease};
use hoopoe_store::silence::answered;
use hoopoe_telemetry::metrics::Counter;
use tokio_util::sync::CancellationToken;

use crate::Stage;

/// Leases of work under way.
#[derive(Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<HashMap<LaneKey, (Lease, Instant)>>>);

impl Leases {
    /// Notes a lease until the guard is dropped.
    pub(crate) fn hold(&self, lease: Option<Lease>) -> Held {
        if let Some(lease) = lease {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lease.lane, (lease, Instant::now()));
        }
        Held { leases: self.clone(), lease }
    }

    /// Those that are held for at least `min` and not for more than `max`.
    fn between(&self, min: Duration, max: Duration) -> Vec<Lease> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = held.values().filter(|(_, since)| (min..max).contains(&since.elapsed()));
        old.map(|(lease, _)| *lease).collect()
    }
}

pub(crate) struct Held {
    leases: Leases,
    lease: Option<Lease>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(lease) = self.lease {
            let mut held = self.leases.0.lock().unwrap_or_else(PoisonError::into_inner);
            // The lane may have come back to this process under a new lease.
            if held.get(&lease.lane).is_some_and(|(held, _)| held.token == lease.token) {
                held.remove(&lease.lane);
            }
        }
    }
}

/// Puts off the leases of `stage` until `stop`; each at a third of its time, none beyond `deadline`.
pub(crate) async fn beat<S: Stage>(
    stage: Arc<S>,
    leases: Leases,
    lease: Duration,
    deadline: Duration,
    failed: Counter,
    stop: CancellationToken,
) {
    let beat = (lease / 3).max(Duration::from_millis(10));
    while stop.run_until_cancelled(tokio::time::sleep(beat)).await.is_some() {
        let old = leases.between(beat, deadline);
        if old.is_empty() {
            continue;
        }
        if let Err(error) = answered(S::SILENCE, stage.extend(&old)).await {
            failed.inc();
            tracing::warn!(stage = S::NAME, %error, "could not put off leases");
        }
    }
}
