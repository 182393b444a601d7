//! Group commit: whatever waits when a writer becomes free goes into one transaction, so concurrent callers share
//! its statements and its flush. Where somebody waits for the answer there is no linger: a lone item is written at once.
//! Elsewhere a group may gather for some milliseconds first ([`Linger`]): while little is going on, most of the cost of a
//! message is the transactions that it has for itself.
//!
//! Groups take [`Turns`]: while one writes, what the others will write gathers. So the busier the database, the larger
//! the batches, and the fewer statements and flushes a message costs.
//!
//! In: items, one caller each. Out: each item's own result. What can fail: a full queue (the caller sheds load), the
//! database being away or silent (all that wait fail at once), and a bad row, which is found by bisection and fails
//! alone.
//!
//! What became of a write whose answer is missing is unknown; it may even happen after its repeat. So whatever goes
//! through groups can be written again: items of webhooks are known by Meta's ids, sends by their idempotency keys
//! (without a key who repeats a send sends twice, as after any answer that is lost), and runs, settlements, outcomes of
//! notices and answers of calls are fenced by leases.

pub mod shares;
mod writer;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hoopoe_telemetry::metrics::WriterMeters;
use hoopoe_telemetry::metrics::labels::Writer;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

use self::writer::{commit, fail_waiting, gather};
use crate::error::Error;
use crate::silence::{SILENCE, answered};

/// Time between two tries of an outcome.
const PAUSE: Duration = Duration::from_secs(1);

/// A queue in front of one transaction at a time per writer.
pub struct GroupCommit<T, R> {
    queue: mpsc::Sender<Entry<T, R>>,
    meters: WriterMeters,
}

impl<T, R> Clone for GroupCommit<T, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), meters: self.meters.clone() }
    }
}

struct Entry<T, R> {
    item: Arc<T>,
    answer: oneshot::Sender<Result<R, Error>>,
}

/// Sizes of a [`GroupCommit`].
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Items that one transaction takes at the most.
    pub batch: usize,
    /// Items that may wait; one more is refused with [`Error::Overloaded`].
    pub queue: usize,
    /// Transactions at the same time. With one, items are written in the order of their submission.
    pub writers: usize,
    /// For items that nobody waits for.
    pub linger: Option<Linger>,
}

/// How a group gathers.
#[derive(Debug, Clone, Copy)]
pub struct Linger {
    /// No longer than this after the first item.
    pub time: Duration,
    /// Enough to begin at once.
    pub items: usize,
    /// Whoever comes after so long a rest of the group is written at once: nobody else is likely to come.
    pub rest: Duration,
}

/// The right to write, shared by several groups; first come, first served. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Turns {
    right: Arc<Semaphore>,
    /// How long a write may be without an answer.
    silence: Duration,
}

impl Turns {
    /// For `writers` transactions at the same time, over all groups.
    pub fn new(writers: usize) -> Self {
        Self { right: Arc::new(Semaphore::new(writers.max(1))), silence: SILENCE }
    }

    /// A write of theirs fails after so long without an answer, instead of after [`SILENCE`].
    pub fn bounded(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }
}

type Write<T, R> = Arc<dyn Fn(Vec<Arc<T>>) -> BoxFuture<'static, Result<Vec<R>, sqlx::Error>> + Send + Sync>;

impl<T, R> GroupCommit<T, R>
where
    T: Debug + Send + Sync + 'static,
    R: Send + 'static,
{
    /// Starts the writers; they end when the last clone is dropped. `name` is theirs in metrics. `write` commits its
    /// items in one transaction and gives one result for each, in their order; without an answer in time it is dropped.
    pub fn start<W>(name: Writer, sizes: Sizes, turns: &Turns, write: W) -> Self
    where
        W: Fn(Vec<Arc<T>>) -> BoxFuture<'static, Result<Vec<R>, sqlx::Error>> + Send + Sync + 'static,
    {
        let (queue, waiting) = mpsc::channel(sizes.queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let silence = turns.silence;
        let write: Write<T, R> = Arc::new(move |items: Vec<Arc<T>>| answered(silence, write(items)).boxed());
        let meters = WriterMeters::of(name);
        for _ in 0..sizes.writers {
            let (waiting, write, meters, turns) = (waiting.clone(), write.clone(), meters.clone(), turns.clone());
            tokio::spawn(async move {
                let mut last = None;
                while let Some((batch, turn)) = gather(&waiting, sizes, &turns, last).await {
                    let away = commit(&write, &meters, batch).await;
                    drop(turn);
                    if let Some(error) = away {
                        fail_waiting(&waiting, &error);
                    }
                    last = Some(Instant::now());
                }
            });
        }
        Self { queue, meters }
    }

    /// Submits one item without waiting for room; the answer comes after the commit.
    pub fn submit(&self, item: impl Into<Arc<T>>) -> Result<Answer<R>, Error> {
        let (answer, receiver) = oneshot::channel();
        match self.queue.try_send(Entry { item: item.into(), answer }) {
            Ok(()) => Ok(Answer(receiver)),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.meters.shed.inc();
                Err(Error::Overloaded)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Stopped),
        }
    }

    /// Submits one item and waits for its commit; waits for room when the queue is full.
    pub async fn write(&self, item: impl Into<Arc<T>>) -> Result<R, Error> {
        let (answer, receiver) = oneshot::channel();
        self.queue.send(Entry { item: item.into(), answer }).await.map_err(|_| Error::Stopped)?;
        Answer(receiver).committed().await
    }

    /// As [`GroupCommit::write`], for the outcome of work that is done again when it is not written down: tried again
    /// each second until `until`, while it can succeed later. `failed` is told of each failure that is followed by
    /// another try.
    pub async fn write_until(&self, item: Arc<T>, until: Instant, failed: impl Fn(&Error)) -> Result<R, Error> {
        loop {
            match self.write(item.clone()).await {
                Err(error) if error.is_passing() && Instant::now() + PAUSE < until => {
                    failed(&error);
                    tokio::time::sleep(PAUSE).await;
                }
                result => return result,
            }
        }
    }
}

