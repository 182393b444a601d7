//! A writer's round: what is in the queue is gathered and committed.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use hoopoe_telemetry::metrics::WriterMeters;
use tokio::sync::{Mutex, SemaphorePermit, mpsc};

use super::{Entry, Linger, Sizes, Turns, Write};
use crate::error::{Error, Fault, is_away};

/// How often a batch is tried again when the database asks for it (deadlock, serialisation).
const RETRIES: u32 = 5;

/// Waits for an item and for the turn; gives everything that has come by then, as far as a batch goes. `last` is when the
/// writer wrote last. `None` when nobody is left who could submit.
pub(super) async fn gather<'a, T, R>(
    waiting: &Mutex<mpsc::Receiver<Entry<T, R>>>,
    sizes: Sizes,
    turns: &'a Turns,
    last: Option<Instant>,
) -> Option<(Vec<Entry<T, R>>, SemaphorePermit<'a>)> {
    let most = sizes.batch;
    let mut waiting = waiting.lock().await;
    let mut batch = vec![waiting.recv().await?];
    let rested = |linger: &Linger| last.is_none_or(|last| last.elapsed() >= linger.rest);
    if let Some(linger) = sizes.linger.filter(|linger| !rested(linger)) {
        let end = tokio::time::Instant::now() + linger.time;
        while batch.len() < linger.items.min(most) {
            let room = most - batch.len();
            match tokio::time::timeout_at(end, waiting.recv_many(&mut batch, room)).await {
                Ok(1..) => {}
                // The time is up, or nobody is left.
                Ok(0) | Err(_) => break,
            }
        }
    }
    // Never closed.
    let turn = turns.right.acquire().await.ok()?;
    while batch.len() < most
        && let Ok(entry) = waiting.try_recv()
    {
        batch.push(entry);
    }
    Some((batch, turn))
}

/// Commits the batch, or, when a row of it is bad, its halves one after the other, so that order is kept. Gives why there
/// is no server, when there is none, or none that answers.
pub(super) fn commit<'a, T, R>(
    write: &'a Write<T, R>,
    meters: &'a WriterMeters,
    mut batch: Vec<Entry<T, R>>,
) -> BoxFuture<'a, Option<Arc<sqlx::Error>>>
where
    T: Debug + Send + Sync + 'static,
    R: Send + 'static,
{
    Box::pin(async move {
        match attempt(write, meters, &batch).await {
            Ok(results) => {
                for (entry, result) in batch.into_iter().zip(results) {
                    // A caller that has gone away has lost its answer, not its item.
                    let _ = entry.answer.send(Ok(result));
                }
                None
            }
            Err(error) if Fault::of(&error) == Fault::Data && batch.len() > 1 => {
                meters.bisections.inc();
                let second = batch.split_off(batch.len() / 2);
                commit(write, meters, batch).await;
                commit(write, meters, second).await
            }
            Err(error) => {
                let error = Arc::new(error);
                fail(batch, &error);
                (is_away(&error) || matches!(*error, sqlx::Error::PoolTimedOut)).then_some(error)
            }
        }
    })
}

/// Where no server answers, those who wait hear it as well: each batch would wait for one anew.
pub(super) fn fail_waiting<T, R>(waiting: &Mutex<mpsc::Receiver<Entry<T, R>>>, error: &Arc<sqlx::Error>) {
    // Who else has it gathers for a try of its own.
    let Ok(mut waiting) = waiting.try_lock() else { return };
    let entries = (0..waiting.len()).map_while(|_| waiting.try_recv().ok()).collect();
    fail(entries, error);
}

fn fail<T, R>(entries: Vec<Entry<T, R>>, error: &Arc<sqlx::Error>) {
    for entry in entries {
        let _ = entry.answer.send(Err(Error::from(error.clone())));
    }
}

async fn attempt<T, R>(
    write: &Write<T, R>,
    meters: &WriterMeters,
    batch: &[Entry<T, R>],
) -> Result<Vec<R>, sqlx::Error> {
    let mut tries = 0;
    let start = Instant::now();
    loop {
        match write(batch.iter().map(|entry| entry.item.clone()).collect()).await {
            Err(error) if Fault::of(&error) == Fault::Conflict && tries < RETRIES => {
                meters.conflicts.inc();
                tries += 1;
            }
            Ok(results) => {
                meters.committed(batch.len(), start.elapsed());
                return Ok(results);
            }
            failed => return failed,
        }
    }
}
