//! What a stage takes from the world besides its input: the time, fresh ids, and chance. Tests pin it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::{ContextV7, Timestamp, Uuid};

/// Time, ids and chance. Cheap to clone; clones share one clock.
#[derive(Clone)]
pub struct Ambient {
    clock: Clock,
    /// Keeps ids of one millisecond in the order in which they were made.
    ids: Arc<Mutex<ContextV7>>,
    chance: Arc<Mutex<StdRng>>,
}

#[derive(Clone)]
enum Clock {
    System,
    Manual(Arc<AtomicI64>),
}

impl Ambient {
    /// The system's clock and the operating system's randomness.
    pub fn system() -> Self {
        Self::with(Clock::System, rand::make_rng())
    }

    /// A clock that stands at `start` until [`Ambient::advance`], and chance from `seed`.
    pub fn manual(start: DateTime<Utc>, seed: u64) -> Self {
        Self::with(Clock::Manual(Arc::new(AtomicI64::new(start.timestamp_micros()))), StdRng::seed_from_u64(seed))
    }

    fn with(clock: Clock, chance: StdRng) -> Self {
        Self { clock, ids: Arc::new(Mutex::new(ContextV7::new())), chance: Arc::new(Mutex::new(chance)) }
    }

    /// The present moment, to the microsecond (as Postgres keeps it).
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.clock {
            Clock::System => Utc::now().timestamp_micros(),
            Clock::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Moves a manual clock forward; the system's clock cannot be moved.
    pub fn advance(&self, by: TimeDelta) {
        if let Clock::Manual(micros) = &self.clock {
            micros.fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// A fresh UUIDv7, later ones greater.
    pub fn id(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let ids = self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*ids, seconds, now.timestamp_subsec_nanos()))
    }

    /// A number from 0 to `below` - 1; 0 when `below` is 0.
    pub fn below(&self, below: usize) -> usize {
        self.draw(|chance| if below == 0 { 0 } else { chance.random_range(0..below) })
    }

    /// Fresh random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        self.draw(|chance| std::array::from_fn(|_| chance.random()))
    }

    fn draw<T>(&self, with: impl FnOnce(&mut StdRng) -> T) -> T {
        with(&mut self.chance.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_in_one_instant_keep_their_order() {
        let ambient = Ambient::manual(DateTime::from_timestamp(1_700_000_000, 0).expect("in range"), 1);
        let ids: Vec<_> = (0..1000).map(|_| ambient.id()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_manual_clock_moves_for_every_clone() {
        let ambient = Ambient::manual(DateTime::UNIX_EPOCH, 1);
        ambient.clone().advance(TimeDelta::seconds(5));
        assert_eq!(ambient.now().timestamp(), 5);
    }
}
