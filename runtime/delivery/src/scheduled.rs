//! Scheduled messages that are due go into the outbox.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Ask, Gate, Options, Stage};
use hoopoe_store::scheduled::Moved;
use hoopoe_store::{Error, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Messages that one transaction moves. What it opens is locked meanwhile.
const AT_ONCE: usize = 256;
/// How long another process is left alone that moves what is due: it may die over it.
const ELSEWHERE: TimeDelta = TimeDelta::milliseconds(250);

/// The stage holds no leases: its heart has nothing to do.
const NOTHING_HELD: Duration = Duration::from_secs(3600);

/// Moves what is due until `stop`.
pub(crate) async fn run(store: Store, poll: Duration, stop: CancellationToken) {
    let ambient = store.ambient.clone();
    let options = Options { poll, lease: NOTHING_HELD, deadline: NOTHING_HELD };
    let stage = Schedule { store, elsewhere: AtomicBool::new(false) };
    hoopoe_lanes::drive(Arc::new(stage), Gate::new(AT_ONCE), options, ambient, stop).await;
}

/// A stage whose work is done by its claim: one transaction per batch.
struct Schedule {
    store: Store,
    /// Another process was at it when this one looked.
    elsewhere: AtomicBool,
}

impl Stage for Schedule {
    type Work = Infallible;
    type Born = Infallible;
    const NAME: &'static str = "scheduled";

    async fn claim(&self, ask: Ask) -> Result<Vec<Infallible>, Error> {
        let moved = self.store.move_due(ask.limit).await?;
        self.elsewhere.store(moved == Moved::Elsewhere, Ordering::Relaxed);
        if let Moved::Here(count @ 1..) = moved {
            tracing::debug!(count, "scheduled messages are due");
        }
        Ok(Vec::new())
    }

    async fn adopt(&self, born: Vec<Infallible>) -> Result<Vec<Infallible>, Error> {
        Ok(born)
    }

    fn tenant(work: &Infallible) -> Uuid {
        match *work {}
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, Error> {
        if self.elsewhere.load(Ordering::Relaxed) {
            return Ok(Some(self.store.ambient.now() + ELSEWHERE));
        }
        self.store.next_scheduled().await
    }

    async fn work(&self, work: Infallible) {
        match work {}
    }

    fn wake(&self) -> &Notify {
        &self.store.wakes.scheduled
    }
}
