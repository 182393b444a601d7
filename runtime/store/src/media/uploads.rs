//! Under which ids Meta knows uploaded files: one per number, for as long as Meta keeps it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Store};

impl Store {
    /// Meta's id of a file at a number, unless Meta forgets it before `until`.
    pub async fn meta_media(
        &self,
        tenant_id: Uuid,
        media_id: &str,
        channel_id: Uuid,
        until: DateTime<Utc>,
    ) -> Result<Option<String>, Error> {
        // Primary key.
        let id = sqlx::query_scalar!(
            "select meta_id from media_uploads
             where tenant_id = $1 and media_id = $2 and channel_id = $3 and expires_at > $4",
            tenant_id,
            media_id,
            channel_id,
            until
        );
        Ok(id.fetch_optional(&self.pool).await?)
    }

    /// Remembers Meta's id of a file. Nothing when the file was deleted meanwhile.
    pub async fn keep_meta_media(
        &self,
        tenant_id: Uuid,
        media_id: &str,
        channel_id: Uuid,
        meta_id: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "insert into media_uploads (tenant_id, media_id, channel_id, meta_id, expires_at)
             select m.tenant_id, m.id, $3, $4, $5 from media m where m.tenant_id = $1 and m.id = $2 for key share
             on conflict (tenant_id, media_id, channel_id) do update set meta_id = $4, expires_at = $5",
            tenant_id,
            media_id,
            channel_id,
            meta_id,
            expires_at
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Forgets Meta's id of a file, if it is still this one.
    pub async fn forget_meta_media(
        &self,
        tenant_id: Uuid,
        media_id: &str,
        channel_id: Uuid,
        meta_id: &str,
    ) -> Result<(), Error> {
        // Primary key.
        sqlx::query!(
            "delete from media_uploads where tenant_id = $1 and media_id = $2 and channel_id = $3 and meta_id = $4",
            tenant_id,
            media_id,
            channel_id,
            meta_id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
