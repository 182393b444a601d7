//! The writer of sends: one queue for all tenants, in which each has a share.
//!
//! In: checked requests. Out: what became of each, after its commit. What can fail: the tenant has as much under way as
//! it may have, and is told to come back later while others go on; or the database is away.

use std::sync::Arc;

use chrono::TimeDelta;
use hoopoe_flows::DeliveryGate;
use hoopoe_store::group::shares::{Limits, Share, Shares};
use hoopoe_store::group::{Answer, GroupCommit, Sizes};
use hoopoe_store::lanes::Births;
use hoopoe_store::outbound::{Queued, SendRequest};
use hoopoe_store::{Error, SqlError, Store};
use hoopoe_telemetry::metrics::WriterMeters;
use hoopoe_telemetry::metrics::labels::Writer;

/// Sends that may be under way, of all tenants together; with their units of 16 KiB they hold 128 MiB at the most. One
/// tenant may have half of it: the two largest batches.
const LIMITS: Limits = Limits { all: 8_192, each: 4_096, unit: 16 * 1024 };

/// The queue, from any number of requests.
pub struct Sends {
    group: GroupCommit<Held, Queued>,
    shares: Shares,
    meters: WriterMeters,
}

/// A request, and the share that it has until it is written or refused, whether or not somebody still waits for it.
#[derive(Debug)]
struct Held {
    request: Arc<SendRequest>,
    _share: Share,
}

impl Sends {
    /// Starts the writer. Sends whose lanes belong to this process go to `delivery`, for `lease`.
    pub fn start(store: &Store, delivery: DeliveryGate, lease: TimeDelta) -> Self {
        let sizes = Sizes { batch: 256, queue: LIMITS.all, writers: 1, linger: None };
        let writer = store.clone();
        let group = GroupCommit::start(Writer::Sends, sizes, &store.turns, move |held: Vec<Arc<Held>>| {
            let (store, delivery) = (writer.clone(), delivery.clone());
            Box::pin(async move {
                let requests: Vec<_> = held.iter().map(|held| held.request.clone()).collect();
                enqueue(&store, &delivery, &requests, lease).await
            })
        });
        Self { group, shares: Shares::new(LIMITS), meters: WriterMeters::of(Writer::Sends) }
    }

    /// Submits a request; the answer comes after its commit. [`Error::Overloaded`] when its tenant has as much under
    /// way as it may have.
    pub fn submit(&self, request: SendRequest) -> Result<Answer<Queued>, Error> {
        let message = &request.message;
        let bytes = message.payload.len() + message.body.as_ref().map_or(0, String::len);
        let Some(share) = self.shares.take(request.party.tenant_id, (bytes, 1)) else {
            self.meters.shed.inc();
            return Err(Error::Overloaded);
        };
        self.group.submit(Held { request: Arc::new(request), _share: share })
    }
}

/// Queues requests, and hands over those whose lanes belong to this process.
async fn enqueue(
    store: &Store,
    delivery: &DeliveryGate,
    requests: &[Arc<SendRequest>],
    lease: TimeDelta,
) -> Result<Vec<Queued>, SqlError> {
    let now = store.ambient.now();
    let named = |request: &Arc<SendRequest>| {
        let is_later = request.message.send_at.is_some_and(|at| at > now);
        (!is_later).then_some((request.message.id, request.party.tenant_id))
    };
    let admission = delivery.admit(requests.iter().map(named));
    let enqueued = store.enqueue(requests, Births { own: admission.own(), lease }).await?;
    delivery.enter(admission, enqueued.born.into_iter().map(|born| (born.message_id, born)));
    Ok(enqueued.queued)
}
