//! From the journal through each tenant's plugin to what is to be sent.
//!
//! In: a claimed lane with its next events. Out: for each event a run of the plugin in the sandbox; then, in one
//! transaction, the runs' records, the next state, the outbound messages and the lane's advance. What can fail: the
//! plugin (the record keeps the reason and the lane goes on), for a while (the event is run again with backoff, the
//! lane waits), or this process (another claim runs the same events again; nothing of the first run was written).

mod actions;
mod breaker;
mod choice;
mod configs;
mod event;
mod lane;
mod record;
mod replay;
mod run;
mod simulate;
mod timers;
pub mod trace;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Options, Stage};
use hoopoe_plugins::Library;
use hoopoe_store::Store;
use hoopoe_store::fault::crash_point;
use hoopoe_store::flow_work::{Advance, Work};
use hoopoe_store::group::{GroupCommit, Sizes};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::breaker::Breaker;
pub use crate::breaker::Limits as BreakerLimits;
use crate::configs::Configs;
pub use crate::replay::{Difference, Replay, ReplayError, Report, Selection, replay};
use crate::run::Runner;
pub use crate::simulate::{Input, Simulated, simulate};

/// How the flow stage behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Lanes worked on at the same time.
    pub concurrency: usize,
    /// Further runs of an event whose flow asks for a retry.
    pub retries: i32,
    /// How long a claimed lane belongs to its claimer; longer than its events can take.
    pub lease: TimeDelta,
    /// Longest time between two looks at the database.
    pub poll: Duration,
    /// When plugins that fail are paused.
    pub breaker: BreakerLimits,
}

/// Runs the flow stage until `stop`, then until what is under way has ended.
pub async fn run(store: Store, library: Library, settings: Settings, stop: CancellationToken) {
    let sizes = Sizes { batch: 128, queue: settings.concurrency.max(1), writers: 1 };
    let writer = store.clone();
    let commits = GroupCommit::start(sizes, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { store.commit_runs(&batch).await })
    });
    let options = Options { concurrency: settings.concurrency, poll: settings.poll };
    let ambient = store.ambient.clone();
    let timers = timers::run(store.clone(), settings.poll, stop.clone());
    let configs = Configs::new(store.clone());
    let breaker = Breaker::new(settings.breaker);
    let runner = Runner { store, library, configs, breaker, settings };
    let flows = hoopoe_lanes::drive(Arc::new(Flows { runner, commits }), options, ambient, stop);
    tokio::join!(flows, timers);
}

struct Flows {
    runner: Runner,
    commits: GroupCommit<Advance, bool>,
}

impl Stage for Flows {
    type Work = Work;
    const NAME: &'static str = "flows";

    async fn claim(&self, limit: usize) -> Result<Vec<Work>, hoopoe_store::Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let work = self.runner.store.claim_events(limit, self.runner.settings.lease).await?;
        if !work.is_empty() {
            crash_point("flow.claimed");
        }
        Ok(work)
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, hoopoe_store::Error> {
        self.runner.store.next_event().await
    }

    fn wake(&self) -> &Notify {
        &self.runner.store.wakes.flow
    }

    async fn work(&self, work: Work) {
        let lane = work.lease.lane;
        let advance = self.runner.lane(work).await;
        crash_point("flow.ran");
        // When the commit does not happen the lease runs out and the events are run again, with the same result.
        match self.commits.write(advance).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(tenant = %lane.tenant_id, contact = %lane.contact_id,
                "the lane was taken over by another owner"),
            Err(error) => tracing::warn!(tenant = %lane.tenant_id, contact = %lane.contact_id, %error,
                "could not commit a flow's decisions; its events will be run again"),
        }
        crash_point("flow.committed");
    }
}
