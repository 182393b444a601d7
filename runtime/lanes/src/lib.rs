//! The loop that drives a stage: take what is born here, claim what waits, work on each in a task of its own.
//!
//! In: a [`Stage`] that knows how to claim and how to work, and a [`Gate`] through which work that is owned from birth
//! enters. Out: nothing; the work commits its own results. What can fail: the database, also by saying nothing, and
//! then the loop slows down and tries again; and the work, which then lets its lease run out, so that another claim
//! takes the lane.

mod gate;
mod leases;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hoopoe_store::ambient::Ambient;
use hoopoe_store::lanes::Lease;
use hoopoe_store::silence::{self, answered};
use hoopoe_telemetry::metrics::LaneMeters;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use crate::gate::{Admission, Gate, Permit};
use crate::leases::Leases;

/// Pieces of work that one claim, or one adoption, takes at the most.
const AT_ONCE: usize = 256;
/// Births that are adopted at once, whatever the pace.
const ENOUGH: usize = 32;
/// Nothing is looked for again sooner, when there was nothing.
const SOONEST: Duration = Duration::from_millis(1);
/// What others have to do later is looked for after so long, while what is ready is of tenants that have their share.
const PASSED_OVER: Duration = Duration::from_secs(5);
/// How long to wait after the database failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// A stage that is full gathers freed places for so long before it claims again: one claim for many places.
const GATHER: Duration = Duration::from_millis(2);

/// One stage of a message's way.
pub trait Stage: Send + Sync + 'static {
    /// One piece of work: an owned lane, for example.
    type Work: Send + 'static;
    /// Work as it enters through the gate.
    type Born: Send + 'static;
    /// In logs.
    const NAME: &'static str;
    /// Adoptions of a few are so far apart: while little is going on, most of what they cost is their statements, and
    /// those of all that follows. Whoever comes after a rest is adopted at once.
    const PACE: Duration = Duration::ZERO;
    /// How long an answer of the database is waited for. What was claimed without one is claimed again after its lease.
    const SILENCE: Duration = silence::SILENCE;

    /// Claims work that waits in the database.
    fn claim(&self, ask: Ask) -> impl Future<Output = Result<Vec<Self::Work>, hoopoe_store::Error>> + Send;

    /// Makes work of what was born here; as many pieces, in the same order.
    fn adopt(&self, born: Vec<Self::Born>)
    -> impl Future<Output = Result<Vec<Self::Work>, hoopoe_store::Error>> + Send;

    /// When the next work is ready, if any waits.
    fn next(&self) -> impl Future<Output = Result<Option<DateTime<Utc>>, hoopoe_store::Error>> + Send;

    /// Does one piece of work and commits the result.
    fn work(&self, work: Self::Work) -> impl Future<Output = ()> + Send;

    /// Told when work was added that nobody owns.
    fn wake(&self) -> &Notify;

    /// Whose work it is.
    fn tenant(work: &Self::Work) -> Uuid;

    /// The lease to put off while the work goes on, if it has one.
    fn lease(_work: &Self::Work) -> Option<Lease> {
        None
    }

    /// Puts off these leases.
    fn extend(&self, _leases: &[Lease]) -> impl Future<Output = Result<(), hoopoe_store::Error>> + Send {
        async { Ok(()) }
    }
}

/// What a claim may take.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Pieces at the most.
    pub limit: usize,
    /// Tenants that have their share already.
    pub full: Vec<Uuid>,
}

/// How the loop behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Longest time between two looks at the database, for work that other processes add.
    pub poll: Duration,
    /// How long a lease lasts without a heartbeat.
    pub lease: Duration,
    /// How long work may go on with its lane.
    pub deadline: Duration,
}

/// Drives `stage` until `stop`, then finishes what is under way. The caller bounds that. A gate drives one stage.
pub async fn drive<S: Stage>(
    stage: Arc<S>,
    gate: Gate<S::Born>,
    options: Options,
    ambient: Ambient,
    stop: CancellationToken,
) {
    let meters = LaneMeters::named(S::NAME);
    let Some(mut births) = gate.open(&meters) else {
        tracing::error!(stage = S::NAME, "the gate has a stage already");
        return;
    };
    let slots = gate.slots().clone();
    let crew = Crew { stage: stage.clone(), running: TaskTracker::new(), leases: Leases::default(), meters };
    let crew = Arc::new(crew);
    let rest = CancellationToken::new();
    let failed = crew.meters.heartbeats_failed.clone();
    let heart = leases::beat(stage.clone(), crew.leases.clone(), options.lease, options.deadline, failed, rest.clone());
    let heart = tokio::spawn(heart);
    let mut look: Option<JoinHandle<Duration>> = None;
    let (mut next, mut adopted) = (Instant::now(), Instant::now());
    while !stop.is_cancelled() {
        let mut entered = Vec::new();
        let is_free = look.is_none();
        // A look goes on beside this loop: who is born here does not wait for what waits elsewhere, nor the other way round.
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            pause = ended(&mut look) => {
                next = Instant::now() + pause;
                continue;
            }
            () = stage.wake().notified(), if is_free => Duration::ZERO,
            () = slots.freed(), if is_free => GATHER,
            () = tokio::time::sleep_until(next), if is_free => Duration::ZERO,
            _ = births.recv_many(&mut entered, AT_ONCE) => {
                gather(&mut births, &mut entered, adopted + S::PACE).await;
                adopted = Instant::now();
                crew.adopt(entered).await;
                continue;
            }
        };
        let (crew, slots, ambient, stop) = (crew.clone(), slots.clone(), ambient.clone(), stop.clone());
        look = Some(tokio::spawn(async move {
            tokio::time::sleep(first).await;
            if stop.is_cancelled() {
                return Duration::ZERO;
            }
            crew.look(&slots, &ambient, options.poll, &stop).await
        }));
    }
    if let Some(look) = look {
        // What it claims is begun.
        let _ = look.await;
    }
    slots.close();
    finish(&crew, &slots, births).await;
    rest.cancel();
    let _ = heart.await;
}

