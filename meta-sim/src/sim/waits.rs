//! Waits for what the runtime sends and acknowledges.

use std::time::Duration;

use super::Sim;
use crate::{Accepted, Stats};

/// What was waited for did not come in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {waited:?} for {wanted} {what}, {came} came")]
pub struct Timeout {
    /// What was counted.
    pub what: &'static str,
    /// How many were wanted.
    pub wanted: u64,
    /// How many came.
    pub came: u64,
    /// How long.
    pub waited: Duration,
}

impl Sim {
    /// Waits until `n` messages were accepted since the start (or reset) and gives them all.
    pub async fn wait_for_accepted(&self, n: usize, timeout: Duration) -> Result<Vec<Accepted>, Timeout> {
        self.wait("accepted messages", n as u64, timeout, |stats| stats.accepted).await?;
        Ok(self.accepted())
    }

    /// Waits until the runtime has acknowledged `n` statuses.
    pub async fn wait_for_statuses(&self, n: usize, timeout: Duration) -> Result<(), Timeout> {
        self.wait("acknowledged statuses", n as u64, timeout, |stats| stats.statuses_acknowledged).await
    }

    /// Waits until `n` requests came to the messages endpoint.
    pub async fn wait_for_requests(&self, n: usize, timeout: Duration) -> Result<(), Timeout> {
        self.wait("requests", n as u64, timeout, |stats| stats.requests).await
    }

    /// Waits until no status is on its way.
    pub async fn wait_for_webhook_idle(&self, timeout: Duration) -> Result<(), Timeout> {
        let mut watch = self.state.watch();
        let idle = tokio::time::timeout(timeout, watch.wait_for(Stats::is_idle)).await;
        let stats = self.stats();
        let timeout = Timeout {
            what: "statuses to be delivered",
            wanted: stats.statuses_queued,
            came: stats.statuses_acknowledged + stats.statuses_lost,
            waited: timeout,
        };
        if idle.is_ok_and(|idle| idle.is_ok()) { Ok(()) } else { Err(timeout) }
    }

    async fn wait(
        &self,
        what: &'static str,
        wanted: u64,
        waited: Duration,
        read: impl Fn(&Stats) -> u64,
    ) -> Result<(), Timeout> {
        let mut watch = self.state.watch();
        let came = tokio::time::timeout(waited, watch.wait_for(|stats| read(stats) >= wanted)).await;
        if came.is_ok_and(|came| came.is_ok()) {
            return Ok(());
        }
        Err(Timeout { what, wanted, came: read(&self.stats()), waited })
    }
}
