//! The journal as the API shows it: what Meta told besides messages and their progress, and any event by its id.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Store};

/// Largest item, in bytes of JSON, that a list holds.
const LARGEST_LISTED: i32 = 64 << 10;

/// An event of the journal.
#[derive(Debug, Clone)]
pub struct Event {
    /// Grows.
    pub id: i64,
    /// `calls`, `history`, `echo`, `group_lifecycle_update`, ...
    pub kind: String,
    /// Meta's id of the number, page or account that it was told of.
    pub phone_number_id: String,
    /// Meta's time, or the time of receipt.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// What could not be read in it.
    pub note: Option<String>,
    /// The item as it came: JSON text. A list leaves out what is large.
    pub payload: Option<String>,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only older than this one.
    pub before: Option<i64>,
    /// At the most.
    pub limit: i64,
}

impl Store {
    /// A page of what Meta told of a tenant's numbers, pages and accounts, newest first: all but what belongs to a
    /// conversation, as messages of contacts do, and the progress of messages.
    pub async fn events(&self, tenant_id: Uuid, filter: &Filter) -> Result<Vec<Event>, Error> {
        // Index events_told, backwards, whose condition stands here word for word; then a primary key.
        let events = sqlx::query_as!(
            Event,
            "select e.id, e.kind, ch.phone_number_id, e.occurred_at, e.received_at, e.note,
                    case when octet_length(e.raw::text) <= $5 then e.raw::text end as payload
             from events e
             join channels ch on ch.tenant_id = e.tenant_id and ch.id = e.channel_id
             where e.tenant_id = $1 and e.id < $2 and ($3::text is null or e.kind = $3)
               and e.conversation_id is null and e.kind not in ('status', 'delivery', 'read')
             order by e.id desc limit $4",
            tenant_id,
            filter.before.unwrap_or(i64::MAX),
            filter.kind.as_deref(),
            filter.limit,
            LARGEST_LISTED
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(events)
    }

    /// An event of the tenant's, whatever its kind.
    pub async fn event(&self, tenant_id: Uuid, id: i64) -> Result<Option<Event>, Error> {
        // Primary keys.
        let event = sqlx::query_as!(
            Event,
            "select e.id, e.kind, ch.phone_number_id, e.occurred_at, e.received_at, e.note, e.raw::text as payload
             from events e
             join channels ch on ch.tenant_id = e.tenant_id and ch.id = e.channel_id
             where e.tenant_id = $1 and e.id = $2",
            tenant_id,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(event)
    }
}
