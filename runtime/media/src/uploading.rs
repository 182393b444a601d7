//! Uploads of tenants.

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use hoopoe_protocol::media;
use uuid::Uuid;

use crate::Media;
use crate::files::PutError;
use crate::sending::HANDLE;

/// Why an upload was not kept.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Meta takes no such files.
    #[error("the file is {0}; Meta takes {types}", types = media::types().join(", "))]
    Type(String),
    /// Meta takes no files of this type that are so large.
    #[error("the file has more than {0} bytes, the most that Meta takes of this type")]
    TooLarge(u64),
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

impl Media {
    /// Keeps a file that messages can be sent with. Gives its handle.
    pub async fn upload<E: std::fmt::Display>(
        &self,
        tenant_id: Uuid,
        mime_type: &str,
        filename: Option<&str>,
        bytes: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<String, UploadError> {
        let mime_type = media::essence(mime_type);
        let most = media::most(&mime_type).ok_or_else(|| UploadError::Type(mime_type.clone()))?;
        let id = format!("{HANDLE}{}", self.store.ambient.id().simple());
        self.store.begin_upload(tenant_id, &id, &mime_type, filename).await?;
        let kept = match self
            .files
            .put(tenant_id, &id, bytes.map(|chunk| chunk.map_err(|error| error.to_string())), most, &[])
            .await
        {
            Ok(kept) if kept.size == 0 => Err(UploadError::Empty),
            Ok(kept) => Ok(kept),
            Err(PutError::TooLarge(most)) => Err(UploadError::TooLarge(most)),
            Err(PutError::Source(why)) => Err(UploadError::Body(why)),
            Err(PutError::Store(error)) => Err(UploadError::Place(error)),
            Err(error @ PutError::Altered { .. }) => Err(UploadError::Body(error.to_string())),
        };
        let ended = match kept {
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

    /// Removes a file. False when there was none.
    pub async fn delete(&self, tenant_id: Uuid, id: &str) -> Result<bool, UploadError> {
        // The bytes go first: without its row nobody would find them.
        self.files.delete(tenant_id, id).await.map_err(UploadError::Place)?;
        Ok(self.store.delete_media(tenant_id, id).await?)
    }
}
