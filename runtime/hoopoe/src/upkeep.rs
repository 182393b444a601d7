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
/// The same where all work stops for it.
const WORTH_A_STOP: i64 = 50_000;

/// What kept the queue's tables from being cleaned up and from being filled anew, the last time.
#[derive(Debug, Default)]
struct Before {
    kept: Kept,
    rewrite: Option<Later>,
}

/// What keeps the queue's tables from being cleaned up.
#[derive(Debug, Default)]
enum Kept {
    #[default]
    Nothing,
    /// A transaction, open for long, that may still see the state of this number ([`Store::oldest_seen`]). It may be that
    /// it does not count, as one that cleans another table up: tried again at `until`.
    Seen { state: String, until: Instant },
    /// Nobody knows what.
    Unknown(Later),
}

impl Kept {
    fn unknown(before: &Self) -> Self {
        Self::Unknown(Later::after(if let Self::Unknown(later) = before { Some(*later) } else { None }))
    }

    async fn is_over(&self, store: &Store) -> Result<bool, Error> {
        Ok(match self {
            Self::Nothing => true,
            Self::Seen { state, until } => {
                *until <= Instant::now() || store.oldest_seen().await?.as_ref() != Some(state)
            }
            Self::Unknown(later) => later.is_due(),
        })
    }
}

/// When to try again what did nothing: each time twice as late.
#[derive(Debug, Clone, Copy)]
struct Later {
    pause: Duration,
    until: Instant,
}

impl Later {
    fn after(before: Option<Self>) -> Self {
        let pause = before.map_or(EVERY * 2, |before| before.pause * 2).min(SELDOM);
        Self { pause, until: Instant::now() + pause }
    }

    fn is_due(self) -> bool {
        self.until <= Instant::now()
    }
}

/// Looks until `stop`.
pub(crate) async fn run(store: Store, stop: CancellationToken) -> Result<(), String> {
    let work = async {
        let mut before = Before::default();
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = plan(&store).await {
                tracing::warn!(%error, "statements cannot be planned anew now");
            }
            if let Err(error) = clean_up(&store, &mut before).await {
                tracing::warn!(%error, "the queue's tables cannot be cleaned up now");
                before = Before { kept: Kept::unknown(&before.kept), rewrite: Some(Later::after(before.rewrite)) };
            }
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

/// Cleans up what is gone, if it is worth while. What somebody may still see cannot be cleaned up: unless that is over by the
/// next look, it is left behind.
async fn clean_up(store: &Store, before: &mut Before) -> Result<(), Error> {
    let dead = store.dead_rows().await?;
    if dead < WORTH {
        return Ok(());
    }
    if !before.kept.is_over(store).await? {
        if dead >= WORTH_A_STOP && before.rewrite.is_none_or(Later::is_due) {
            before.rewrite = if store.rewrite().await? { None } else { Some(Later::after(before.rewrite)) };
        }
        return Ok(());
    }
    let seen = store.oldest_seen().await?;
    store.clean_up().await?;
    if store.dead_rows().await? < dead / 2 {
        *before = Before::default();
        return Ok(());
    }
    // Short transactions come and go meanwhile.
    before.kept = match seen {
        Some(state) if store.oldest_seen().await?.as_ref() == Some(&state) => {
            Kept::Seen { state, until: Instant::now() + SELDOM }
        }
        _ => Kept::unknown(&before.kept),
    };
    Ok(())
}

#[cfg(test)]
mod tests;
