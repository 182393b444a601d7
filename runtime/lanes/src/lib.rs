//! The loop that drives a stage: claim lanes that are ready, work on each in a task of its own, wait for more.
//!
//! In: a [`Stage`] that knows how to claim and how to work. Out: nothing; the work commits its own results. What can
//! fail: the database, in which case the loop slows down and tries again; and the work, which then lets its lease run
//! out, so that another claim takes the lane.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hoopoe_store::ambient::Ambient;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Lanes that one claim takes at the most.
const CLAIM: usize = 128;
/// How long to wait after the database failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// One stage of a message's way.
pub trait Stage: Send + Sync + 'static {
    /// One claimed lane.
    type Work: Send + 'static;
    /// In logs.
    const NAME: &'static str;

    /// Claims up to `limit` lanes.
    fn claim(&self, limit: usize) -> impl Future<Output = Result<Vec<Self::Work>, hoopoe_store::Error>> + Send;

    /// When the next lane is ready, if one waits.
    fn next(&self) -> impl Future<Output = Result<Option<DateTime<Utc>>, hoopoe_store::Error>> + Send;

    /// Works on one lane and commits the result.
    fn work(&self, work: Self::Work) -> impl Future<Output = ()> + Send;

    /// Told when work was added in this process.
    fn wake(&self) -> &Notify;
}

/// How the loop behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Lanes worked on at the same time.
    pub concurrency: usize,
    /// Longest time between two looks at the database, for work that other processes add.
    pub poll: Duration,
}

/// Drives `stage` until `stop`, then waits for what runs. The caller bounds that wait.
pub async fn drive<S: Stage>(stage: Arc<S>, options: Options, ambient: Ambient, stop: CancellationToken) {
    let free = Arc::new(Semaphore::new(options.concurrency));
    let running = TaskTracker::new();
    while !stop.is_cancelled() {
        let turn = match turn(&stage, &free, &running).await {
            Ok(turn) => turn,
            Err(error) => {
                tracing::warn!(stage = S::NAME, %error, "could not claim work; trying again");
                wait(&stop, tokio::time::sleep(AFTER_FAULT)).await;
                continue;
            }
        };
        if turn != Turn::Full {
            // While there is work the next look is near anyway; asking each time would cost a query per wake-up.
            let pause = match turn {
                Turn::Empty => pause(&*stage, &ambient, options.poll).await,
                _ => options.poll,
            };
            wait(&stop, async {
                tokio::select! {
                    () = stage.wake().notified() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            })
            .await;
        }
    }
    running.close();
    running.wait().await;
}

/// What a claim found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Empty,
    Some,
    /// As much as was asked for: there may be more.
    Full,
}

/// Claims once.
async fn turn<S: Stage>(
    stage: &Arc<S>,
    free: &Arc<Semaphore>,
    running: &TaskTracker,
) -> Result<Turn, hoopoe_store::Error> {
    // The semaphore is never closed.
    let Ok(first) = free.clone().acquire_owned().await else { return Ok(Turn::Empty) };
    let mut permits = vec![first];
    while permits.len() < CLAIM
        && let Ok(permit) = free.clone().try_acquire_owned()
    {
        permits.push(permit);
    }
    let claimed = stage.claim(permits.len()).await?;
    let turn = match claimed.len() {
        0 => Turn::Empty,
        found if found < permits.len() => Turn::Some,
        _ => Turn::Full,
    };
    for (work, permit) in claimed.into_iter().zip(permits) {
        let stage = stage.clone();
        running.spawn(async move {
            stage.work(work).await;
            drop(permit);
        });
    }
    Ok(turn)
}

/// The time until the next lane is ready, at the most `poll`.
async fn pause<S: Stage>(stage: &S, ambient: &Ambient, poll: Duration) -> Duration {
    match stage.next().await {
        Ok(Some(at)) => (at - ambient.now()).to_std().unwrap_or_default().clamp(Duration::from_millis(1), poll),
        Ok(None) | Err(_) => poll,
    }
}

async fn wait(stop: &CancellationToken, until: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = until => {}
    }
}
