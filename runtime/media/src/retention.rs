//! Files go when their time is over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hoopoe_store::media::Aged;
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
            remove_of(media, tenant_id, before).await?;
        }
    }
}

/// Removes what can be removed. The rest stays for the next look, and hinders nobody else's.
async fn remove_of(media: &Media, tenant_id: Uuid, before: DateTime<Utc>) -> Result<(), UploadError> {
    let mut after = Aged::first();
    loop {
        let old = media.store.media_before(tenant_id, before, &after, BATCH).await?;
        let mut left = None;
        for file in &old {
            match media.delete(tenant_id, &file.id).await {
                Ok(_) => {}
                Err(UploadError::Place(error)) => left = Some((&file.id, error)),
                Err(error) => return Err(error),
            }
        }
        // One line for all of them: they have the same reason, as a rule.
        if let Some((id, error)) = left {
            tracing::warn!(tenant = %tenant_id, media = id, %error, "old files cannot be removed, as this one");
        }
        match old.into_iter().last() {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
