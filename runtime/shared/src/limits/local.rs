//! Buckets in this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::bucket::{Bucket, TOLERANCE};
use super::{Ask, Limit, Scope, Verdict};
use crate::clock;

/// Buckets that are kept at the most: about 20 MB. Those that are needed shortest go first; they start full again.
const MOST: usize = 100_000;

pub(crate) struct Local {
    buckets: Mutex<Buckets>,
}

struct Buckets {
    known: HashMap<Box<str>, Kept>,
    /// How many there may be before those that are not needed any longer are looked for.
    look_at: usize,
    /// Counts the calls.
    call: u64,
    /// Written over and over.
    key: String,
}

struct Kept {
    bucket: Bucket,
    /// The call that `limit` and `refused` belong to.
    call: u64,
    limit: Limit,
    refused: u32,
}

impl Local {
    pub fn new() -> Self {
        let buckets = Buckets { known: HashMap::new(), look_at: 1024, call: 0, key: String::new() };
        Self { buckets: Mutex::new(buckets) }
    }

    /// Answers each ask in turn; each bucket gives one share of `nodes`.
    pub fn take<'a>(&self, asks: &[Ask<'a>], nodes: usize, now: DateTime<Utc>) -> Vec<Verdict<'a>> {
        let now = clock::micros(now);
        let mut buckets = self.lock();
        buckets.make_room(now, MOST);
        buckets.call += 1;
        asks.iter().map(|ask| buckets.take(ask, nodes, now)).collect()
    }

    pub fn change(&self, tenant: Uuid, scope: Scope<'_>, now: DateTime<Utc>, change: impl FnOnce(&mut Bucket, f64)) {
        let now = clock::micros(now);
        let mut buckets = self.lock();
        buckets.make_room(now, MOST);
        change(&mut buckets.entry(tenant, scope, Limit::per_second(1.0)).bucket, now);
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn take<'a>(&mut self, ask: &Ask<'a>, nodes: usize, now: f64) -> Verdict<'a> {
        let mut latest = now + TOLERANCE;
        let mut waits_for = None;
        for (scope, limit) in &ask.buckets {
            let kept = self.entry(ask.tenant, *scope, limit.share(nodes));
            if kept.bucket.free_at(kept.limit, now, 0.0) <= now + TOLERANCE {
                continue;
            }
            let until = kept.bucket.free_at(kept.limit, now, f64::from(kept.refused));
            if until > latest {
                (latest, waits_for) = (until, Some(*scope));
            }
        }
        match waits_for {
            Some(scope) => {
                self.entry(ask.tenant, scope, Limit::per_second(1.0)).refused += 1;
                Verdict::Wait { until: clock::moment(latest), bucket: scope }
            }
            None => {
                for (scope, limit) in &ask.buckets {
                    let kept = self.entry(ask.tenant, *scope, limit.share(nodes));
                    kept.bucket.take(kept.limit, now);
                }
                Verdict::Granted
            }
        }
    }

    /// The bucket, with what belongs to this call.
    fn entry(&mut self, tenant: Uuid, scope: Scope<'_>, limit: Limit) -> &mut Kept {
        self.write_key(tenant, scope);
        if !self.known.contains_key(self.key.as_str()) {
            let kept = Kept { bucket: Bucket::FULL, call: self.call, limit, refused: 0 };
            self.known.insert(self.key.as_str().into(), kept);
        }
        let kept = self.known.get_mut(self.key.as_str()).expect("it was inserted if it was not there");
        if kept.call != self.call {
            (kept.call, kept.limit, kept.refused) = (self.call, limit, 0);
        }
        kept
    }

    fn write_key(&mut self, tenant: Uuid, scope: Scope<'_>) {
        self.key.clear();
        scope.write_key(&mut self.key, "", tenant);
    }

    /// Forgets what is not needed any longer, once there is much of it, and then also what is needed shortest.
    fn make_room(&mut self, now: f64, most: usize) {
        if self.known.len() < self.look_at {
            return;
        }
        self.known.retain(|_, kept| kept.bucket.forgettable_at() > now);
        if self.known.len() > most / 2 {
            let mut ends: Vec<f64> = self.known.values().map(|kept| kept.bucket.forgettable_at()).collect();
            let middle = ends.len() / 2;
            let (_, median, _) = ends.select_nth_unstable_by(middle, f64::total_cmp);
            let median = *median;
            // All may end at the same moment: half of them go then too.
            let mut going = middle;
            self.known.retain(|_, kept| {
                let goes = going > 0 && kept.bucket.forgettable_at() <= median;
                going -= usize::from(goes);
                !goes
            });
        }
        self.look_at = (2 * self.known.len()).clamp(1024, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_needed_longest_stays() {
        let local = Local::new();
        let now = DateTime::UNIX_EPOCH;
        let contacts: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
        for contact in &contacts {
            let pair = Scope::Pair { number: "1", contact };
            local.change(Uuid::nil(), pair, now, |bucket, now| bucket.pause(now + 1e6));
        }
        let last = Scope::Number("1");
        local.change(Uuid::nil(), last, now, |bucket, now| bucket.pause(now + 1e9));
        let mut buckets = local.lock();
        let all = buckets.known.len();
        buckets.look_at = 0;
        buckets.make_room(0.0, 5000);
        assert!(buckets.known.len() <= all / 2 + 1, "{}", buckets.known.len());
        buckets.look_at = 0;
        buckets.make_room(2e6, 5000);
        assert_eq!(buckets.known.len(), 1, "only the long pause is needed after two seconds");
    }
}
