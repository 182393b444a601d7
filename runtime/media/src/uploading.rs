//! Uploads of tenants.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use hoopoe_protocol::media;
use uuid::Uuid;

use crate::Media;
use crate::files::{Kept, PutError};
use crate::sending::HANDLE;
use crate::slots;

/// Longest pause within an upload.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is said of a file before its bytes come.
#[derive(Debug, Clone, Copy)]
pub struct NewUpload<'a> {
    /// Content type, perhaps with parameters.
    pub mime_type: &'a str,
    /// What recipients see of documents.
    pub filename: Option<&'a str>,
    /// In bytes, when it is known.
    pub length: Option<u64>,
}

/// Why an upload was not kept.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Meta takes no such files.
    #[error("the file is {0}; Meta takes {types}", types = media::types().join(", "))]
    Type(String),
    /// Meta takes no files of this type that are so large.
    #[error("the file has more than {0} bytes, the most that Meta takes of this type")]
    TooLarge(u64),
    /// The tenant's files have no room for it.
    #[error(
        "the tenant's files have {used} of {allowed} bytes, and this one does not fit in; delete some, or wait until \
         they go by age, or let the operator raise MEDIA_TENANT_BYTES"
    )]
    Quota {
        /// Bytes of its files that are here.
        used: u64,
        /// Bytes that they may have.
        allowed: u64,
    },
    /// So many of the tenant's uploads are under way.
    #[error("{0} uploads of the tenant are under way, which is the most; try again when one of them has ended")]
    TooMany(usize),
    /// Nothing came for so long.
    #[error("no byte of the file came for {} seconds; send it again", .0.as_secs())]
    Stalled(Duration),
    /// There is nothing.
    #[error("the file is empty")]
    Empty,
    /// The request broke off.
    #[error("the file could not be read: {0}")]
    Body(String),
    /// The place cannot be written to.
    #[error("the file cannot be kept: {0}")]
    Place(object_store::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] hoopoe_store::Error),
}

/// The most bytes that a file may have, and why it may not have more.
struct Room {
    most: u64,
    /// Of the type, by Meta.
    of_type: u64,
    /// Of the tenant: used and allowed.
    of_tenant: Option<(u64, u64)>,
}

impl Room {
    fn new(of_type: u64, of_tenant: Option<(u64, u64)>) -> Self {
        let left = of_tenant.map_or(u64::MAX, |(used, allowed)| allowed.saturating_sub(used));
        Self { most: of_type.min(left), of_type, of_tenant }
    }

    fn exceeded(&self) -> UploadError {
        match self.of_tenant {
            Some((used, allowed)) if self.most < self.of_type => UploadError::Quota { used, allowed },
            _ => UploadError::TooLarge(self.of_type),
        }
    }

    /// Refuses what is known to be too large before its bytes come.
    fn check(&self, length: Option<u64>) -> Result<(), UploadError> {
        match length {
            Some(length) if length > self.of_type => Err(UploadError::TooLarge(self.of_type)),
            Some(length) if length > self.most => Err(self.exceeded()),
            _ if self.most == 0 => Err(self.exceeded()),
            _ => Ok(()),
        }
    }
}

