//! Keeps the queue's tables small, however much goes through them, and the plans fit for the history's tables.

use std::time::Duration;

use hoopoe_store::{Error, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Between two looks at what is gone while a transaction is open for long that may still see it: cleaning up would do
/// nothing.
const SELDOM: Duration = Duration::from_secs(300);
/// Rows that are gone for which it is worth while: some megabytes.
const WORTH: i64 = 20_000;

/// Looks until `stop`.
pub(crate) async fn run(store: Store, stop: CancellationToken) -> Result<(), String> {
    let work = async {
        let (mut pause, mut next) = (EVERY, Instant::now());
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = plan(&store).await {
                tracing::warn!(%error, "statements cannot be planned anew now");
            }
            if Instant::now() < next {
                continue;
            }
            pause = match clean_up(&store).await {
                Ok(true) => EVERY,
                Ok(false) => SELDOM.min(pause * 2),
                Err(error) => {
                    tracing::warn!(%error, "the queue's tables cannot be cleaned up now");
                    SELDOM.min(pause * 2)
                }
            };
            next = Instant::now() + pause - EVERY;
        }
    };
    stop.run_until_cancelled(work).await;
    Ok(())
}

async fn plan(store: &Store) -> Result<(), Error> {
    if store.plans_are_outgrown().await? {
        store.plan_anew().await?;
    }
    Ok(())
}

/// Whether most of what is gone could be removed, if there was something.
async fn clean_up(store: &Store) -> Result<bool, Error> {
    let dead = store.dead_rows().await?;
    if dead < WORTH {
        return Ok(true);
    }
    store.clean_up().await?;
    Ok(store.dead_rows().await? < dead / 2)
}
