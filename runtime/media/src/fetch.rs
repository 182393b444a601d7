//! The stage: claim files that came in, fetch them, write down what became of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Ask, Stage};
use hoopoe_meta::{Class, Failure};
use hoopoe_protocol::media::essence;
use hoopoe_store::Error;
use hoopoe_store::fault::crash_point;
use hoopoe_store::http_calls::Share;
use hoopoe_store::media::ToFetch;
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::Media;
use crate::files::Kept;
use crate::limits::plain_type;
use crate::verdict::{self, Unfetched};

/// The type of a file that nobody says, or in such a way that it is none.
const UNSAID: &str = "application/octet-stream";

pub(crate) struct Fetcher {
    media: Media,
    lease: TimeDelta,
    /// Files of one tenant that a claim takes at the most.
    per_tenant: usize,
    /// Tenants that had their share at the last claim.
    full: Mutex<Vec<Uuid>>,
}

impl Fetcher {
    pub(crate) fn new(media: Media, lease: TimeDelta, per_tenant: usize) -> Self {
        Self { media, lease, per_tenant, full: Mutex::default() }
    }

    /// Room for all but the tenants that have their share.
    fn share(&self, full: &[Uuid]) -> Share {
        let under_way: HashMap<Uuid, usize> = full.iter().map(|tenant| (*tenant, self.per_tenant)).collect();
        Share { under_way, most: self.per_tenant }
    }
}

impl Stage for Fetcher {
    type Work = ToFetch;
    type Born = Infallible;
    const NAME: &'static str = "media";

    async fn adopt(&self, born: Vec<Infallible>) -> Result<Vec<ToFetch>, Error> {
        Ok(born.into_iter().map(|born| match born {}).collect())
    }

    fn tenant(file: &ToFetch) -> Uuid {
        file.lease.tenant_id
    }

    async fn claim(&self, ask: Ask) -> Result<Vec<ToFetch>, Error> {
        let limit = i64::try_from(ask.limit).unwrap_or(i64::MAX);
        let claimed = self.media.store.claim_media(limit, self.lease, self.share(&ask.full)).await?;
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = ask.full;
        if !claimed.is_empty() {
            crash_point("media.claimed");
        }
        Ok(claimed)
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let full = self.full.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.media.store.next_media(&self.share(&full)).await
    }

    fn wake(&self) -> &Notify {
        &self.media.store.wakes.media
    }

    async fn work(&self, file: ToFetch) {
        let (tenant, media) = (file.lease.tenant_id, &file.lease.id);
        let store = &self.media.store;
        let Some(outcome) = self.held(&file, self.attempt(&file)).await else {
            metrics().lanes_lost.of(labels::Stage::Media).inc();
            return tracing::warn!(%tenant, media, "the file was taken over by another owner");
        };
        crash_point("media.fetched");
        if let Err(error) = &outcome {
            tracing::warn!(%tenant, media, attempt = file.attempt, %error, "a file was not fetched");
        }
        let fetched = verdict::of(outcome, &file, store.ambient.now(), |below| store.ambient.below(below));
        // When this is not written the lease runs out, and the file is fetched again then.
        match store.settle_media(&file.lease, &fetched).await {
            Ok(true) => tracing::debug!(%tenant, media, ?fetched, "file settled"),
            Ok(false) => {
                metrics().lanes_lost.of(labels::Stage::Media).inc();
                tracing::warn!(%tenant, media, "the file was taken over by another owner, or deleted");
                if let Ok(None) = store.media(tenant, media).await
                    && let Err(error) = self.media.files.delete(tenant, media).await
                {
                    tracing::warn!(%tenant, media, %error, "the bytes of a deleted file stay behind");
                }
            }
            Err(error) => tracing::warn!(%tenant, media, %error, "could not write down what became of a file"),
        }
    }
}

impl Fetcher {
    /// Does the work while the lease is put off; `None` when another owner has the file.
    async fn held<T>(&self, file: &ToFetch, work: impl Future<Output = T>) -> Option<T> {
        let store = &self.media.store;
        let mut beat = tokio::time::interval((self.lease / 3).to_std().unwrap_or_default());
        beat.tick().await;
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                _ = beat.tick() => match store.extend_media(&file.lease, store.ambient.now() + self.lease).await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    // The settlement will show whose it is.
                    Err(error) => tracing::warn!(media = file.lease.id, %error, "could not put off the lease of a file"),
                }
            }
        }
    }

    /// Fetches and keeps the file; gives its type as well.
    async fn attempt(&self, file: &ToFetch) -> Result<(Kept, String), Unfetched> {
        let Media { graph, files, types, largest, .. } = &self.media;
        let (tenant_id, id) = (file.lease.tenant_id, &file.lease.id);
        let is_plain = |mime_type: &String| plain_type(mime_type).is_some();
        let said = file.mime_type.clone().filter(is_plain);
        if let Some(mime_type) = said.as_deref().filter(|mime_type| !types.has(mime_type)) {
            return Err(unwanted(mime_type));
        }
        let (phone_number_id, token) = self.number(file).await?;
        let place = graph.media_place(&token, id, &phone_number_id).await.map_err(Unfetched::Meta)?;
        let mime_type = said.or(place.mime_type.filter(is_plain)).unwrap_or_else(|| UNSAID.to_owned());
        if !types.has(&mime_type) {
            return Err(unwanted(&mime_type));
        }
        if let Some(size) = place.size.filter(|size| size > largest) {
            return Err(Unfetched::Unwanted(format!("it has {size} bytes; MEDIA_MAX_SIZE is {largest}")));
        }
        let digest = file.sha256.as_deref().and_then(|sha256| sha256.try_into().ok());
        let expected: Vec<[u8; 32]> = digest.into_iter().chain(place.sha256).collect();
        let bytes = graph.media_bytes(&token, &place.url).await?;
        let kept = files.put(tenant_id, id, bytes, *largest, &expected).await?;
        Ok((kept, mime_type))
    }

    /// Meta's id of the number that the file came to, and its token.
    async fn number(&self, file: &ToFetch) -> Result<(String, SecretString), Unfetched> {
        let tenant_id = file.lease.tenant_id;
        let found = self.media.store.sender(tenant_id, file.channel_id).await;
        let found = found.map_err(|error| Unfetched::NotNow(format!("the number cannot be looked up: {error}")))?;
        let number = found.ok_or_else(|| Unfetched::Unwanted("the number that it came to is gone".to_owned()))?;
        if let Some((_, why)) = number.suspended {
            return Err(Unfetched::NotNow(format!("the number is suspended: {why}")));
        }
        let token = self.media.master_key.open(tenant_id, &number.token);
        let token = token.map_err(|error| Unfetched::NotNow(format!("the number's token: {error}")))?;
        if token.expose_secret().starts_with("mock_") {
            return Err(Unfetched::Unwanted(
                "the number's token is for trying things out: Meta has no files of it".into(),
            ));
        }
        Ok((number.phone_number_id, token))
    }
}

fn unwanted(mime_type: &str) -> Unfetched {
    Unfetched::Unwanted(format!("it is {}, which MEDIA_TYPES does not name", essence(mime_type)))
}

/// A permanent failure that has nothing to do with Meta.
pub(crate) fn broken(message: impl Into<String>) -> Failure {
    Failure { class: Class::Permanent, http_status: None, code: None, subcode: None, message: message.into() }
}
