//! Timers of conversations: set and cancelled in the commit of a run; one that is due becomes an event.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::internal_events::{self, InternalEvent};
use crate::lanes::{self, LaneKey, Opening, Stage};
use crate::{Error, Store};

/// What a run wants of its conversation's timers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    /// Set it; one of the same name is replaced.
    Set {
        /// Unique in the conversation.
        name: String,
        /// Names the event that it becomes.
        id: Uuid,
        /// When it is due.
        due_at: DateTime<Utc>,
        /// For the flow.
        payload: String,
    },
    /// Cancel the timer of this name, if there is one.
    Cancel(String),
}

/// A change with its conversation.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    pub tenant_id: Uuid,
    pub contact_id: Uuid,
    pub conversation_id: Uuid,
    pub channel_id: Uuid,
    pub change: &'a TimerChange,
}

impl TimerChange {
    fn name(&self) -> &str {
        match self {
            TimerChange::Set { name, .. } | TimerChange::Cancel(name) => name,
        }
    }
}

/// Applies the changes; of several for one timer the last counts. The caller holds the lanes.
pub(crate) async fn apply(db: &mut PgConnection, changes: &[Placed<'_>]) -> Result<(), sqlx::Error> {
    let mut last: HashMap<(Uuid, Uuid, &str), &Placed<'_>> = HashMap::new();
    for placed in changes {
        last.insert((placed.tenant_id, placed.conversation_id, placed.change.name()), placed);
    }
    let mut last: Vec<_> = last.into_iter().collect();
    last.sort_unstable_by_key(|(key, _)| *key);
    let cancelled: Vec<_> = last
        .iter()
        .filter(|(_, placed)| matches!(placed.change, TimerChange::Cancel(_)))
        .map(|(key, _)| *key)
        .collect();
    if !cancelled.is_empty() {
        sqlx::query!(
            "delete from timers t using unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, conversation_id, name)
             where t.tenant_id = k.tenant_id and t.conversation_id = k.conversation_id and t.name = k.name",
            &cancelled.iter().map(|key| key.0).collect::<Vec<_>>(),
            &cancelled.iter().map(|key| key.1).collect::<Vec<_>>(),
            &cancelled.iter().map(|key| key.2.to_owned()).collect::<Vec<_>>()
        )
        .execute(&mut *db)
        .await?;
    }
    let set: Vec<_> = last
        .iter()
        .filter_map(|(_, placed)| match placed.change {
            TimerChange::Set { name, id, due_at, payload } => Some((placed, name, id, due_at, payload)),
            TimerChange::Cancel(_) => None,
        })
        .collect();
    if set.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into timers (tenant_id, conversation_id, name, id, contact_id, channel_id, due_at, payload)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[],
                              $7::timestamptz[], $8::text[])
         on conflict (tenant_id, conversation_id, name)
         do update set id = excluded.id, due_at = excluded.due_at, payload = excluded.payload",
        &set.iter().map(|row| row.0.tenant_id).collect::<Vec<_>>(),
        &set.iter().map(|row| row.0.conversation_id).collect::<Vec<_>>(),
        &set.iter().map(|row| row.1.clone()).collect::<Vec<_>>(),
        &set.iter().map(|row| *row.2).collect::<Vec<_>>(),
        &set.iter().map(|row| row.0.contact_id).collect::<Vec<_>>(),
        &set.iter().map(|row| row.0.channel_id).collect::<Vec<_>>(),
        &set.iter().map(|row| *row.3).collect::<Vec<_>>(),
        &set.iter().map(|row| row.4.clone()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// Names of a conversation's timers.
    pub async fn timer_names(&self, tenant_id: Uuid, conversation_id: Uuid) -> Result<Vec<String>, Error> {
        // Primary key.
        let names = sqlx::query_scalar!(
            "select name from timers where tenant_id = $1 and conversation_id = $2",
            tenant_id,
            conversation_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(names)
    }

    /// When the next timer is due, if there is one.
    pub async fn next_timer(&self) -> Result<Option<DateTime<Utc>>, Error> {
        // Index timers_due.
        Ok(sqlx::query_scalar!("select due_at from timers order by due_at limit 1").fetch_optional(&self.pool).await?)
    }

    /// Turns up to `limit` timers that are due into events. Gives how many were looked at.
    pub async fn fire_timers(&self, limit: i64) -> Result<usize, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Index timers_due. Not locked yet: lanes come first, as in the commit of a run, which sets timers.
        let due = sqlx::query!(
            "select tenant_id, contact_id, conversation_id, name, id from timers where due_at <= $1
             order by due_at limit $2",
            now,
            limit
        )
        .fetch_all(&mut *tx)
        .await?;
        if due.is_empty() {
            return Ok(0);
        }
        let keys = due.iter().map(|row| LaneKey { tenant_id: row.tenant_id, contact_id: row.contact_id });
        lanes::open(&mut tx, Stage::Flow, keys.map(Opening::of), now, TimeDelta::zero()).await?;
        // By primary key. What was set again, cancelled or fired by another process meanwhile is left out.
        let mut fired = sqlx::query!(
            "delete from timers t
             using unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) as k (tenant_id, conversation_id, name, id)
             where t.tenant_id = k.tenant_id and t.conversation_id = k.conversation_id and t.name = k.name
               and t.id = k.id
             returning t.tenant_id, t.contact_id, t.conversation_id, t.channel_id, t.name, t.id, t.due_at, t.payload",
            &due.iter().map(|row| row.tenant_id).collect::<Vec<_>>(),
            &due.iter().map(|row| row.conversation_id).collect::<Vec<_>>(),
            &due.iter().map(|row| row.name.clone()).collect::<Vec<_>>(),
            &due.iter().map(|row| row.id).collect::<Vec<_>>()
        )
        .fetch_all(&mut *tx)
        .await?;
        fired.sort_by_key(|timer| timer.due_at);
        let events: Vec<_> = fired
            .into_iter()
            .map(|timer| InternalEvent {
                tenant_id: timer.tenant_id,
                channel_id: timer.channel_id,
                conversation_id: timer.conversation_id,
                contact_id: timer.contact_id,
                kind: "timer",
                id: timer.id,
                raw: json!({
                    "name": timer.name, "due": timer.due_at.timestamp_millis(), "payload": timer.payload
                })
                .to_string(),
                occurred_at: timer.due_at,
            })
            .collect();
        internal_events::append(&mut tx, &events, now).await?;
        tx.commit().await?;
        self.wakes.flow.notify_one();
        Ok(due.len())
    }
}
