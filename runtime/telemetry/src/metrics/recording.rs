//! Handles for what is recorded together.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::labels::{Label, Stage, Writer};
use super::{Metrics, codes, metrics};

/// The handles of a group commit.
#[derive(Debug, Clone)]
pub struct WriterMeters {
    seconds: Histogram,
    items: Histogram,
    /// Batches that were cut in two.
    pub bisections: Counter,
    /// Transactions that were tried again.
    pub conflicts: Counter,
    /// Items that were refused.
    pub shed: Counter,
}

impl WriterMeters {
    /// Of this writer.
    pub fn of(writer: Writer) -> Self {
        let all = metrics();
        Self {
            seconds: all.commit.of(writer).clone(),
            items: all.commit_items.of(writer).clone(),
            bisections: all.commit_bisections.of(writer).clone(),
            conflicts: all.commit_conflicts.of(writer).clone(),
            shed: all.shed_items.of(writer).clone(),
        }
    }

    /// A transaction of so many items was committed.
    pub fn committed(&self, items: usize, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
        self.items.observe(items as f64);
    }
}

/// The handles of a stage.
#[derive(Debug, Clone)]
pub struct LaneMeters {
    /// Claimed lanes.
    pub claimed: Counter,
    /// Lanes that entered without a claim.
    pub born: Counter,
    /// Work for which there was no place.
    pub left: Counter,
    /// Failed heartbeats.
    pub heartbeats_failed: Counter,
    working: Gauge,
    seconds: Histogram,
}

impl LaneMeters {
    /// Of the stage with this name, or unregistered ones.
    pub fn named(stage: &str) -> Self {
        let Some(stage) = Stage::named(stage) else {
            let (claimed, born, left, heartbeats_failed) = Default::default();
            return Self { claimed, born, left, heartbeats_failed, working: Gauge::default(), seconds: super::wide() };
        };
        let all = metrics();
        Self {
            claimed: all.lanes_claimed.of(stage).clone(),
            born: all.lanes_born.of(stage).clone(),
            left: all.lanes_left.of(stage).clone(),
            heartbeats_failed: all.heartbeats_failed.of(stage).clone(),
            working: all.lanes_working.of(stage).clone(),
            seconds: all.lane_work.of(stage).clone(),
        }
    }

    /// Work begins; it ends when this is dropped.
    pub fn work(&self) -> InUse {
        InUse::timed(self.working.clone(), self.seconds.clone())
    }
}

/// One in use, until this is dropped.
#[derive(Debug)]
pub struct InUse {
    gauge: Gauge,
    time: Option<(Histogram, Instant)>,
}

impl InUse {
    /// Counted in this gauge.
    pub fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self { gauge: gauge.clone(), time: None }
    }

    fn timed(gauge: Gauge, seconds: Histogram) -> Self {
        gauge.inc();
        Self { gauge, time: Some((seconds, Instant::now())) }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.gauge.dec();
        if let Some((seconds, since)) = &self.time {
            seconds.observe(since.elapsed().as_secs_f64());
        }
    }
}

/// A wait. It is observed when this is dropped, also when it was in vain or given up.
#[derive(Debug)]
#[must_use = "the wait ends when this is dropped"]
pub struct Wait<'a> {
    seconds: &'a Histogram,
    since: Instant,
}

impl<'a> Wait<'a> {
    /// Begins now, and is observed in this histogram of seconds.
    pub fn of(seconds: &'a Histogram) -> Self {
        Self { seconds, since: Instant::now() }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.seconds.observe(self.since.elapsed().as_secs_f64());
    }
}

impl Metrics {
    /// Meta did not take a message. `class` is one of few words; codes that the error table does not know count as
    /// `other`.
    pub fn graph_failure(&self, class: &'static str, code: Option<i64>) {
        self.graph_failures.get_or_create(&[("class", class), ("code", codes::label(code))]).inc();
    }

    /// Meta reports that a message which it took has failed. Codes count as in [`Metrics::graph_failure`].
    pub fn status_failure(&self, code: Option<i64>) {
        self.status_failures.get_or_create(&[("code", codes::label(code))]).inc();
    }
}
