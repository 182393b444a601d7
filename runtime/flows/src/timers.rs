//! Timers that are due become events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hoopoe_lanes::{Ask, Gate, Options, Stage};
use hoopoe_store::{Error, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Timers that one transaction fires.
const AT_ONCE: usize = 128;

/// Fires timers until `stop`.
pub(crate) async fn run(store: Store, poll: Duration, stop: CancellationToken) {
    let ambient = store.ambient.clone();
    let options = Options { poll, lease: poll, deadline: poll };
    hoopoe_lanes::drive(Arc::new(Timers(store)), Gate::new(AT_ONCE), options, ambient, stop).await;
}

/// A stage whose work is done by its claim: one transaction per batch.
struct Timers(Store);

impl Stage for Timers {
    type Work = Infallible;
    type Born = Infallible;
    const NAME: &'static str = "timers";

    async fn claim(&self, ask: Ask) -> Result<Vec<Infallible>, Error> {
        self.0.fire_timers(i64::try_from(ask.limit).unwrap_or(i64::MAX)).await?;
        Ok(Vec::new())
    }

    async fn adopt(&self, born: Vec<Infallible>) -> Result<Vec<Infallible>, Error> {
        Ok(born)
    }

    fn tenant(work: &Infallible) -> Uuid {
        match *work {}
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, Error> {
        self.0.next_timer().await
    }

    async fn work(&self, work: Infallible) {
        match work {}
    }

    fn wake(&self) -> &Notify {
        &self.0.wakes.timers
    }
}