/// The result of one item, to come.
pub struct Answer<R>(oneshot::Receiver<Result<R, Error>>);

impl<R> Answer<R> {
    /// Waits for the commit of the item.
    pub async fn committed(self) -> Result<R, Error> {
        self.0.await.unwrap_or(Err(Error::Stopped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_error() -> sqlx::Error {
        sqlx::Error::Encode("a bad row".into())
    }

    #[tokio::test]
    async fn a_bad_row_fails_alone_and_order_is_kept() {
        let written = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = written.clone();
        let group = GroupCommit::start(
            Writer::Journal,
            Sizes { batch: 64, queue: 64, writers: 1, linger: None },
            &Turns::new(1),
            move |items: Vec<Arc<u32>>| {
                let log = log.clone();
                Box::pin(async move {
                    if items.iter().any(|item| **item == 13) {
                        return Err(decode_error());
                    }
                    log.lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .extend(items.iter().map(|item| **item));
                    Ok(items.iter().map(|item| **item * 2).collect())
                })
            },
        );
        let answers: Vec<_> = (0..40).map(|n| group.submit(n).expect("room")).collect();
        for (n, answer) in (0u32..).zip(answers) {
            match answer.committed().await {
                Ok(double) => assert_eq!(double, n * 2),
                Err(error) => assert!(n == 13, "{n}: {error}"),
            }
        }
        let expected: Vec<u32> = (0..40).filter(|n| *n != 13).collect();
        assert_eq!(*written.lock().expect("not poisoned"), expected);
    }

    #[tokio::test]
    async fn a_group_that_lingers_ends_its_wait_with_enough_items_or_with_its_time() {
        let linger = Linger { time: Duration::from_millis(500), items: 8, rest: Duration::from_secs(60) };
        let batches = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = batches.clone();
        let group = GroupCommit::start(
            Writer::Statuses,
            Sizes { batch: 64, queue: 64, writers: 1, linger: Some(linger) },
            &Turns::new(1),
            move |items: Vec<Arc<u32>>| {
                log.lock().expect("not poisoned").push(items.len());
                Box::pin(async move { Ok(vec![(); items.len()]) })
            },
        );
        // The first comes after a rest.
        for (items, waits) in [(1, false), (3, true), (8, false), (20, false)] {
            let start = Instant::now();
            let answers: Vec<_> = (0..items).map(|n| group.submit(n).expect("room")).collect();
            for answer in answers {
                answer.committed().await.expect("it is written");
            }
            assert_eq!(start.elapsed() >= linger.time, waits, "{items}");
        }
        assert_eq!(*batches.lock().expect("not poisoned"), [1, 3, 8, 20]);
    }

    #[tokio::test]
    async fn where_there_is_no_server_all_that_wait_hear_it_with_the_first() {
        let tries = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = tries.clone();
        let group = GroupCommit::<u32, ()>::start(
            Writer::Journal,
            Sizes { batch: 2, queue: 64, writers: 1, linger: None },
            &Turns::new(1),
            move |_| {
                counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Box::pin(async {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Err(sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()))
                })
            },
        );
        let answers: Vec<_> = (0..20).map(|n| group.submit(n).expect("room")).collect();
        for answer in answers {
            assert!(matches!(answer.committed().await, Err(Error::Unavailable(_))));
        }
        assert_eq!(tries.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let group = GroupCommit::<u32, ()>::start(
            Writer::Journal,
            Sizes { batch: 1, queue: 2, writers: 1, linger: None },
            &Turns::new(1),
            |_| Box::pin(std::future::pending()),
        );
        let _waiting = (group.submit(1).expect("room"), group.submit(2).expect("room"));
        assert!(matches!(group.submit(3), Err(Error::Overloaded)));
    }
}
