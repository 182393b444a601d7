//! The delivery stage's work: the first message of each claimed lane, and the settlement of what Meta answered.
//!
//! The claim commits `sending` before a request goes out. A message that a claim finds in `sending` was in the hands
//! of an owner that is gone: its outcome is unknown, and it waits for a status before it is sent again.

mod claim;
mod settle;

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::lanes::{self, LaneKey, Lease, Stage};

/// A message to send now.
#[derive(Debug)]
pub struct Delivery {
    /// Proves the ownership of the lane.
    pub lease: Lease,
    /// The message.
    pub message_id: Uuid,
    /// The number to send from.
    pub channel_id: Uuid,
    /// Meta's id of that number.
    pub phone_number_id: String,
    /// The number's access token.
    pub token: Sealed,
    /// The recipient's WhatsApp id.
    pub wa_id: Option<String>,
    /// The recipient's business-scoped user id.
    pub user_id: Option<String>,
    /// The Graph API message: JSON text.
    pub payload: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
}

/// What became of a claimed message.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Meta has it.
    Sent {
        /// Meta's id.
        wa_message_id: String,
    },
    /// Meta surely does not have it; try again.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why: JSON text.
        error: String,
    },
    /// Nobody knows; wait for a status, then try again.
    Unknown {
        /// Until when.
        until: DateTime<Utc>,
        /// Why: JSON text.
        error: String,
    },
    /// Given up.
    Dead {
        /// Why: JSON text.
        error: String,
    },
}

/// The verdict on one claimed message.
#[derive(Debug)]
pub struct Settlement {
    /// Proves the ownership of the lane.
    pub lease: Lease,
    /// The message.
    pub message_id: Uuid,
    /// Attempts so far.
    pub attempts: i32,
    /// The verdict.
    pub verdict: Verdict,
}
impl Store {
    /// When the delivery stage's next lane is ready, if one waits.
    pub async fn next_delivery(&self) -> Result<Option<DateTime<Utc>>, crate::Error> {
        Ok(lanes::next_ready(&mut *self.pool.acquire().await?, Stage::Delivery).await?)
    }
}

/// Takes settled messages out of the outbox; deletes lanes that are empty then and makes the others ready. The lanes
/// are locked: nothing can be added to them between the look and the deletion. Tells whether any lane has more.
async fn finish(
    db: &mut PgConnection,
    finished: &[(LaneKey, Option<Uuid>)],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    if finished.is_empty() {
        return Ok(false);
    }
    let tenants: Vec<_> = finished.iter().map(|(lane, _)| lane.tenant_id).collect();
    let contacts: Vec<_> = finished.iter().map(|(lane, _)| lane.contact_id).collect();
    let messages: Vec<_> = finished.iter().map(|(_, message)| *message).collect();
    sqlx::query!(
        "delete from outbox o
         using unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
         where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id and o.message_id = k.message_id",
        &tenants,
        &contacts,
        &messages as &[Option<Uuid>]
    )
    .execute(&mut *db)
    .await?;
    let remaining = sqlx::query!(
        "with lane as (
             select k.tenant_id, k.contact_id, exists (
                 select from outbox o where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id
             ) as more
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
         ), gone as (
             delete from lanes l using lane k
             where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1 and not k.more
         )
         update lanes l set ready_at = $3 from lane k
         where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1 and k.more",
        &tenants,
        &contacts,
        now
    )
    .execute(db)
    .await?;
    Ok(remaining.rows_affected() > 0)
}
