//! The circuit breaker: a plugin that fails again and again is paused for its tenant, and a version on trial is taken
//! back.
//!
//! Counted in this process; each node judges by the runs that it has seen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// When to pause.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Failures in a row after which a tenant's plugin is paused; 0 never pauses.
    pub failures: u32,
    /// Percentage of failed runs above which a canary is taken back, once it has failed [`CANARY_FAILURES`] times.
    pub canary_percent: u32,
}

/// A canary is not judged by fewer failures.
const CANARY_FAILURES: u32 = 3;
/// Plugins that are watched at once; the counts begin anew when there are more.
const WATCHED: usize = 100_000;

/// Runs of one version for one tenant.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    runs: u32,
    failures: u32,
    in_a_row: u32,
}

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// The plugin is to be paused: so many failures in a row.
    Pause(u32),
    /// The canary is to be taken back: failures of runs.
    TakeBack(u32, u32),
}

/// Counts runs by tenant and digest.
pub(crate) struct Breaker {
    limits: Limits,
    counts: Mutex<HashMap<(Uuid, [u8; 32]), Count>>,
}

impl Breaker {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, counts: Mutex::default() }
    }

    /// A run succeeded.
    pub(crate) fn succeeded(&self, tenant_id: Uuid, digest: [u8; 32], canary: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if canary {
            let count = counts.entry((tenant_id, digest)).or_default();
            count.runs = count.runs.saturating_add(1);
            count.in_a_row = 0;
        } else {
            // Only failures in a row count: no entry says the same.
            counts.remove(&(tenant_id, digest));
        }
    }

    /// A run failed.
    pub(crate) fn failed(&self, tenant_id: Uuid, digest: [u8; 32], canary: bool) -> Verdict {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= WATCHED {
            counts.clear();
        }
        let count = counts.entry((tenant_id, digest)).or_default();
        count.runs = count.runs.saturating_add(1);
        count.failures = count.failures.saturating_add(1);
        count.in_a_row = count.in_a_row.saturating_add(1);
        let verdict = if canary {
            let over = u64::from(count.failures) * 100 > u64::from(self.limits.canary_percent) * u64::from(count.runs);
            match count.failures >= CANARY_FAILURES && over {
                true => Verdict::TakeBack(count.failures, count.runs),
                false => Verdict::GoOn,
            }
        } else if self.limits.failures > 0 && count.in_a_row >= self.limits.failures {
            Verdict::Pause(count.in_a_row)
        } else {
            Verdict::GoOn
        };
        if verdict != Verdict::GoOn {
            counts.remove(&(tenant_id, digest));
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);
    const PLUGIN: [u8; 32] = [7; 32];

    #[test]
    fn failures_in_a_row_pause_a_tenants_plugin_and_nobody_elses() {
        let breaker = Breaker::new(Limits { failures: 3, canary_percent: 10 });
        assert_eq!(breaker.failed(TENANT, PLUGIN, false), Verdict::GoOn);
        assert_eq!(breaker.failed(TENANT, PLUGIN, false), Verdict::GoOn);
        breaker.succeeded(TENANT, PLUGIN, false);
        assert_eq!(breaker.failed(OTHER, PLUGIN, false), Verdict::GoOn);
        assert_eq!(breaker.failed(TENANT, PLUGIN, false), Verdict::GoOn);
        assert_eq!(breaker.failed(TENANT, PLUGIN, false), Verdict::GoOn);
        assert_eq!(breaker.failed(TENANT, PLUGIN, false), Verdict::Pause(3));
        assert_eq!(breaker.failed(TENANT, PLUGIN, false), Verdict::GoOn, "after a pause it begins anew");
        let never = Breaker::new(Limits { failures: 0, canary_percent: 10 });
        assert!((0..100).all(|_| never.failed(TENANT, PLUGIN, false) == Verdict::GoOn));
    }

    #[test]
    fn a_canary_is_judged_by_its_share_of_failures() {
        let breaker = Breaker::new(Limits { failures: 3, canary_percent: 10 });
        for _ in 0..40 {
            breaker.succeeded(TENANT, PLUGIN, true);
        }
        for _ in 0..4 {
            assert_eq!(breaker.failed(TENANT, PLUGIN, true), Verdict::GoOn);
        }
        assert_eq!(breaker.failed(TENANT, PLUGIN, true), Verdict::TakeBack(5, 45));
        assert_eq!(breaker.failed(OTHER, PLUGIN, true), Verdict::GoOn);
        assert_eq!(breaker.failed(OTHER, PLUGIN, true), Verdict::GoOn);
        assert_eq!(breaker.failed(OTHER, PLUGIN, true), Verdict::TakeBack(3, 3));
    }
}
