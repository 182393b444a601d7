//! Timers that are due become events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hoopoe_lanes::{Options, Stage};
use hoopoe_store::{Error, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Fires timers until `stop`.
pub(crate) async fn run(store: Store, poll: Duration, stop: CancellationToken) {
    let ambient = store.ambient.clone();
    hoopoe_lanes::drive(Arc::new(Timers(store)), Options { concurrency: 128, poll }, ambient, stop).await;
}

/// A stage whose work is done by its claim: one transaction per batch.
struct Timers(Store);

impl Stage for Timers {
    type Work = Infallible;
    const NAME: &'static str = "timers";

    async fn claim(&self, limit: usize) -> Result<Vec<Infallible>, Error> {
        self.0.fire_timers(i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        Ok(Vec::new())
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
