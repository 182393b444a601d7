//! Progress of sent messages, as Meta reports it: out of order, repeated, sometimes before our own record of the send.
//!
//! A message is found by our id (it comes back as callback data) or by Meta's; its status only moves up.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hoopoe_telemetry::trace::TraceContext;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::composite::composite;
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
    /// Nobody knows yet that Meta has it: its lane may wait for news of it, or it was given up.
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
    Ok(look_up(db, statuses, None).await?.targets)
}

/// What became of statuses.
#[derive(Debug, Default)]
pub(crate) struct Advanced {
    /// The messages of those that have one, by arrival.
    pub targets: HashMap<usize, Target>,
    /// Arrivals that were news.
    pub fresh: Vec<usize>,
    /// The delivery stage has something to settle.
    pub hastened: bool,
}

/// Moves the messages up, writes the steps down, and makes messages whose outcome was unknown ready to be settled.
pub(crate) async fn advance(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
    now: DateTime<Utc>,
) -> Result<Advanced, sqlx::Error> {
    if statuses.is_empty() {
        return Ok(Advanced::default());
    }
    let Advanced { targets, fresh, .. } = look_up(db, statuses, Some(now)).await?;
    // A statement of its own, behind the one that waited for whoever was settling: it sees what that one wrote. Read
    // before the messages moved up: who waits now was among those who waited then, or waits for no status yet.
    let waiting: Vec<Target> = targets.values().filter(|target| target.waits).copied().collect();
    let hastened = hasten(db, &waiting, now).await?;
    Ok(Advanced { targets, fresh, hastened })
}

/// A status.
#[derive(sqlx::Encode)]
struct NewStatus<'a> {
    tenant_id: Uuid,
    id: Option<Uuid>,
    wa_message_id: &'a str,
    status: &'a str,
    occurred_at: DateTime<Utc>,
    detail: &'a str,
    step: Option<&'a str>,
    error: Option<&'a str>,
}
composite!(NewStatus<'_>, "new_status");

impl<'a> NewStatus<'a> {
    fn of(status: &'a Progress) -> Self {
        const STEPS: [&str; 5] = ["sent", "delivered", "read", "played", "failed"];
        let word = status.status.as_str();
        Self {
            tenant_id: status.item.tenant_id,
            id: status.message_id,
            wa_message_id: &status.wa_message_id,
            status: word,
            occurred_at: status.item.occurred_at,
            detail: &status.item.raw,
            step: Some(word).filter(|word| STEPS.contains(word)),
            error: status.error.as_deref(),
        }
    }
}

/// Finds the messages and, with a time, moves them up and writes the steps down at that time, in the order of their keys
/// for all who write some of the same. Several statuses of one message count as the highest; words that are no step
/// (deleted, later ones) move nothing. What was given up and turns out to be at Meta is no dead letter any more: sent once
/// more it would be there twice.
async fn look_up(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
    moved_at: Option<DateTime<Utc>>,
) -> Result<Advanced, sqlx::Error> {
    let given: Vec<NewStatus<'_>> = statuses.iter().map(|(_, status)| NewStatus::of(status)).collect();
    // Primary keys, or else index messages_metas_id: what came back to us as callback data may be another system's.
    let rows = sqlx::query!(
        r#"with found as materialized (
               select k.*, k.ordinality as place, m.id as message_id, m.waits, m.traceparent,
                      coalesce(c.merged_into, c.id) as conversation_id,
                      coalesce(c.merged_contact_id, c.contact_id) as contact_id
               from unnest($1::new_status[]) with ordinality as k
               cross join lateral (
                   (select id, conversation_id, status < 'sent' or dead_at is not null as waits, traceparent
                    from messages
                    where tenant_id = k.tenant_id and id = k.id and direction = 'OUT' limit 1)
                   union all
                   (select id, conversation_id, status < 'sent' or dead_at is not null, traceparent
                    from messages
                    where tenant_id = k.tenant_id and wa_message_id = k.wa_message_id and direction = 'OUT' limit 1)
                   limit 1
               ) as m
               join conversations c on c.tenant_id = any (array[k.tenant_id]) and c.id = m.conversation_id
           ), raised as (
               update messages m set
                   status = case when m.dead_at is null then greatest(m.status, k.step) else k.step end,
                   wa_message_id = coalesce(m.wa_message_id, k.wa_message_id),
                   error = case when m.dead_at is null or k.step = 'failed' then coalesce(k.error::json, m.error) end,
                   dead_at = case when k.step = 'failed' then m.dead_at end,
                   updated_at = $2
               from (select distinct on (tenant_id, message_id)
                            tenant_id, message_id, step::message_status as step, wa_message_id, error
                     from found where step is not null and $2::timestamptz is not null
                     order by tenant_id, message_id, step::message_status desc) as k
               where m.tenant_id = any (array[k.tenant_id]) and m.id = k.message_id
                 and (m.status < k.step or m.wa_message_id is null or m.dead_at is not null)
           ), steps as (
               insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
               select tenant_id, message_id, status, occurred_at, $2, detail::json
               from (select * from found where $2::timestamptz is not null
                     order by tenant_id, message_id, status, occurred_at, place) as k
               on conflict (tenant_id, message_id, status, occurred_at) do nothing
               returning message_id, status, occurred_at
           )
           select place, tenant_id, message_id as "message_id!", conversation_id, contact_id, waits, traceparent,
                  null as status, null::timestamptz as occurred_at
           from found
           union all
           select null, null, message_id, null, null, null, null, status, occurred_at from steps"#,
        &given as &[NewStatus<'_>],
        moved_at
    )
    .fetch_all(db)
    .await?;
    let mut advanced = Advanced::default();
    // Of two that are the same the first is the news.
    let mut arrivals: HashMap<(Uuid, &str, DateTime<Utc>), usize> = HashMap::with_capacity(statuses.len());
    for row in &rows {
        let Some((arrival, status)) = row.place.and_then(|place| statuses.get(usize::try_from(place).ok()? - 1)) else {
            continue;
        };
        if let (Some(tenant_id), Some(conversation_id), Some(contact_id), Some(waits)) =
            (row.tenant_id, row.conversation_id, row.contact_id, row.waits)
        {
            let place = Place { contact_id, conversation_id };
            let trace = traces::read(row.traceparent.clone());
            advanced.targets.insert(*arrival, Target { tenant_id, message_id: row.message_id, place, waits, trace });
        }
        let first =
            arrivals.entry((row.message_id, status.status.as_str(), status.item.occurred_at)).or_insert(*arrival);
        *first = (*arrival).min(*first);
    }
    for row in &rows {
        if let (Some(status), Some(occurred_at)) = (&row.status, row.occurred_at) {
            advanced.fresh.extend(arrivals.get(&(row.message_id, status.as_str(), occurred_at)));
        }
    }
    Ok(advanced)
}

/// A message that waits in its lane because nobody knew whether Meta had it can be settled now.
async fn hasten(db: &mut PgConnection, waiting: &[Target], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    if waiting.is_empty() {
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
        &waiting.iter().map(|target| target.tenant_id).collect::<Vec<_>>(),
        &waiting.iter().map(|target| target.place.contact_id).collect::<Vec<_>>(),
        &waiting.iter().map(|target| target.message_id).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(hastened.rows_affected() > 0)
}
