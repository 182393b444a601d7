//! Recorded runs with their events, for replays.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Store};

/// Which runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Of one event.
    Event(i64),
    /// Of one conversation.
    Conversation(Uuid),
    /// Of the events between two moments, the later one excluded.
    Period(DateTime<Utc>, DateTime<Utc>),
}

/// A run as it was recorded, with its event.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    /// The event.
    pub event_id: i64,
    /// `message`, `status`, ...
    pub kind: String,
    /// The event as it came: JSON text.
    pub raw: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The conversation.
    pub conversation_id: Uuid,
    /// The contact.
    pub contact_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// 1 for the first.
    pub attempt: i32,
    /// name@version.
    pub plugin: String,
    /// Digest of the component, hex.
    pub digest: String,
    /// `done` or the code of the failure.
    pub result: String,
    /// The context: JSON text.
    pub context: String,
    /// The configuration.
    pub config_id: Option<i64>,
    /// The state that it was given.
    pub state: Option<Vec<u8>>,
    /// What it decided: JSON text.
    pub outcome: Option<String>,
}

impl Store {
    /// Up to `limit` recorded runs of a tenant, oldest event first, after this event; only runs that began.
    pub async fn recorded_runs(
        &self,
        tenant_id: Uuid,
        selection: Selection,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordedRun>, Error> {
        let (event, conversation, period) = match selection {
            Selection::Event(id) => (Some(id), None, None),
            Selection::Conversation(id) => (None, Some(id), None),
            Selection::Period(from, to) => (None, None, Some((from, to))),
        };
        // By the runs' primary key in the order of events, then the event's primary key.
        let runs = sqlx::query_as!(
            RecordedRun,
            r#"select r.event_id, e.kind, e.raw::text as "raw!", e.occurred_at, e.received_at,
                      r.conversation_id as "conversation_id!", e.contact_id as "contact_id!", e.channel_id, r.attempt,
                      r.plugin, r.digest, r.result, r.context::text as "context!", r.config_id, r.state,
                      r.outcome::text as outcome
               from flow_runs r
               join events e on e.tenant_id = r.tenant_id and e.id = r.event_id
               where r.tenant_id = $1 and r.event_id > $2 and r.context is not null and e.contact_id is not null
                 and ($3::bigint is null or r.event_id = $3)
                 and ($4::uuid is null or r.conversation_id = $4)
                 and ($5::timestamptz is null or (e.received_at >= $5 and e.received_at < $6))
               order by r.event_id, r.attempt limit $7"#,
            tenant_id,
            after,
            event,
            conversation,
            period.map(|(from, _)| from),
            period.map(|(_, to)| to),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(runs)
    }
}
