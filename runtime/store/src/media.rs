//! Files of messages: what is known of each, the queue of those to fetch, and under which ids Meta knows uploads.
//!
//! The bytes are elsewhere. A file that came in is a row from the commit of its message on; the same file in several
//! messages is one row. Its place in the queue is as with HTTP calls: a claim moves `ready_at` to the end of a lease and
//! draws a token, without which nothing is written.

mod queue;
mod uploads;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::queue::{Fetched, MediaLease, ToFetch};
use crate::journal::Item;
use crate::{Error, Store};

/// The file of an inbound message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundFile {
    /// Meta's id.
    pub id: String,
    /// As Meta says it.
    pub mime_type: Option<String>,
    /// Documents only.
    pub filename: Option<String>,
    /// As Meta says it.
    pub sha256: Option<[u8; 32]>,
}

/// A file.
#[derive(Debug, Clone)]
pub struct Media {
    /// Meta's id, or `media_...`.
    pub id: String,
    /// `inbound` or `upload`.
    pub origin: String,
    /// Its content type, once it is known.
    pub mime_type: Option<String>,
    /// What its sender calls it.
    pub filename: Option<String>,
    /// The digest of its bytes.
    pub sha256: Option<Vec<u8>>,
    /// In bytes, once it is stored.
    pub size: Option<i64>,
    /// `pending`, `stored` or `failed`.
    pub state: String,
    /// Why it failed, or was not fetched so far.
    pub reason: Option<String>,
    /// When its message came, or when it was uploaded.
    pub created_at: DateTime<Utc>,
    /// Since when its bytes are here.
    pub stored_at: Option<DateTime<Utc>>,
}

/// A file by its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aged {
    /// When its message came, or when it was uploaded.
    pub created_at: DateTime<Utc>,
    /// Meta's id, or `media_...`.
    pub id: String,
}

impl Aged {
    /// Before all files.
    pub fn first() -> Self {
        Self { created_at: DateTime::UNIX_EPOCH, id: String::new() }
    }
}

/// Puts the files of new messages into the queue, unless they are known. Gives whether there was any.
pub(crate) async fn await_files(
    db: &mut PgConnection,
    mut files: Vec<(&Item, &InboundFile)>,
) -> Result<bool, sqlx::Error> {
    if files.is_empty() {
        return Ok(false);
    }
    // Locks are taken in the order of keys.
    files.sort_unstable_by_key(|(item, file)| (item.tenant_id, &file.id));
    sqlx::query!(
        "insert into media (tenant_id, id, origin, channel_id, mime_type, filename, sha256, state, ready_at, created_at)
         select tenant_id, id, 'inbound', channel_id, mime_type, filename, sha256, 'pending', received_at, received_at
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[])
              as k (tenant_id, id, channel_id, mime_type, filename, sha256, received_at)
         on conflict (tenant_id, id) do nothing",
        &files.iter().map(|(item, _)| item.tenant_id).collect::<Vec<_>>(),
        &files.iter().map(|(_, file)| file.id.clone()).collect::<Vec<_>>(),
        &files.iter().map(|(item, _)| item.channel_id).collect::<Vec<_>>(),
        &files.iter().map(|(_, file)| file.mime_type.clone()).collect::<Vec<_>>() as &[Option<String>],
        &files.iter().map(|(_, file)| file.filename.clone()).collect::<Vec<_>>() as &[Option<String>],
        &files.iter().map(|(_, file)| file.sha256.map(|it| it.to_vec())).collect::<Vec<_>>() as &[Option<Vec<u8>>],
        &files.iter().map(|(item, _)| item.received_at).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(true)
}

impl Store {
    /// A tenant's file, or `None`.
    pub async fn media(&self, tenant_id: Uuid, id: &str) -> Result<Option<Media>, Error> {
        // Primary key.
        let media = sqlx::query_as!(
            Media,
            "select id, origin, mime_type, filename, sha256, size, state, reason, created_at, stored_at
             from media where tenant_id = $1 and id = $2",
            tenant_id,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(media)
    }

    /// Announces an upload, before its bytes are kept: what is left of one that breaks off is found by it.
    pub async fn begin_upload(
        &self,
        tenant_id: Uuid,
        id: &str,
        mime_type: &str,
        filename: Option<&str>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "insert into media (tenant_id, id, origin, mime_type, filename, state, ready_at, created_at)
             values ($1, $2, 'upload', $3, $4, 'pending', $5, $5)",
            tenant_id,
            id,
            mime_type,
            filename,
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The bytes of an upload are kept. False when it was deleted meanwhile.
    pub async fn end_upload(&self, tenant_id: Uuid, id: &str, size: i64, sha256: &[u8; 32]) -> Result<bool, Error> {
        let ended = sqlx::query!(
            "update media set state = 'stored', size = $3, sha256 = $4, stored_at = $5 where tenant_id = $1 and id = $2",
            tenant_id,
            id,
            size,
            &sha256[..],
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        Ok(ended.rows_affected() > 0)
    }

    /// Forgets a file, whose bytes are gone already. False when there was none.
    pub async fn delete_media(&self, tenant_id: Uuid, id: &str) -> Result<bool, Error> {
        let deleted = sqlx::query!("delete from media where tenant_id = $1 and id = $2", tenant_id, id);
        Ok(deleted.execute(&self.pool).await?.rows_affected() > 0)
    }

    /// How many bytes of a tenant's files are here.
    pub async fn media_bytes(&self, tenant_id: Uuid) -> Result<u64, Error> {
        // Index media_stored alone.
        let bytes = sqlx::query_scalar!(
            r#"select coalesce(sum(size), 0)::bigint as "bytes!" from media where tenant_id = $1 and state = 'stored'"#,
            tenant_id
        );
        Ok(u64::try_from(bytes.fetch_one(&self.pool).await?).unwrap_or_default())
    }

    /// A tenant's files that are older than `before` and behind `after`, the oldest first, at most `limit`. What is being
    /// fetched is not among them.
    pub async fn media_before(
        &self,
        tenant_id: Uuid,
        before: DateTime<Utc>,
        after: &Aged,
        limit: i64,
    ) -> Result<Vec<Aged>, Error> {
        // Index media_age.
        let old = sqlx::query_as!(
            Aged,
            "select created_at, id from media where tenant_id = $1 and created_at < $2 and (created_at, id) > ($3, $4)
                 and (state <> 'pending' or origin = 'upload' or ready_at < $2)
             order by created_at, id limit $5",
            tenant_id,
            before,
            after.created_at,
            after.id,
            limit
        );
        Ok(old.fetch_all(&self.pool).await?)
    }
}
