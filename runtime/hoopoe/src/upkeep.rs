//! Keeps the queue's tables small, however much goes through them, and the plans fit for the history's tables.

use std::time::Duration;

use hoopoe_store::{Error, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Between two tries at the most, when cleaning up does nothing.
const SELDOM: Duration = Duration::from_secs(300);
/// Rows that are gone for which it is worth while: some megabytes.
const WORTH: i64 = 20_000;

/// What keeps the queue's tables from being cleaned up.
#[derive(Debug)]
enum Kept {
    Nothing,
    /// A transaction, open for long, that may still see the state of this number ([`Store::oldest_seen`]). It may be that
    /// it does not count, as one that cleans another table up: tried again at `until`.
    Seen {
        state: String,
        until: Instant,
    },
    /// Nobody knows what. Tried again at `until`.
    Unknown {
        pause: Duration,
        until: Instant,
    },
}

impl Kept {
    fn unknown(before: &Self) -> Self {
        let pause = if let Self::Unknown { pause, .. } = before { *pause * 2 } else { EVERY * 2 };
        let pause = pause.min(SELDOM);
        Self::Unknown { pause, until: Instant::now() + pause }
    }

    async fn is_over(&self, store: &Store) -> Result<bool, Error> {
        Ok(match self {
            Self::Nothing => true,
            Self::Seen { state, until } => {
                *until <= Instant::now() || store.oldest_seen().await?.as_ref() != Some(state)
            }
            Self::Unknown { until, .. } => *until <= Instant::now(),
        })
    }
}

/// Looks until `stop`.
pub(crate) async fn run(store: Store, stop: CancellationToken) -> Result<(), String> {
    let work = async {
        let mut kept = Kept::Nothing;
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = plan(&store).await {
                tracing::warn!(%error, "statements cannot be planned anew now");
            }
            kept = match clean_up(&store, &kept).await {
                Ok(Some(now)) => now,
                Ok(None) => kept,
                Err(error) => {
                    tracing::warn!(%error, "the queue's tables cannot be cleaned up now");
                    Kept::unknown(&kept)
                }
            };
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

/// Cleans up what is gone, if it is worth while and what kept it from that is over. `None`: it is not over.
async fn clean_up(store: &Store, kept: &Kept) -> Result<Option<Kept>, Error> {
    if !kept.is_over(store).await? {
        return Ok(None);
    }
    let dead = store.dead_rows().await?;
    if dead < WORTH {
        return Ok(Some(Kept::Nothing));
    }
    let seen = store.oldest_seen().await?;
    store.clean_up().await?;
    if store.dead_rows().await? < dead / 2 {
        return Ok(Some(Kept::Nothing));
    }
    // Short transactions come and go meanwhile.
    Ok(Some(match seen {
        Some(state) if store.oldest_seen().await?.as_ref() == Some(&state) => {
            Kept::Seen { state, until: Instant::now() + SELDOM }
        }
        _ => Kept::unknown(kept),
    }))
}

#[cfg(test)]
mod tests;
