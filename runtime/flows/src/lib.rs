//! From the journal through each tenant's plugin to what is to be sent.
//!
//! In: a claimed lane with its next events. Out: for each event a run of the plugin in the sandbox; then, in one
//! transaction, the runs' records, the next state, the outbound messages and the lane's advance. What can fail: the
//! plugin (the record keeps the reason and the lane goes on), for a while (the event is run again with backoff, the
//! lane waits), or this process (another claim runs the same events again; nothing of the first run was written).

mod actions;
mod attributes;
mod breaker;
mod burst;
mod choice;
mod configs;
mod event;
mod lane;
mod observe;
mod record;
mod replay;
mod run;
mod simulate;
mod timers;
pub mod trace;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Ask, Gate, Options, Stage};
use hoopoe_plugins::Library;
use hoopoe_shared::Shared;
use hoopoe_store::deliveries::Delivery;
use hoopoe_store::fault::crash_point;
use hoopoe_store::flow_work::{Advance, Born, Work};
use hoopoe_store::group::{GroupCommit, Linger, Sizes};
use hoopoe_store::lanes::{self, Births, Claim, Lease};
use hoopoe_store::{SqlError, Store};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{self, Writer};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::breaker::Breaker;
pub use crate::breaker::Limits as BreakerLimits;
use crate::configs::Configs;
pub use crate::replay::{Difference, Replay, ReplayError, Report, Selection, replay};
use crate::run::Runner;
pub use crate::simulate::{Input, Simulated, simulate};

/// How the flow stage behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Further runs of an event whose flow asks for a retry.
    pub retries: i32,
    /// How long a lane belongs to its owner without a heartbeat.
    pub lease: TimeDelta,
    /// How long a lane's events may take.
    pub deadline: Duration,
    /// Longest time between two looks at the database.
    pub poll: Duration,
    /// When plugins that fail are paused.
    pub breaker: BreakerLimits,
}

/// Where flows' messages go when this process delivers too.
pub type DeliveryGate = Gate<Delivery>;

/// Lanes whose runs share a transaction.
const BATCH: usize = 128;
/// Lanes that were adopted together end one shortly after the other.
const LINGER: Linger = Linger { time: Duration::from_millis(2), items: 32, rest: Duration::from_millis(50) };

/// Runs the flow stage until `stop`, then until what is under way has ended. Events enter through `gate`, messages
/// leave through `delivery`; `shared` shows the runs to who watches.
pub async fn run(
    store: Store,
    shared: Shared,
    library: Library,
    settings: Settings,
    gate: Gate<Born>,
    delivery: DeliveryGate,
    stop: CancellationToken,
) {
    let sizes = Sizes { batch: BATCH, queue: BATCH, writers: 1, linger: Some(LINGER) };
    let (writer, lease) = (store.clone(), settings.lease);
    let commits = GroupCommit::start(Writer::Runs, sizes, &store.turns, move |batch: Vec<_>| {
        let (store, shared, delivery) = (writer.clone(), shared.clone(), delivery.clone());
        Box::pin(async move { commit(&store, &shared, &delivery, &batch, lease).await })
    });
    let every = |lease: TimeDelta| lease.to_std().unwrap_or_default();
    let options = Options { poll: settings.poll, lease: every(lease), deadline: settings.deadline };
    let ambient = store.ambient.clone();
    let timers = timers::run(store.clone(), settings.poll, stop.clone());
    let configs = Configs::new(store.clone());
    let breaker = Breaker::new(settings.breaker);
    let runner = Runner { store, library, configs, breaker, settings };
    let flows = hoopoe_lanes::drive(Arc::new(Flows { runner, commits }), gate, options, ambient, stop);
    tokio::join!(flows, timers);
}

/// Commits lanes' runs. The messages of a lane may belong to this process at once, when delivery has room for them.
async fn commit(
    store: &Store,
    shared: &Shared,
    delivery: &DeliveryGate,
    batch: &[Arc<Advance>],
    lease: TimeDelta,
) -> Result<Vec<bool>, SqlError> {
    let sends = |lane: &Arc<Advance>| lane.handled.iter().any(|handled| !handled.messages.is_empty());
    let named = |lane: &Arc<Advance>| sends(lane).then_some((lane.lease.lane, lane.lease.lane.tenant_id));
    let admission = delivery.admit(batch.iter().map(named));
    let committed = store.commit_runs(batch, Births { own: admission.own(), lease }).await?;
    crash_point("flow.committed");
    // Before a message of theirs goes out: who watches sees first what came first.
    let owned = batch.iter().zip(&committed.owned).filter(|(_, owned)| **owned);
    owned.for_each(|(lane, _)| observe::committed(shared, lane));
    delivery.enter(admission, committed.born.into_iter().map(|born| (born.lease.lane, born)));
    Ok(committed.owned)
}

struct Flows {
    runner: Runner,
    commits: GroupCommit<Advance, bool>,
}

impl Stage for Flows {
    type Work = Work;
    type Born = Born;
    const NAME: &'static str = "flows";
    const PACE: Duration = Duration::from_millis(10);

    async fn claim(&self, ask: Ask) -> Result<Vec<Work>, hoopoe_store::Error> {
        let claim = Claim { limit: ask.limit, full: ask.full, lease: self.runner.settings.lease };
        let work = self.runner.store.claim_events(&claim).await?;
        if !work.is_empty() {
            crash_point("flow.claimed");
        }
        Ok(work)
    }

    async fn adopt(&self, born: Vec<Born>) -> Result<Vec<Work>, hoopoe_store::Error> {
        crash_point("flow.claimed");
        self.runner.store.adopt(born).await
    }

    fn tenant(work: &Work) -> Uuid {
        work.lease.lane.tenant_id
    }

    fn lease(work: &Work) -> Option<Lease> {
        Some(work.lease)
    }

    async fn extend(&self, leases: &[Lease]) -> Result<(), hoopoe_store::Error> {
        self.runner.store.extend_leases(lanes::Stage::Flow, leases, self.runner.settings.lease).await
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
            Ok(false) => {
                metrics().lanes_lost.of(labels::Stage::Flows).inc();
                tracing::warn!(tenant = %lane.tenant_id, contact = %lane.contact_id,
                    "the lane was taken over by another owner");
            }
            Err(error) => tracing::warn!(tenant = %lane.tenant_id, contact = %lane.contact_id, %error,
                "could not commit a flow's decisions; its events will be run again"),
        }
    }
}