/// The end of the look that is under way, and how long to wait for the next one; never, when none is.
async fn ended(look: &mut Option<JoinHandle<Duration>>) -> Duration {
    let Some(handle) = look else { return std::future::pending().await };
    let pause = handle.await;
    *look = None;
    pause.unwrap_or(AFTER_FAULT)
}

/// What else is born until `end`, as far as it is not enough before.
async fn gather<B>(births: &mut mpsc::UnboundedReceiver<B>, entered: &mut Vec<B>, end: Instant) {
    while entered.len() < ENOUGH {
        let room = AT_ONCE - entered.len();
        match tokio::time::timeout_at(end, births.recv_many(entered, room)).await {
            Ok(1..) => {}
            // The time is up, or nobody is left.
            Ok(0) | Err(_) => return,
        }
    }
}

/// Takes what was admitted before the gate closed, and waits for everything under way.
async fn finish<S: Stage>(crew: &Crew<S>, slots: &gate::Slots, mut births: mpsc::UnboundedReceiver<(S::Born, Permit)>) {
    while !slots.is_idle() {
        let mut entered = Vec::new();
        tokio::select! {
            _ = births.recv_many(&mut entered, AT_ONCE) => crew.adopt(entered).await,
            () = slots.freed() => {}
        }
    }
    crew.running.close();
    crew.running.wait().await;
}

/// What a claim found.
enum Turn {
    Empty {
        /// Tenants that have their share were passed over.
        passed: bool,
    },
    Some,
    /// As much as was asked for: there may be more.
    Full,
    /// Nothing could be asked for.
    NoRoom,
}

/// Those who work on a stage's lanes.
struct Crew<S> {
    stage: Arc<S>,
    running: TaskTracker,
    leases: Leases,
    meters: LaneMeters,
}

impl<S: Stage> Crew<S> {
    /// Claims, and tells how long to wait before the next time.
    async fn look(
        &self,
        slots: &Arc<gate::Slots>,
        ambient: &Ambient,
        poll: Duration,
        stop: &CancellationToken,
    ) -> Duration {
        match self.claim(slots).await {
            Ok(Turn::Empty { passed }) => {
                let pause = until_next(&*self.stage, ambient, poll).await;
                if passed && pause <= SOONEST {
                    // It is ready, of a tenant that has its share: looked for when a place is free again.
                    slots.left_behind();
                    return poll.min(PASSED_OVER);
                }
                pause
            }
            // While there is work the next look is near anyway; asking each time would cost a query per wake-up.
            Ok(Turn::Some | Turn::NoRoom) => poll,
            Ok(Turn::Full) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(stage = S::NAME, %error, "could not claim work; trying again");
                let _ = stop.run_until_cancelled(tokio::time::sleep(AFTER_FAULT)).await;
                Duration::ZERO
            }
        }
    }

    /// What is born meanwhile may take the room that is asked for: then there is more at work for a while than there shall
    /// be, by a claim at the most.
    async fn claim(&self, slots: &Arc<gate::Slots>) -> Result<Turn, hoopoe_store::Error> {
        let Some((room, full)) = slots.room() else { return Ok(Turn::NoRoom) };
        let limit = room.min(AT_ONCE);
        let claimed = answered(S::SILENCE, self.stage.claim(Ask { limit, full: full.clone() })).await?;
        let turn = match claimed.len() {
            0 => Turn::Empty { passed: !full.is_empty() },
            found if found < limit => Turn::Some,
            _ => Turn::Full,
        };
        slots.claimed(&full, matches!(turn, Turn::Full));
        self.meters.claimed.inc_by(claimed.len() as u64);
        for work in claimed {
            let permit = slots.take(S::tenant(&work));
            self.start(work, permit);
        }
        Ok(turn)
    }

    async fn adopt(&self, entered: Vec<(S::Born, Permit)>) {
        let (born, permits): (Vec<_>, Vec<_>) = entered.into_iter().unzip();
        self.meters.born.inc_by(permits.len() as u64);
        match answered(S::SILENCE, self.stage.adopt(born)).await {
            Ok(work) => work.into_iter().zip(permits).for_each(|(work, permit)| self.start(work, permit)),
            // Their leases run out, and a claim takes them.
            Err(error) => tracing::warn!(stage = S::NAME, %error, "could not begin work at once; it is begun later"),
        }
    }

    fn start(&self, work: S::Work, permit: Permit) {
        let stage = self.stage.clone();
        let held = self.leases.hold(S::lease(&work));
        let working = self.meters.work();
        self.running.spawn(async move {
            stage.work(work).await;
            drop(held);
            drop(working);
            drop(permit);
        });
    }
}

/// The time until the next work is ready, at the most `poll`.
async fn until_next<S: Stage>(stage: &S, ambient: &Ambient, poll: Duration) -> Duration {
    match answered(S::SILENCE, stage.next()).await {
        Ok(Some(at)) => (at - ambient.now()).to_std().unwrap_or_default().clamp(SOONEST, poll),
        Ok(None) | Err(_) => poll,
    }
}