impl Media {
    /// Keeps a file that messages can be sent with. Gives its handle.
    pub async fn upload<E: std::fmt::Display>(
        &self,
        tenant_id: Uuid,
        new: NewUpload<'_>,
        bytes: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<String, UploadError> {
        let mime_type = media::essence(new.mime_type);
        let of_type = media::most(&mime_type).ok_or_else(|| UploadError::Type(mime_type.clone()))?;
        let _slot = self.slots.take(tenant_id).ok_or(UploadError::TooMany(slots::MOST))?;
        let room = Room::new(of_type, self.quota(tenant_id).await?);
        room.check(new.length)?;
        let id = format!("{HANDLE}{}", self.store.ambient.id().simple());
        self.store.begin_upload(tenant_id, &id, &mime_type, new.filename).await?;
        let ended = match self.keep(tenant_id, &id, &room, bytes).await {
            Ok(kept) => {
                let size = i64::try_from(kept.size).unwrap_or(i64::MAX);
                match self.store.end_upload(tenant_id, &id, size, &kept.sha256).await? {
                    true => Ok(id.clone()),
                    false => Err(UploadError::Body("it was deleted meanwhile".to_owned())),
                }
            }
            Err(error) => Err(error),
        };
        if ended.is_err()
            // What cannot be removed now goes with its age.
            && let Err(error) = self.delete(tenant_id, &id).await
        {
            tracing::warn!(tenant = %tenant_id, media = id, %error, "what is left of an upload stays for a while");
        }
        ended
    }

    /// How many bytes the tenant's files have, and may have; `None` without a limit.
    async fn quota(&self, tenant_id: Uuid) -> Result<Option<(u64, u64)>, UploadError> {
        match self.tenant_bytes {
            Some(allowed) => Ok(Some((self.store.media_bytes(tenant_id).await?, allowed))),
            None => Ok(None),
        }
    }

    async fn keep<E: std::fmt::Display>(
        &self,
        tenant_id: Uuid,
        id: &str,
        room: &Room,
        bytes: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Kept, UploadError> {
        match self.files.put(tenant_id, id, patient(bytes, PATIENCE), room.most, &[]).await {
            Ok(kept) if kept.size == 0 => Err(UploadError::Empty),
            Ok(kept) => Ok(kept),
            Err(PutError::TooLarge(_)) => Err(room.exceeded()),
            Err(PutError::Source(error)) => Err(error),
            Err(PutError::Store(error)) => Err(UploadError::Place(error)),
            Err(error @ PutError::Altered { .. }) => Err(UploadError::Body(error.to_string())),
        }
    }

    /// Removes a file. False when there was none.
    pub async fn delete(&self, tenant_id: Uuid, id: &str) -> Result<bool, UploadError> {
        // The bytes go first: without its row nobody would find them.
        self.files.delete(tenant_id, id).await.map_err(UploadError::Place)?;
        Ok(self.store.delete_media(tenant_id, id).await?)
    }
}

/// The same bytes; an error when the next ones do not come within `patience`.
fn patient<E: std::fmt::Display>(
    bytes: impl Stream<Item = Result<Bytes, E>>,
    patience: Duration,
) -> impl Stream<Item = Result<Bytes, UploadError>> {
    stream::unfold(Box::pin(bytes), move |mut bytes| async move {
        let chunk = match tokio::time::timeout(patience, bytes.next()).await {
            Ok(chunk) => chunk?.map_err(|error| UploadError::Body(error.to_string())),
            Err(_) => Err(UploadError::Stalled(patience)),
        };
        Some((chunk, bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_that_do_not_come_end_an_upload() {
        let some = stream::iter([Ok::<_, String>(Bytes::from_static(b"some"))]);
        let mut bytes = Box::pin(patient(some.chain(stream::pending()), Duration::from_millis(1)));
        assert!(bytes.next().await.is_some_and(|chunk| chunk.is_ok()));
        assert!(matches!(bytes.next().await, Some(Err(UploadError::Stalled(_)))));
        let mut broken = Box::pin(patient(stream::iter([Err("reset")]), PATIENCE));
        assert!(matches!(broken.next().await, Some(Err(UploadError::Body(why))) if why == "reset"));
        assert!(broken.next().await.is_none());
    }

    #[test]
    fn a_file_has_the_room_of_its_type_and_of_its_tenant() {
        for (of_tenant, length, expected) in [
            (None, Some(101), "more than 100 bytes"),
            (None, Some(100), ""),
            (None, None, ""),
            (Some((0, 1000)), Some(101), "more than 100 bytes"),
            (Some((950, 1000)), Some(51), "950 of 1000"),
            (Some((950, 1000)), Some(50), ""),
            (Some((950, 1000)), None, ""),
            (Some((1000, 1000)), None, "1000 of 1000"),
            (Some((2000, 1000)), Some(1), "2000 of 1000"),
        ] {
            let refusal = Room::new(100, of_tenant).check(length).err().map(|error| error.to_string());
            let refusal = refusal.unwrap_or_default();
            assert_eq!(refusal.is_empty(), expected.is_empty(), "{of_tenant:?} {length:?}: {refusal}");
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
