//! Keeps the queue's tables small, however much goes through them.

use std::time::Duration;

use hoopoe_store::{Error, Store};
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// The same while a transaction is open for long that may still see what is gone: cleaning up would do nothing.
const SELDOM: Duration = Duration::from_secs(300);
/// Rows that are gone for which it is worth while: some megabytes.
const WORTH: i64 = 20_000;

/// Looks until `stop`.
pub(crate) async fn run(store: Store, stop: CancellationToken) -> Result<(), String> {
    let mut pause = EVERY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = match stop.run_until_cancelled(look(&store)).await {
            Some(Ok(true)) | None => EVERY,
            Some(Ok(false)) => SELDOM.min(pause * 2),
            Some(Err(error)) => {
                tracing::warn!(%error, "the queue's tables cannot be cleaned up now");
                SELDOM.min(pause * 2)
            }
        };
    }
}

/// Whether most of what is gone could be removed, if there was something.
async fn look(store: &Store) -> Result<bool, Error> {
    let dead = store.dead_rows().await?;
    if dead < WORTH {
        return Ok(true);
    }
    store.clean_up().await?;
    Ok(store.dead_rows().await? < dead / 2)
}
