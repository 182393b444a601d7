//! Progress of sent messages, as Meta reports it: out of order, repeated, sometimes before our own record of the send.
//!
//! A message is found by our id (it comes back as callback data) or by Meta's; its status only moves up.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::contacts::Place;
use crate::journal::Progress;
use crate::traces;
use crate::webhooks::notices::Notices;
use crate::webhooks::types;

/// The message that a status is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub tenant_id: Uuid,
    pub message_id: Uuid,
    pub place: Place,
    /// Its lane may wait for news of it.
    pub waits: bool,
    /// The trace of what queued it.
    pub trace: Option<TraceContext>,
}

impl Target {
    /// Tells of a status that was news. Meta's `sent` is none where our own record of the send has told it; any later
    /// status tells it as well where that record is still to come.
    pub fn tell(&self, status: &Progress, notices: &mut Notices) {
        let (kind, at) = (types::of_status(&status.status), status.item.occurred_at);
        if self.waits && status.status != "failed" && kind.is_some() {
            notices.message(self.tenant_id, self.message_id, types::MESSAGE_SENT, at);
        }
        if let Some(kind) = kind.filter(|kind| *kind != types::MESSAGE_SENT) {
            notices.message(self.tenant_id, self.message_id, kind, at);
        }
    }
}

/// The messages of these statuses, by place in the batch; those of messages that are not ours are missing.
pub(crate) async fn find(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
) -> Result<HashMap<usize, Target>, sqlx::Error> {
    if statuses.is_empty() {
        return Ok(HashMap::new());
    }
    // Primary keys, or else index messages_metas_id: what came back to us as callback data may be another system's.
    let rows = sqlx::query_as!(
        Row,
        r#"select k.place as "place!", k.tenant_id as "tenant_id!", m.id as "id!",
                  coalesce(c.merged_into, c.id) as "conversation_id!", m.waits as "waits!",
                  coalesce(c.merged_contact_id, c.contact_id) as "contact_id!", m.traceparent
           from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as k (tenant_id, id, wa_message_id, place)
           cross join lateral (
               (select id, conversation_id, status < 'sent' as waits, traceparent from messages
                where tenant_id = k.tenant_id and id = k.id and direction = 'OUT' limit 1)
               union all
               (select id, conversation_id, status < 'sent', traceparent from messages
                where tenant_id = k.tenant_id and wa_message_id = k.wa_message_id and direction = 'OUT' limit 1)
               limit 1
           ) as m
           join conversations c on c.tenant_id = any (array[k.tenant_id]) and c.id = m.conversation_id"#,
        &statuses.iter().map(|(_, status)| status.item.tenant_id).collect::<Vec<_>>(),
        &statuses.iter().map(|(_, status)| status.message_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &statuses.iter().map(|(_, status)| status.wa_message_id.clone()).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().filter_map(|row| {
        let (arrival, _) = statuses.get(usize::try_from(row.place).ok()? - 1)?;
        let place = Place { contact_id: row.contact_id, conversation_id: row.conversation_id };
        let (tenant_id, message_id, waits) = (row.tenant_id, row.id, row.waits);
        Some((*arrival, Target { tenant_id, message_id, place, waits, trace: traces::read(row.traceparent) }))
    });
    Ok(found.collect())
}

/// A message, and which of the statuses is about it, from 1.
struct Row {
    place: i64,
    tenant_id: Uuid,
    id: Uuid,
    conversation_id: Uuid,
    contact_id: Uuid,
    waits: bool,
    traceparent: Option<String>,
}

/// What became of statuses whose messages were found.
#[derive(Debug, Default)]
pub(crate) struct Advanced {
    /// Arrivals that were news.
    pub fresh: Vec<usize>,
    /// The delivery stage has something to settle.
    pub hastened: bool,
}

/// Moves the messages up, writes the steps down, and makes messages whose outcome was unknown ready to be settled.
pub(crate) async fn advance(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
    targets: &HashMap<usize, Target>,
    now: DateTime<Utc>,
) -> Result<Advanced, sqlx::Error> {
    let mut found: Vec<(usize, &Progress, Target)> =
        statuses.iter().filter_map(|(n, status)| Some((*n, *status, *targets.get(n)?))).collect();
    if found.is_empty() {
        return Ok(Advanced::default());
    }
    // The order of the steps' keys, for all who write some of the same.
    found.sort_by_key(|(_, status, target)| {
        (target.tenant_id, target.message_id, status.status.as_str(), status.item.occurred_at)
    });
    let fresh = write(db, &found, now).await?;
    // A statement of its own, behind the one that waited for whoever was settling: it sees what that one wrote. Read
    // before the messages moved up: who waits now was among those who waited then, or waits for no status yet.
    found.retain(|(_, _, target)| target.waits);
    let hastened = hasten(db, &found, now).await?;
    Ok(Advanced { fresh, hastened })
}

/// The steps, and the messages in their order. Several statuses of one message count as the highest; words that are no
/// step (deleted, later ones) move nothing.
async fn write(
    db: &mut PgConnection,
    found: &[(usize, &Progress, Target)],
    now: DateTime<Utc>,
) -> Result<Vec<usize>, sqlx::Error> {
    const STEPS: [&str; 5] = ["sent", "delivered", "read", "played", "failed"];
    let step = |status: &str| STEPS.iter().find(|step| **step == status).map(|step| (*step).to_owned());
    let rows = sqlx::query!(
        "with k as materialized (
             select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                                  $7::text[], $8::text[])
                 as k (tenant_id, message_id, status, occurred_at, detail, step, wa_message_id, error)
         ), raised as (
             update messages m set
                 status = greatest(m.status, k.step),
                 wa_message_id = coalesce(m.wa_message_id, k.wa_message_id),
                 error = coalesce(k.error::json, m.error),
                 updated_at = $9
             from (select distinct on (tenant_id, message_id)
                          tenant_id, message_id, step::message_status as step, wa_message_id, error
                   from k where step is not null
                   order by tenant_id, message_id, step::message_status desc) as k
             where m.tenant_id = any (array[k.tenant_id]) and m.id = k.message_id
               and (m.status < k.step or m.wa_message_id is null)
         )
         insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
         select tenant_id, message_id, status, occurred_at, $9, detail::json from k
         on conflict (tenant_id, message_id, status, occurred_at) do nothing
         returning message_id, status, occurred_at",
        &found.iter().map(|(_, _, target)| target.tenant_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, _, target)| target.message_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.status.clone()).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.item.occurred_at).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.item.raw.clone()).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| step(&status.status)).collect::<Vec<_>>() as &[Option<String>],
        &found.iter().map(|(_, status, _)| status.wa_message_id.clone()).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.error.clone()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .fetch_all(db)
    .await?;
    let arrivals: HashMap<_, _> = found
        .iter()
        .rev()
        .map(|(n, status, target)| ((target.message_id, status.status.as_str(), status.item.occurred_at), *n))
        .collect();
    let fresh = rows.iter().filter_map(|row| arrivals.get(&(row.message_id, row.status.as_str(), row.occurred_at)));
    Ok(fresh.copied().collect())
}

/// A message that waits in its lane because nobody knew whether Meta had it can be settled now.
async fn hasten(
    db: &mut PgConnection,
    found: &[(usize, &Progress, Target)],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    if found.is_empty() {
        return Ok(false);
    }
    // Primary keys, row by row.
    let hastened = sqlx::query!(
        "update lanes l set ready_at = $4
         from (select k.tenant_id, k.contact_id, 1::smallint as stage
               from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
               cross join lateral (
                   select from outbox
                   where tenant_id = k.tenant_id and contact_id = k.contact_id and message_id = k.message_id
                     and state = 'unknown' limit 1
               ) as o
               order by k.tenant_id, k.contact_id) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage and l.lease_token < 1
           and l.ready_at > $4",
        &found.iter().map(|(_, _, target)| target.tenant_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, _, target)| target.place.contact_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, _, target)| target.message_id).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(hastened.rows_affected() > 0)
}
