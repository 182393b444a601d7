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
/// Fewer are not looked through.
const LOOK_AT: usize = 1024;

pub(crate) struct Local {
    buckets: Mutex<Buckets>,
}

struct Buckets {
    /// Where each lies in `kept`.
    places: HashMap<Box<[u8]>, usize>,
    kept: Vec<Kept>,
    /// How many there may be before those that are not needed any longer are looked for.
    look_at: usize,
    /// Counts the calls.
    call: u64,
    /// Written over and over: a key, and where the buckets of one ask lie.
    key: Vec<u8>,
    of_ask: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Kept {
    bucket: Bucket,
    /// The call that `limit` and `refused` belong to.
    call: u64,
    limit: Limit,
    refused: u32,
}

impl Local {
    pub fn new() -> Self {
        let buckets = Buckets {
            places: HashMap::new(),
            kept: Vec::new(),
            look_at: LOOK_AT,
            call: 0,
            key: Vec::new(),
            of_ask: Vec::new(),
        };
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

    /// What has been granted elsewhere counts here: should that go away, no bucket is full that has just been emptied there,
    /// however often it comes and goes.
    pub fn spend(&self, asks: &[Ask<'_>], verdicts: &[Verdict<'_>], nodes: usize, now: DateTime<Utc>) {
        let now = clock::micros(now);
        let mut buckets = self.lock();
        buckets.make_room(now, MOST);
        buckets.call += 1;
        let granted = asks.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_granted());
        for (scope, limit, tenant) in granted.flat_map(|(ask, _)| ask.buckets.iter().map(|(s, l)| (*s, *l, ask.tenant)))
        {
            let place = buckets.place(tenant, scope, limit.share(nodes));
            let kept = &mut buckets.kept[place];
            kept.bucket.spend(kept.limit, now);
        }
    }

    pub fn change(&self, tenant: Uuid, scope: Scope<'_>, now: DateTime<Utc>, change: impl FnOnce(&mut Bucket, f64)) {
        let now = clock::micros(now);
        let mut buckets = self.lock();
        buckets.make_room(now, MOST);
        let place = buckets.place(tenant, scope, Limit::per_second(1.0));
        change(&mut buckets.kept[place].bucket, now);
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn take<'a>(&mut self, ask: &Ask<'a>, nodes: usize, now: f64) -> Verdict<'a> {
        let mut latest = now + TOLERANCE;
        let mut waits_for = None;
        self.of_ask.clear();
        for (scope, limit) in &ask.buckets {
            let place = self.place(ask.tenant, *scope, limit.share(nodes));
            self.of_ask.push(place);
            let kept = &mut self.kept[place];
            kept.bucket.owe_nothing(kept.limit, now);
            if kept.bucket.free_at(kept.limit, now, 0.0) <= now + TOLERANCE {
                continue;
            }
            let until = kept.bucket.free_at(kept.limit, now, f64::from(kept.refused));
            if until > latest {
                (latest, waits_for) = (until, Some((place, *scope)));
            }
        }
        match waits_for {
            Some((place, bucket)) => {
                self.kept[place].refused += 1;
                Verdict::Wait { until: clock::moment(latest), bucket }
            }
            None => {
                for place in &self.of_ask {
                    let kept = &mut self.kept[*place];
                    kept.bucket.take(kept.limit, now);
                }
                Verdict::Granted
            }
        }
    }

    /// Where the bucket lies, with what belongs to this call.
    fn place(&mut self, tenant: Uuid, scope: Scope<'_>, limit: Limit) -> usize {
        self.key.clear();
        scope.write_short_key(&mut self.key, tenant);
        let place = match self.places.get(self.key.as_slice()) {
            Some(place) => *place,
            None => {
                self.places.insert(self.key.as_slice().into(), self.kept.len());
                self.kept.push(Kept { bucket: Bucket::FULL, call: self.call, limit, refused: 0 });
                self.kept.len() - 1
            }
        };
        let kept = &mut self.kept[place];
        if kept.call != self.call {
            (kept.call, kept.limit, kept.refused) = (self.call, limit, 0);
        }
        place
    }

    /// Forgets what is not needed any longer, once there is much of it, and then also what is needed shortest.
    fn make_room(&mut self, now: f64, most: usize) {
        if self.kept.len() < self.look_at {
            return;
        }
        self.retain(|bucket| bucket.forgettable_at() > now);
        if self.kept.len() > most / 2 {
            let mut ends: Vec<f64> = self.kept.iter().map(|kept| kept.bucket.forgettable_at()).collect();
            let middle = ends.len() / 2;
            let median = *ends.select_nth_unstable_by(middle, f64::total_cmp).1;
            // All may end at the same moment: half of them go then too.
            let mut going = middle;
            self.retain(|bucket| {
                let goes = going > 0 && bucket.forgettable_at() <= median;
                going -= usize::from(goes);
                !goes
            });
        }
        self.look_at = (2 * self.kept.len()).clamp(LOOK_AT, most);
    }

    fn retain(&mut self, mut stays: impl FnMut(&Bucket) -> bool) {
        let all = std::mem::take(&mut self.kept);
        let kept = &mut self.kept;
        self.places.retain(|_, place| {
            let one = all[*place];
            let stays = stays(&one.bucket);
            if stays {
                *place = kept.len();
                kept.push(one);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn buckets_keep_their_state_when_others_go() {
        let local = Local::new();
        let now = DateTime::UNIX_EPOCH;
        let numbers: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        for (hours, number) in (0..).zip(&numbers) {
            let pause = |bucket: &mut Bucket, now| bucket.pause(now + f64::from(hours) * 3.6e9);
            local.change(Uuid::nil(), Scope::Number(number), now, pause);
        }
        let after = now + TimeDelta::minutes(270);
        let mut buckets = local.lock();
        buckets.look_at = 0;
        buckets.make_room(clock::micros(after), MOST);
        drop(buckets);
        let limit = Limit::per_second(1.0);
        let asks: Vec<_> = numbers.iter().map(|number| Ask::of(Uuid::nil()).number(number, limit)).collect();
        for (hours, verdict) in (0..).zip(local.take(&asks, 1, after)) {
            let until = now + TimeDelta::hours(hours);
            let number = Scope::Number(&numbers[usize::try_from(hours).expect("small")]);
            let expected = if hours < 5 { Verdict::Granted } else { Verdict::Wait { until, bucket: number } };
            assert_eq!(verdict, expected, "{hours}");
        }
        assert_eq!(local.lock().kept.len(), 10);
    }

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
        let all = buckets.kept.len();
        buckets.look_at = 0;
        buckets.make_room(0.0, 5000);
        assert!(buckets.kept.len() <= all / 2 + 1, "{}", buckets.kept.len());
        buckets.look_at = 0;
        buckets.make_room(2e6, 5000);
        assert_eq!(buckets.kept.len(), 1, "only the long pause is needed after two seconds");
    }
}
