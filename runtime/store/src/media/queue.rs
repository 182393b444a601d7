//! The queue of files to fetch.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::http_calls::Share;
use crate::{Error, Store};

/// Proves the ownership of a claimed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaLease {
    /// Whose.
    pub tenant_id: Uuid,
    /// Meta's id of the file.
    pub id: String,
    /// Drawn by the claim.
    pub token: i64,
}

/// A file to fetch now.
#[derive(Debug, Clone)]
pub struct ToFetch {
    /// Proves the ownership.
    pub lease: MediaLease,
    /// The number that it came to.
    pub channel_id: Uuid,
    /// As the message says it.
    pub mime_type: Option<String>,
    /// As the message says it.
    pub sha256: Option<Vec<u8>>,
    /// 1 for the first claim. An owner that was lost counts as well.
    pub attempt: i32,
    /// When its message came.
    pub created_at: DateTime<Utc>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The bytes are here.
    Stored {
        /// How many.
        size: i64,
        /// Their type.
        mime_type: String,
        /// Their digest.
        sha256: [u8; 32],
    },
    /// To be tried again.
    Again {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        reason: String,
        /// Whether it was an attempt: what hinders all files of a number is not this one's fault.
        counts: bool,
    },
    /// Given up.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Store {
    /// Claims up to `limit` files that are ready, the longest waiting first, of tenants that have room in `share`.
    pub async fn claim_media(&self, limit: i64, lease: TimeDelta, mut share: Share) -> Result<Vec<ToFetch>, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Index media_waiting.
        let ready = sqlx::query!(
            "select tenant_id, id from media
             where state = 'pending' and origin = 'inbound' and ready_at <= $1 and tenant_id <> all ($2::uuid[])
             order by ready_at limit $3
             for update skip locked",
            now,
            &share.full(),
            limit
        )
        .fetch_all(&mut *tx)
        .await?;
        let found = ready.len();
        let (tenants, ids): (Vec<Uuid>, Vec<String>) =
            ready.into_iter().filter(|row| share.take(row.tenant_id)).map(|row| (row.tenant_id, row.id)).unzip();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Primary key.
        let rows = sqlx::query!(
            r#"update media m set lease_token = nextval('lease_tokens'), attempts = m.attempts + 1, ready_at = $3
               from unnest($1::uuid[], $2::text[]) as k (tenant_id, id)
               where m.tenant_id = k.tenant_id and m.id = k.id
               returning m.tenant_id, m.id, m.lease_token, m.channel_id as "channel_id!", m.mime_type, m.sha256,
                         m.attempts, m.created_at"#,
            &tenants,
            &ids,
            now + lease
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        if ids.len() < found {
            // Files of tenants that are full stood in the way of others: the next claim passes over them.
            self.wakes.media.notify_one();
        }
        let claimed = rows.into_iter().map(|row| ToFetch {
            lease: MediaLease { tenant_id: row.tenant_id, id: row.id, token: row.lease_token },
            channel_id: row.channel_id,
            mime_type: row.mime_type,
            sha256: row.sha256,
            attempt: row.attempts,
            created_at: row.created_at,
        });
        Ok(claimed.collect())
    }

    /// When the next file of a tenant that has room in `share` is ready, if one waits.
    pub async fn next_media(&self, share: &Share) -> Result<Option<DateTime<Utc>>, Error> {
        // Index media_waiting.
        let next = sqlx::query_scalar!(
            "select ready_at from media
             where state = 'pending' and origin = 'inbound' and tenant_id <> all ($1::uuid[]) order by ready_at limit 1",
            &share.full()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(next)
    }

    /// Puts the end of a lease off; false when it has another owner by now.
    pub async fn extend_media(&self, lease: &MediaLease, until: DateTime<Utc>) -> Result<bool, Error> {
        // Primary key.
        let extended = sqlx::query!(
            "update media set ready_at = $4
             where tenant_id = $1 and id = $2 and lease_token = $3 and state = 'pending'",
            lease.tenant_id,
            lease.id,
            lease.token,
            until
        )
        .execute(&self.pool)
        .await?;
        Ok(extended.rows_affected() > 0)
    }

    /// Writes down what became of an attempt; false when it has another owner by now, and nothing was written.
    pub async fn settle_media(&self, lease: &MediaLease, fetched: &Fetched) -> Result<bool, Error> {
        let now = self.ambient.now();
        let (state, reason, at, uncounted, kept) = match fetched {
            Fetched::Stored { size, mime_type, sha256 } => {
                ("stored", None, now, 0, Some((*size, mime_type.as_str(), &sha256[..])))
            }
            Fetched::Again { at, reason, counts } => ("pending", Some(reason), *at, i32::from(!counts), None),
            Fetched::Failed { reason } => ("failed", Some(reason), now, 0, None),
        };
        // Primary key. The token goes with the lease: the former owner has no say any more.
        let settled = sqlx::query!(
            "update media set state = $4, reason = $5, ready_at = $6, attempts = attempts - $7,
                 size = $8, mime_type = coalesce($9, mime_type), sha256 = coalesce($10, sha256),
                 stored_at = case when $4 = 'stored' then $11::timestamptz end, lease_token = nextval('lease_tokens')
             where tenant_id = $1 and id = $2 and lease_token = $3 and state = 'pending'",
            lease.tenant_id,
            lease.id,
            lease.token,
            state,
            reason,
            at,
            uncounted,
            kept.map(|(size, ..)| size),
            kept.map(|(_, mime_type, _)| mime_type),
            kept.map(|(_, _, sha256)| sha256),
            now
        )
        .execute(&self.pool)
        .await?;
        if state == "pending" {
            self.wakes.media.notify_one();
        }
        Ok(settled.rows_affected() > 0)
    }
}
