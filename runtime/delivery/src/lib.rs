//! From the outbox to Meta's Graph API.
//!
//! In: the first message of each claimed lane, already marked `sending`. Out: a verdict, committed: sent, try again,
//! unknown, or given up. What can fail: Meta, as its error table says; the network; this process. A request that may
//! have reached Meta is never simply repeated: its message waits for a status first.

mod graph;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Options, Stage};
use hoopoe_secrets::MasterKey;
use hoopoe_store::Store;
use hoopoe_store::deliveries::{Delivery, Settlement, Verdict};
use hoopoe_store::fault::crash_point;
use hoopoe_store::group::{GroupCommit, Sizes};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use crate::graph::Settings as GraphSettings;
use crate::graph::{Answer, Graph};

/// Tokens that begin so are for trying things out: the send is simulated here and never leaves the process.
const MOCK: &str = "mock_";

/// How delivery behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where and how to call.
    pub graph: GraphSettings,
    /// Requests under way at the same time.
    pub concurrency: usize,
    /// Further attempts after the first.
    pub retries: i32,
    /// How long a claimed message belongs to its claimer; longer than a request can take.
    pub lease: TimeDelta,
    /// How long a message with an unknown outcome waits for a status.
    pub doubt: TimeDelta,
    /// Longest time between two looks at the outbox.
    pub poll: Duration,
}

/// Runs the delivery stage until `stop`, then until what is under way has ended.
pub async fn run(
    store: Store,
    master_key: MasterKey,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), graph::Error> {
    let sizes = Sizes { batch: 256, queue: settings.concurrency.max(1), writers: 1 };
    let writer = store.clone();
    let settlements = GroupCommit::start(sizes, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { store.settle(&batch).await })
    });
    let options = Options { concurrency: settings.concurrency, poll: settings.poll };
    let graph = Graph::new(&settings.graph)?;
    let ambient = store.ambient.clone();
    let stage = Sender { store, master_key, settings, graph, settlements };
    hoopoe_lanes::drive(Arc::new(stage), options, ambient, stop).await;
    Ok(())
}

struct Sender {
    store: Store,
    master_key: MasterKey,
    settings: Settings,
    graph: Graph,
    settlements: GroupCommit<Settlement, bool>,
}

impl Stage for Sender {
    type Work = Delivery;
    const NAME: &'static str = "delivery";

    async fn claim(&self, limit: usize) -> Result<Vec<Delivery>, hoopoe_store::Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let claimed = self.store.claim_deliveries(limit, self.settings.lease, self.settings.doubt).await?;
        if !claimed.is_empty() {
            crash_point("delivery.claimed");
        }
        Ok(claimed)
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, hoopoe_store::Error> {
        self.store.next_delivery().await
    }

    fn wake(&self) -> &Notify {
        &self.store.wakes.delivery
    }

    async fn work(&self, delivery: Delivery) {
        let tenant = delivery.lease.lane.tenant_id;
        let (message, attempt) = (delivery.message_id, delivery.attempt);
        let answer = self.attempt(&delivery).await;
        crash_point("delivery.called");
        if let Answer::Failed(failure) = &answer {
            tracing::warn!(%tenant, %message, attempt, class = failure.class.as_str(), code = failure.code,
                reason = failure.message, "Meta did not take a message");
            if failure.class == hoopoe_protocol::graph::Class::SuspendChannel {
                let suspended = self.store.suspend_channel(tenant, delivery.channel_id, &failure.message).await;
                if let Err(error) = suspended {
                    tracing::warn!(%tenant, %error, "could not mark the channel as suspended");
                }
            }
        }
        let chance = |below| self.store.ambient.below(below);
        let verdict = verdict::of(answer, attempt, &self.settings, self.store.ambient.now(), chance);
        if let Verdict::Dead { error } = &verdict {
            tracing::error!(%tenant, %message, attempt, error, "a message was given up");
        }
        let settlement = Settlement { lease: delivery.lease, message_id: message, attempts: attempt, verdict };
        self.settle(settlement.into()).await;
        crash_point("delivery.settled");
    }
}

impl Sender {
    async fn attempt(&self, delivery: &Delivery) -> Answer {
        if delivery.attempt > self.settings.retries + 1 {
            return Answer::Exhausted;
        }
        match self.master_key.open(delivery.lease.lane.tenant_id, &delivery.token) {
            Err(error) => Answer::Unreadable(error),
            Ok(token) if graph::begins_with(&token, MOCK) => {
                Answer::Accepted { wa_message_id: format!("wamid.mock.{}", delivery.message_id) }
            }
            Ok(token) => self.graph.send(delivery, &token).await,
        }
    }

    /// Writes the verdict down, however long the database is away within the lease: an acceptance that is not written
    /// down costs the wait for a status.
    async fn settle(&self, settlement: Arc<Settlement>) {
        let tenant = settlement.lease.lane.tenant_id;
        let message = settlement.message_id;
        let tries = self.settings.lease.num_seconds().max(1);
        for _ in 0..tries {
            match self.settlements.write(settlement.clone()).await {
                Ok(true) => {
                    tracing::debug!(%tenant, %message, verdict = ?settlement.verdict, "message settled");
                    return;
                }
                Ok(false) => {
                    tracing::warn!(%tenant, %message, "the lane was taken over by another owner");
                    return;
                }
                Err(error) if error.is_passing() => {
                    tracing::warn!(%tenant, %message, %error, "could not write a verdict down; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => {
                    tracing::error!(%tenant, %message, %error, "a verdict was refused by the database");
                    return;
                }
            }
        }
    }
}
