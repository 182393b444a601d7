//! What is kept for a time only goes when its time is over.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that one statement removes, so that no lock is held for long.
const BATCH: i64 = 5_000;

/// Tenants that are looked up at once.
const TENANTS: i64 = 1_000;

/// Removes runs, what webhooks were told, what waits to be read, and what belongs to nobody, where they are older than `keep`, until `stop`.
pub(crate) async fn run(store: Store, keep: TimeDelta, stop: CancellationToken) -> Result<(), String> {
    loop {
        let before = store.ambient.now() - keep;
        if let Err(error) = stop.run_until_cancelled(remove(&store, before)).await.unwrap_or(Ok(())) {
            tracing::warn!(%error, "old runs cannot be removed now");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn remove(store: &Store, before: DateTime<Utc>) -> Result<(), hoopoe_store::Error> {
    let mut after = Uuid::nil();
    loop {
        let tenants = store.tenant_ids(after, TENANTS).await?;
        let Some(last) = tenants.last() else { break };
        after = *last;
        for tenant_id in tenants {
            while store.delete_runs_before(tenant_id, before, BATCH).await? >= BATCH as u64 {}
            while store.delete_unread_before(tenant_id, before, BATCH).await? >= BATCH as u64 {}
            while store.delete_notices_before(tenant_id, before, BATCH).await? >= BATCH as u64 {}
        }
    }
    while store.delete_unrouted_before(before, BATCH).await? >= BATCH as u64 {}
    Ok(())
}
