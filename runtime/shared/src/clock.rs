//! The time, and how limits count it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    pinned: bool,
}

impl Clock {
    /// This machine's clock. Limits in Redis go by the clock of Redis, so that machines whose clocks differ agree.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), pinned: false }
    }

    /// A clock that a test moves: limits in Redis go by it too.
    pub fn pinned(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), pinned: true }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned
    }
}

/// Microseconds since 1970.
pub(crate) fn micros(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64
}

/// The first whole microsecond that is not before.
pub(crate) fn moment(micros: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros.ceil() as i64).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
