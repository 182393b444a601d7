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
    let (ours, others): (Vec<_>, Vec<_>) =
        statuses.iter().copied().partition(|(_, status)| status.message_id.is_some());
    let mut found = by_our_id(db, &ours).await?;
    // What came back to us as callback data may be another system's.
    let rest: Vec<_> = ours.into_iter().filter(|(place, _)| !found.contains_key(place)).chain(others).collect();
    found.extend(by_metas_id(db, &rest).await?);
    Ok(found)
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

fn targets(rows: Vec<Row>, statuses: &[(usize, &Progress)]) -> HashMap<usize, Target> {
    let found = rows.into_iter().filter_map(|row| {
        let (arrival, _) = statuses.get(usize::try_from(row.place).ok()? - 1)?;
        let place = Place { contact_id: row.contact_id, conversation_id: row.conversation_id };
        let (tenant_id, message_id, waits) = (row.tenant_id, row.id, row.waits);
        Some((*arrival, Target { tenant_id, message_id, place, waits, trace: traces::read(row.traceparent) }))
    });
    found.collect()
}

async fn by_our_id(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
) -> Result<HashMap<usize, Target>, sqlx::Error> {
    if statuses.is_empty() {
        return Ok(HashMap::new());
    }
    // Primary keys.
    let rows = sqlx::query_as!(
        Row,
        r#"select k.place as "place!", m.tenant_id, m.id, coalesce(c.merged_into, c.id) as "conversation_id!",
                  m.status < 'sent' as "waits!", coalesce(c.merged_contact_id, c.contact_id) as "contact_id!",
                  m.traceparent
           from unnest($1::uuid[], $2::uuid[]) with ordinality as k (tenant_id, id, place)
           join messages m on m.tenant_id = k.tenant_id and m.id = k.id
           join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
           where m.direction = 'OUT'"#,
        &statuses.iter().map(|(_, status)| status.item.tenant_id).collect::<Vec<_>>(),
        &statuses.iter().map(|(_, status)| status.message_id.unwrap_or_default()).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    Ok(targets(rows, statuses))
}

async fn by_metas_id(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
) -> Result<HashMap<usize, Target>, sqlx::Error> {
    if statuses.is_empty() {
        return Ok(HashMap::new());
    }
    // Index messages_metas_id, then primary keys.
    let rows = sqlx::query_as!(
        Row,
        r#"select k.place as "place!", m.tenant_id as "tenant_id!", m.id as "id!",
                  coalesce(c.merged_into, c.id) as "conversation_id!", m.waits as "waits!",
                  coalesce(c.merged_contact_id, c.contact_id) as "contact_id!", m.traceparent
           from unnest($1::uuid[], $2::text[]) with ordinality as k (tenant_id, wa_message_id, place)
           cross join lateral (
               select tenant_id, id, conversation_id, status < 'sent' as waits, traceparent from messages
               where tenant_id = k.tenant_id and wa_message_id = k.wa_message_id and direction = 'OUT' limit 1
           ) as m
           join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id"#,
        &statuses.iter().map(|(_, status)| status.item.tenant_id).collect::<Vec<_>>(),
        &statuses.iter().map(|(_, status)| status.wa_message_id.clone()).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    Ok(targets(rows, statuses))
}

/// Moves the messages up, writes the steps down, and makes messages whose outcome was unknown ready to be settled.
/// Gives the arrivals that were news, and whether the delivery stage has something to settle.
pub(crate) async fn advance(
    db: &mut PgConnection,
    statuses: &[(usize, &Progress)],
    targets: &HashMap<usize, Target>,
    now: DateTime<Utc>,
) -> Result<(Vec<usize>, bool), sqlx::Error> {
    let mut found: Vec<(usize, &Progress, Target)> =
        statuses.iter().filter_map(|(n, status)| Some((*n, *status, *targets.get(n)?))).collect();
    if found.is_empty() {
        return Ok((Vec::new(), false));
    }
    found.sort_by_key(|(_, _, target)| (target.tenant_id, target.message_id));
    let steps = record(db, &found, now).await?;
    raise(db, &found, now).await?;
    // Read before the messages moved up: who waits now was among those who waited then, or waits for no status yet.
    found.retain(|(_, _, target)| target.waits);
    let hastened = hasten(db, &found, now).await?;
    Ok((steps, hastened))
}

async fn record(
    db: &mut PgConnection,
    found: &[(usize, &Progress, Target)],
    now: DateTime<Utc>,
) -> Result<Vec<usize>, sqlx::Error> {
    let rows = sqlx::query!(
        "insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
         select tenant_id, message_id, status, occurred_at, $6, detail::json
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[])
              as k (tenant_id, message_id, status, occurred_at, detail)
         on conflict (tenant_id, message_id, status, occurred_at) do nothing
         returning message_id, status, occurred_at",
        &found.iter().map(|(_, _, target)| target.tenant_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, _, target)| target.message_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.status.clone()).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.item.occurred_at).collect::<Vec<_>>(),
        &found.iter().map(|(_, status, _)| status.item.raw.clone()).collect::<Vec<_>>(),
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

/// Several statuses of one message count as the highest. Words that are no step (deleted, later ones) move nothing.
async fn raise(
    db: &mut PgConnection,
    found: &[(usize, &Progress, Target)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const STEPS: [&str; 5] = ["sent", "delivered", "read", "played", "failed"];
    let step = |status: &str| STEPS.iter().position(|step| *step == status);
    let mut highest: Vec<(usize, &Progress, Target)> = Vec::new();
    for (_, status, target) in found {
        let Some(rank) = step(&status.status) else { continue };
        match highest.last_mut() {
            Some(last) if last.2.message_id == target.message_id => {
                if rank > last.0 {
                    *last = (rank, status, *target);
                }
            }
            _ => highest.push((rank, status, *target)),
        }
    }
    sqlx::query!(
        "update messages m set
             status = greatest(m.status, k.status::message_status),
             wa_message_id = coalesce(m.wa_message_id, k.wa_message_id),
             error = coalesce(k.error::json, m.error),
             updated_at = $6
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
              as k (tenant_id, id, status, wa_message_id, error)
         where m.tenant_id = k.tenant_id and m.id = k.id
           and (m.status < k.status::message_status or m.wa_message_id is null)",
        &highest.iter().map(|(_, _, target)| target.tenant_id).collect::<Vec<_>>(),
        &highest.iter().map(|(_, _, target)| target.message_id).collect::<Vec<_>>(),
        &highest.iter().map(|(rank, _, _)| STEPS[*rank].to_owned()).collect::<Vec<_>>(),
        &highest.iter().map(|(_, status, _)| status.wa_message_id.clone()).collect::<Vec<_>>(),
        &highest.iter().map(|(_, status, _)| status.error.clone()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
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
    let hastened = sqlx::query!(
        "update lanes l set ready_at = $4
         from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
         join outbox o on o.tenant_id = k.tenant_id and o.contact_id = k.contact_id
                      and o.message_id = k.message_id and o.state = 'unknown'
         where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1 and l.ready_at > $4",
        &found.iter().map(|(_, _, target)| target.tenant_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, _, target)| target.place.contact_id).collect::<Vec<_>>(),
        &found.iter().map(|(_, _, target)| target.message_id).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(hastened.rows_affected() > 0)
}
