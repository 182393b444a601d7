//! Events that Hoopoe itself adds to the journal: timers that are due, answers to HTTP calls; and how many of a
//! contact's latest events were consequences of what its flow has decided.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::identity;
use crate::lanes::{self, LaneKey, Opening, Stage};
use crate::{Error, Store};

/// An event for a conversation's flow.
#[derive(Debug)]
pub(crate) struct InternalEvent {
    pub tenant_id: Uuid,
    pub channel_id: Uuid,
    pub conversation_id: Uuid,
    pub contact_id: Uuid,
    /// `timer` or `http-response`.
    pub kind: &'static str,
    /// What makes it unique among the channel's events of this kind.
    pub id: Uuid,
    /// JSON text.
    pub raw: String,
    pub occurred_at: DateTime<Utc>,
}

/// Appends the events and opens their lanes. The caller commits, and then wakes the flow stage.
pub(crate) async fn append(
    db: &mut PgConnection,
    events: &[InternalEvent],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let keys = events.iter().map(|event| LaneKey { tenant_id: event.tenant_id, contact_id: event.contact_id });
    let keys: Vec<LaneKey> = keys.collect();
    lanes::open(db, Stage::Flow, keys.iter().copied().map(Opening::of), now, TimeDelta::zero()).await?;
    let added = sqlx::query!(
        "insert into events (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw, occurred_at,
                             received_at)
         select tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw::json, occurred_at, $9
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[])
              with ordinality as k (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw,
                                    occurred_at, place)
         where not exists (select from merged_contacts g where g.tenant_id = k.tenant_id and g.contact_id = k.contact_id)
         order by place
         on conflict (tenant_id, channel_id, kind, external_id) do nothing",
        &events.iter().map(|event| event.tenant_id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.channel_id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.conversation_id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.contact_id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.kind.to_owned()).collect::<Vec<_>>(),
        &events.iter().map(|event| event.id.to_string()).collect::<Vec<_>>(),
        &events.iter().map(|event| event.raw.clone()).collect::<Vec<_>>(),
        &events.iter().map(|event| event.occurred_at).collect::<Vec<_>>(),
        now
    )
    .execute(&mut *db)
    .await?;
    if added.rows_affected() < events.len() as u64 && !identity::merged_among(db, &keys).await?.is_empty() {
        return Err(identity::merged());
    }
    Ok(())
}

impl Store {
    /// Of the contact's latest events up to this one, at most `latest`: how many came after `since` and are timers,
    /// answers to HTTP calls, or statuses.
    pub async fn consequences(
        &self,
        lane: LaneKey,
        up_to: i64,
        since: DateTime<Utc>,
        latest: i64,
    ) -> Result<i64, Error> {
        // Index events_lane, backwards.
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!"
               from (select kind, received_at from events
                     where tenant_id = $1 and contact_id = $2 and id <= $3 order by id desc limit $4) as latest
               where kind in ('timer', 'http-response', 'status') and received_at > $5"#,
            lane.tenant_id,
            lane.contact_id,
            up_to,
            latest,
            since
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}
