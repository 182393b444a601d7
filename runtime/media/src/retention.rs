//! Files go when their time is over.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Media;
use crate::uploading::UploadError;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Files of a tenant that are looked up at once.
const BATCH: i64 = 500;
/// Tenants that are looked up at once.
const TENANTS: i64 = 1_000;

pub(crate) async fn run(media: Media, stop: CancellationToken) {
    loop {
        if let Err(error) = stop.run_until_cancelled(remove(&media)).await.unwrap_or(Ok(())) {
            tracing::warn!(%error, "old files cannot be removed now");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn remove(media: &Media) -> Result<(), UploadError> {
    let before = media.store.ambient.now() - media.retention;
    let mut after = Uuid::nil();
    loop {
        let tenants = media.store.tenant_ids(after, TENANTS).await?;
        let Some(last) = tenants.last() else { return Ok(()) };
        after = *last;
        for tenant_id in tenants {
            loop {
                let old = media.store.media_before(tenant_id, before, BATCH).await?;
                for id in &old {
                    media.delete(tenant_id, id).await?;
                }
                if old.len() < BATCH as usize {
                    break;
                }
            }
        }
    }
}
