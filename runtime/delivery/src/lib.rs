//! From the outbox to Meta's Graph API.
//!
//! In: the first message of each claimed lane, already marked `sending`. Out: a verdict, committed: sent, try again,
//! unknown, or given up. What can fail: Meta, as its error table says; the network; this process. A request that may
//! have reached Meta is never simply repeated: its message waits for a status first. Beside it, scheduled messages that
//! are due are put into the outbox.

mod checks;
mod connections;
mod graph;
mod line;
mod messenger;
mod observe;
mod pace;
mod scheduled;
mod senders;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Ask, Gate, Options, Stage};
use hoopoe_media::{AtMeta, Media, Number};
use hoopoe_protocol::graph::{Class, Failure};
use hoopoe_secrets::MasterKey;
use hoopoe_shared::Shared;
use hoopoe_shared::forget::Cache;
use hoopoe_store::Store;
use hoopoe_store::deliveries::{Delivery, Settled, Settlement, Verdict};
use hoopoe_store::fault::crash_point;
use hoopoe_store::group::{GroupCommit, Linger, Sizes};
use hoopoe_store::lanes::{self, Claim, Lease};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{self, Writer};
use hoopoe_telemetry::trace::Span;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::graph::Graph;
pub use crate::graph::Settings as GraphSettings;
use crate::pace::Pace;
pub use crate::pace::Rates;
use crate::senders::{Sender, Senders};

/// Messages whose verdicts share a transaction.
const BATCH: usize = 256;

/// Nobody waits for a verdict but the next message of the same contact.
const LINGER: Linger = Linger { time: Duration::from_millis(10), items: 32, rest: Duration::from_millis(50) };

/// How delivery behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where and how to call.
    pub graph: GraphSettings,
    /// Further attempts after the first.
    pub retries: i32,
    /// How long a message belongs to its owner without a heartbeat.
    pub lease: TimeDelta,
    /// How long a message may be under way; longer than a request can take.
    pub deadline: Duration,
    /// How fast messages go out.
    pub rates: Rates,
    /// How long after it was queued a message is still sent, unless it says otherwise.
    pub validity: TimeDelta,
    /// How long a message with an unknown outcome waits for a status.
    pub doubt: TimeDelta,
    /// Longest time between two looks at the outbox.
    pub poll: Duration,
}

/// Runs the delivery stage until `stop`, then until what is under way has ended. Messages that belong to this process
/// from birth enter through `gate`; files that they name by our handles are given to Meta by `media`.
pub async fn run(
    store: Store,
    master_key: MasterKey,
    settings: Settings,
    (shared, media): (Shared, Media),
    gate: Gate<Delivery>,
    stop: CancellationToken,
) -> Result<(), graph::Error> {
    let sizes = Sizes { batch: BATCH, queue: BATCH * 4, writers: 1, linger: Some(LINGER) };
    let (writer, watched) = (store.clone(), shared.clone());
    let settlements = GroupCommit::start(Writer::Settlements, sizes, &store.turns, move |batch: Vec<_>| {
        let (store, shared) = (writer.clone(), watched.clone());
        Box::pin(async move { store.settle(&batch).await.inspect(|done| observe::settled(&shared, &batch, done)) })
    });
    let lease = settings.lease.to_std().unwrap_or_default();
    let options = Options { poll: settings.poll, lease, deadline: settings.deadline };
    let graph = Graph::new(&settings.graph)?;
    let ambient = store.ambient.clone();
    let senders = Arc::new(Senders::new(store.clone(), master_key));
    let remembered = Arc::downgrade(&senders);
    shared.on_forget(move |forget| {
        if let Some(senders) = remembered.upgrade().filter(|_| forget.concerns(Cache::Channels)) {
            senders.forget_all();
        }
    });
    let pace = Pace::start(shared, settings.rates);
    let (poll, moved) = (settings.poll, store.clone());
    let stage = Deliveries { store, senders, pace, settings, graph, media, settlements };
    let moving = scheduled::run(moved, poll, stop.clone());
    tokio::join!(hoopoe_lanes::drive(Arc::new(stage), gate, options, ambient, stop), moving);
    Ok(())
}

