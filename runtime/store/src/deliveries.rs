//! The delivery stage's work: the first message of each claimed lane, and the settlement of what Meta answered.
//!
//! `sending` is committed before a request goes out: by the claim, or by the commit that queued the message when its
//! lane belongs to this process from birth. A message that a claim finds in `sending` was in the hands of an owner that
//! is gone: its outcome is unknown, and it waits for a status before it is sent again.

mod claim;
mod settle;
mod verdict;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::identity;
use crate::lanes::{self, LaneKey, Lease, Stage};

pub use verdict::{Settled, Settlement, Verdict};

/// A message to send now.
#[derive(Debug)]
pub struct Delivery {
    /// Proves the ownership of the lane.
    pub lease: Lease,
    /// When that lease ends, unless it is put off: no request may begin after it.
    pub until: DateTime<Utc>,
    /// The message.
    pub message_id: Uuid,
    /// The number to send from.
    pub channel_id: Uuid,
    /// The smaller, the sooner: that of the most urgent message of its lane.
    pub priority: i16,
    /// The recipient's WhatsApp id.
    pub wa_id: Option<String>,
    /// The recipient's business-scoped user id.
    pub user_id: Option<String>,
    /// The Graph API message: JSON text.
    pub payload: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// When it was queued, or when its time came.
    pub due_at: DateTime<Utc>,
    /// Not to be sent after this moment, when it says so itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Attempts at the most, when it says so itself.
    pub max_attempts: Option<i32>,
    /// It is marketing, and the contact has opted out of that meanwhile.
    pub opted_out: bool,
    /// The trace of what queued it.
    pub trace: Option<TraceContext>,
}

/// A message in the outbox, or about to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub lane: LaneKey,
    pub message_id: Uuid,
    pub channel_id: Uuid,
}

impl Store {
    /// When the delivery stage's next lane is ready, if one waits.
    pub async fn next_delivery(&self) -> Result<Option<DateTime<Utc>>, crate::Error> {
        Ok(lanes::next_ready(&mut *self.pool.acquire().await?, Stage::Delivery).await?)
    }
}

/// Puts messages into the outbox, in this order, behind what waits there. The caller has opened their lanes, and names
/// those that Meta may have.
pub(crate) async fn put_in(db: &mut PgConnection, messages: &[Waiting], doubted: &[Uuid]) -> Result<(), sqlx::Error> {
    let added = sqlx::query!(
        "insert into outbox (tenant_id, contact_id, message_id, channel_id, doubted)
         select tenant_id, contact_id, message_id, channel_id, message_id = any ($5)
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])
              with ordinality as k (tenant_id, contact_id, message_id, channel_id, place)
         where not exists (select from merged_contacts g where g.tenant_id = k.tenant_id and g.contact_id = k.contact_id)
         order by place",
        &messages.iter().map(|one| one.lane.tenant_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.lane.contact_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.channel_id).collect::<Vec<_>>(),
        doubted
    )
    .execute(db)
    .await?;
    if added.rows_affected() < messages.len() as u64 { Err(identity::merged()) } else { Ok(()) }
}

/// Takes settled messages out of the outbox.
async fn take_out(db: &mut PgConnection, settled: &[(LaneKey, Uuid)]) -> Result<(), sqlx::Error> {
    if settled.is_empty() {
        return Ok(());
    }
    // Primary key, by tenant and contact.
    sqlx::query!(
        "delete from outbox o
         using unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
         where o.tenant_id = any (array[k.tenant_id]) and o.contact_id = k.contact_id and o.message_id = k.message_id",
        &settled.iter().map(|(lane, _)| lane.tenant_id).collect::<Vec<_>>(),
        &settled.iter().map(|(lane, _)| lane.contact_id).collect::<Vec<_>>(),
        &settled.iter().map(|(_, message)| *message).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
