//! What is kept for a time only goes when its time is over.

use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_store::Store;
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Runs that one statement removes, so that no lock is held for long.
const BATCH: i64 = 5_000;

/// Removes runs older than `keep`, until `stop`.
pub(crate) async fn run(store: Store, keep: TimeDelta, stop: CancellationToken) -> Result<(), String> {
    loop {
        let before = store.ambient.now() - keep;
        loop {
            match store.delete_runs_before(before, BATCH).await {
                Ok(removed) if removed >= BATCH as u64 => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "old runs cannot be removed now");
                    break;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