/// The number that a message is sent from.
fn number<'a>(delivery: &Delivery, sender: &'a Sender) -> Number<'a> {
    Number {
        tenant_id: delivery.lease.lane.tenant_id,
        channel_id: delivery.channel_id,
        phone_number_id: &sender.phone_number_id,
        token: &sender.token,
    }
}

struct Deliveries {
    store: Store,
    senders: Arc<Senders>,
    pace: Pace,
    settings: Settings,
    graph: Graph,
    media: Media,
    settlements: GroupCommit<Settlement, Settled>,
}

impl Stage for Deliveries {
    type Work = Delivery;
    type Born = Delivery;
    const NAME: &'static str = "delivery";

    async fn adopt(&self, born: Vec<Delivery>) -> Result<Vec<Delivery>, hoopoe_store::Error> {
        crash_point("delivery.claimed");
        Ok(born)
    }

    fn tenant(delivery: &Delivery) -> Uuid {
        delivery.lease.lane.tenant_id
    }

    fn lease(delivery: &Delivery) -> Option<Lease> {
        Some(delivery.lease)
    }

    async fn extend(&self, leases: &[Lease]) -> Result<(), hoopoe_store::Error> {
        self.store.extend_leases(lanes::Stage::Delivery, leases, self.settings.lease).await
    }

    async fn claim(&self, ask: Ask) -> Result<Vec<Delivery>, hoopoe_store::Error> {
        let claim = Claim { limit: ask.limit, full: ask.full, lease: self.settings.lease };
        let claimed = self.store.claim_deliveries(&claim, self.settings.doubt).await?;
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
        let (tenant, message) = (delivery.lease.lane.tenant_id, delivery.message_id);
        let mut span = observe::begin(&delivery);
        let verdict = match self.check(&delivery, self.store.ambient.now()).await {
            Ok(_) if self.store.ambient.now() >= delivery.until => {
                // This process was held up, and somebody else may be sending it by now.
                tracing::warn!(%tenant, %message, attempt = delivery.attempt,
                    "the lease was over before the request went out; it does not go");
                metrics().lanes_lost.of(labels::Stage::Delivery).inc();
                return;
            }
            Ok(sender) => match self.at_meta(&delivery, &sender).await {
                // To give Meta its files took so long that somebody else may be sending it by now: it is begun anew.
                Ok(Some(_)) if self.store.ambient.now() >= delivery.until => {
                    Verdict::Postponed { at: self.store.ambient.now(), error: None }
                }
                Ok(at_meta) => self.attempt(&delivery, &sender, at_meta, &span).await,
                Err(failure) => self.judge(&delivery, &sender, failure).await,
            },
            Err(verdict) => verdict,
        };
        let judged_at = self.store.ambient.now();
        let attempts = delivery.attempt;
        let settlement = Arc::new(Settlement { lease: delivery.lease, message_id: message, attempts, verdict });
        let settled = self.settle(&settlement).await;
        observe::judged(&mut span, &settlement.verdict, settled, &delivery, judged_at);
        if matches!(settlement.verdict, Verdict::Postponed { .. }) {
            self.look_again(&delivery).await;
        }
        crash_point("delivery.settled");
    }
}

