//! The arithmetic of one bucket, in microseconds as `f64`, exactly as `bucket.lua` does it.
//!
//! A bucket is kept as the moment at which it will be full again (the generic cell rate algorithm): a token moves that
//! moment by the time in which one token comes. A bucket that is full needs no memory at all.

/// What a bucket gives: tokens per second, and how many it holds when it is full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    per_second: f64,
    burst: f64,
}

impl Limit {
    /// Both are kept within 0.000001 and 1,000,000,000, and a bucket holds at least one token.
    pub const fn new(per_second: f64, burst: f64) -> Self {
        // The bounds first: they take the place of what is no number.
        Self { per_second: f64::min(f64::max(1e-6, per_second), 1e9), burst: f64::min(f64::max(1.0, burst), 1e9) }
    }

    /// So many per second, and at once as many as in one second.
    pub const fn per_second(rate: f64) -> Self {
        Self::new(rate, rate)
    }

    /// So many per second, and at once as many as in a tenth of one: in no second much more than the rate.
    pub const fn evenly(rate: f64) -> Self {
        Self::new(rate, rate / 10.0)
    }

    /// So many per day, and at once all of them.
    pub const fn per_day(quota: f64) -> Self {
        Self::new(quota / 86_400.0, quota)
    }

    /// One node's share among `nodes`.
    pub(crate) fn share(self, nodes: usize) -> Self {
        let nodes = nodes.max(1) as f64;
        Self::new(self.per_second / nodes, self.burst / nodes)
    }

    /// Tokens per second.
    pub fn rate(self) -> f64 {
        self.per_second
    }

    /// Tokens of a full bucket.
    pub(crate) fn burst(self) -> f64 {
        self.burst
    }
}

/// The part of its rate that a slowed bucket gets back per second: from half to all in 50 seconds.
pub(crate) const RECOVERY: f64 = 0.01;
/// A bucket is not slowed below this part of its rate.
pub(crate) const LEAST: f64 = 1.0 / 64.0;
/// Within this time after a bucket was slowed it is not slowed again: answers to requests that were under way together
/// tell of one event.
pub(crate) const EPISODE: f64 = 2e6;

/// What is kept of a bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// When it is full again.
    pub full_at: f64,
    /// Until when it gives nothing.
    pub paused_until: f64,
    /// The part of its rate that it was slowed to.
    pub share: f64,
    /// When it was slowed.
    pub slowed_at: f64,
}

impl Bucket {
    /// As if never used.
    pub const FULL: Self = Self { full_at: 0.0, paused_until: 0.0, share: 1.0, slowed_at: 0.0 };

    /// A clock that was set back finds moments to come, here and below: they are taken as being now.
    fn share_at(&self, now: f64) -> f64 {
        (self.share + (now - self.slowed_at).max(0.0) / 1e6 * RECOVERY).min(1.0)
    }

    /// The time in which one token comes.
    pub fn interval(&self, limit: Limit, now: f64) -> f64 {
        1e6 / (limit.per_second * self.share_at(now))
    }

    /// When there is a token after `before` others were taken. A slowed bucket also holds less, so that its level, as
    /// a time, means the same.
    pub fn free_at(&self, limit: Limit, now: f64, before: f64) -> f64 {
        let interval = self.interval(limit, now);
        (self.full_at.max(now) + interval * (before + 1.0) - self.window(limit, now)).max(self.paused_until)
    }

    /// It is no emptier than empty: of a limit that was lower, or of a clock that was set back, it would owe tokens.
    pub fn owe_nothing(&mut self, limit: Limit, now: f64) {
        self.full_at = self.full_at.min(now + self.window(limit, now));
    }

    /// The time in which an empty bucket fills.
    fn window(&self, limit: Limit, now: f64) -> f64 {
        (limit.burst * 1e6 / limit.per_second).max(self.interval(limit, now))
    }

    /// Takes a token.
    pub fn take(&mut self, limit: Limit, now: f64) {
        self.full_at = self.full_at.max(now) + self.interval(limit, now);
    }

    /// Takes a token that was granted elsewhere: of an empty bucket none.
    pub fn spend(&mut self, limit: Limit, now: f64) {
        self.take(limit, now);
        self.owe_nothing(limit, now);
    }

    /// Gives nothing until then; a longer pause stays.
    pub fn pause(&mut self, until: f64) {
        self.paused_until = self.paused_until.max(until);
    }

    /// Halves the rate, from which it creeps up again.
    pub fn slow_down(&mut self, now: f64) {
        if (now - self.slowed_at).abs() >= EPISODE {
            (self.share, self.slowed_at) = ((self.share_at(now) / 2.0).max(LEAST), now);
        }
    }

    /// From when on it is as if never used.
    pub fn forgettable_at(&self) -> f64 {
        let recovered = if self.share < 1.0 { self.slowed_at + (1.0 - self.share) / RECOVERY * 1e6 } else { 0.0 };
        self.full_at.max(self.paused_until).max(recovered)
    }
}

/// Moments this close are the same: a double of this size holds quarters of microseconds.
pub(crate) const TOLERANCE: f64 = 1.0;