impl Deliveries {
    /// Makes one request and judges its outcome.
    async fn attempt(&self, delivery: &Delivery, sender: &Sender, at_meta: Option<AtMeta>, span: &Span) -> Verdict {
        if let Err(verdict) = self.begin_unread(delivery, sender).await {
            return verdict;
        }
        if self.store.ambient.now() >= delivery.until {
            // To write that down took so long that somebody else may be sending it by now: it is begun anew.
            return Verdict::Postponed { at: self.store.ambient.now(), error: None };
        }
        let answer = if sender.is_mock() {
            Ok(format!("wamid.mock.{}", delivery.message_id))
        } else {
            let request = observe::Request::begin(span);
            let payload = at_meta.as_ref().map_or(delivery.payload.as_str(), |it| it.payload.as_str());
            let answer = self.graph.send(delivery, payload, sender).await;
            request.end(&answer);
            answer
        };
        crash_point("delivery.called");
        let failure = match answer {
            Ok(wa_message_id) => {
                if sender.suspended.is_some() {
                    self.was_taken(delivery, sender).await;
                }
                return Verdict::Sent { wa_message_id };
            }
            Err(failure) => failure,
        };
        let used = at_meta.map(|it| it.used).unwrap_or_default();
        if self.media.were_gone(&number(delivery, sender), &used, &failure).await {
            // Meta has forgotten a file of the message, not refused the message.
            let failure = Failure { class: Class::Transient, ..failure };
            return self.judge(delivery, sender, failure).await;
        }
        self.judge(delivery, sender, failure).await
    }

    /// The message with Meta's ids of its files, when it names any by our handles.
    async fn at_meta(&self, delivery: &Delivery, sender: &Sender) -> Result<Option<AtMeta>, Failure> {
        if sender.is_mock() {
            return Ok(None);
        }
        self.media.at_meta(&number(delivery, sender), &delivery.payload).await
    }

    /// What becomes of a message that Meta does not have.
    async fn judge(&self, delivery: &Delivery, sender: &Sender, failure: Failure) -> Verdict {
        let now = self.store.ambient.now();
        let (tenant, message, attempt) = (delivery.lease.lane.tenant_id, delivery.message_id, delivery.attempt);
        tracing::warn!(%tenant, %message, attempt, class = failure.class.as_str(), code = failure.code,
            reason = failure.message, "Meta did not take a message");
        match failure.class {
            Class::SuspendChannel => self.suspend_channel(delivery, sender, &failure.message).await,
            Class::SuspendTemplate => self.suspend_template(delivery, sender, &failure.message, now).await,
            _ => {}
        }
        let chance = |below| self.store.ambient.below(below);
        let mut verdict = verdict::of(&failure, (attempt, self.most(delivery)), self.settings.doubt, now, chance);
        match (failure.class, &mut verdict) {
            (Class::PauseNumber, Verdict::Postponed { at, .. }) => {
                *at = self.pace.number_rests(delivery, sender, now).await;
            }
            (Class::PausePair, _) => self.pace.pair_rests(delivery, sender, now + verdict::pair_rest(attempt)).await,
            _ => {}
        }
        verdict
    }

    /// Writes the verdict down, however long the database is away within the lease: an acceptance that is not written
    /// down costs the wait for a status. `None`: it could not be written down.
    async fn settle(&self, settlement: &Arc<Settlement>) -> Option<Settled> {
        let tenant = settlement.lease.lane.tenant_id;
        let message = settlement.message_id;
        let tries = self.settings.lease.num_seconds().max(1);
        for _ in 0..tries {
            match self.settlements.write(settlement.clone()).await {
                Ok(Settled::Lost) => {
                    metrics().lanes_lost.of(labels::Stage::Delivery).inc();
                    tracing::warn!(%tenant, %message, "the lane was taken over by another owner");
                    return Some(Settled::Lost);
                }
                Ok(settled) => {
                    tracing::debug!(%tenant, %message, verdict = ?settlement.verdict, ?settled, "message settled");
                    return Some(settled);
                }
                Err(error) if error.is_passing() => {
                    tracing::warn!(%tenant, %message, %error, "could not write a verdict down; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => {
                    tracing::error!(%tenant, %message, %error, "a verdict was refused by the database");
                    return None;
                }
            }
        }
        None
    }
}
