//! The settlement of claimed messages, fenced by their lanes' leases.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Settlement, Verdict, finish};
use crate::Store;
use crate::lanes::{self, Stage};

impl Store {
    /// Writes the verdicts down in one transaction. For each: whether its lane was still owned; if not, nothing of it
    /// was written, except that an acceptance by Meta is never forgotten.
    pub async fn settle(&self, settlements: &[Arc<Settlement>]) -> Result<Vec<bool>, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let held = lanes::hold(&mut tx, Stage::Delivery, settlements.iter().map(|one| one.lease)).await?;
        let mut written: Vec<&Arc<Settlement>> = settlements
            .iter()
            .filter(|one| held.contains(&one.lease.lane) || matches!(one.verdict, Verdict::Sent { .. }))
            .collect();
        written.sort_by_key(|one| (one.lease.lane.tenant_id, one.message_id));
        write_messages(&mut tx, &written, now).await?;
        write_steps(&mut tx, &written, now).await?;
        let owned: Vec<&Arc<Settlement>> = settlements.iter().filter(|one| held.contains(&one.lease.lane)).collect();
        let finished: Vec<_> = owned
            .iter()
            .filter(|one| matches!(one.verdict, Verdict::Sent { .. } | Verdict::Dead { .. }))
            .map(|one| (one.lease.lane, Some(one.message_id)))
            .collect();
        let more = finish(&mut tx, &finished, now).await?;
        let back = put_back(&mut tx, &owned, now).await?;
        tx.commit().await?;
        if more || back {
            self.wakes.delivery.notify_one();
        }
        Ok(settlements.iter().map(|one| held.contains(&one.lease.lane)).collect())
    }
}

/// Back into the outbox, with the time of the next try: at once when a status was faster than the answer, since the
/// next claim then only takes the message out. Tells whether there was any.
async fn put_back(db: &mut PgConnection, owned: &[&Arc<Settlement>], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let back: Vec<(&Arc<Settlement>, &str, DateTime<Utc>)> = owned
        .iter()
        .filter_map(|one| match &one.verdict {
            Verdict::Retry { at, .. } => Some((*one, "queued", *at)),
            Verdict::Unknown { until, .. } => Some((*one, "unknown", *until)),
            Verdict::Sent { .. } | Verdict::Dead { .. } => None,
        })
        .collect();
    if back.is_empty() {
        return Ok(false);
    }
    sqlx::query!(
        "with k as (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
                 as k (tenant_id, contact_id, message_id, state, ready_at)
         ), back as (
             update outbox o set state = k.state from k
             where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id and o.message_id = k.message_id
         )
         update lanes l set ready_at = case when m.status >= 'sent' then $6 else k.ready_at end
         from k join messages m on m.tenant_id = k.tenant_id and m.id = k.message_id
         where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1",
        &back.iter().map(|(one, _, _)| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &back.iter().map(|(one, _, _)| one.lease.lane.contact_id).collect::<Vec<_>>(),
        &back.iter().map(|(one, _, _)| one.message_id).collect::<Vec<_>>(),
        &back.iter().map(|(_, state, _)| (*state).to_owned()).collect::<Vec<_>>(),
        &back.iter().map(|(_, _, at)| *at).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(true)
}

impl Verdict {
    /// The status that the message reaches, if it moves.
    fn status(&self) -> &'static str {
        match self {
            Verdict::Sent { .. } => "sent",
            Verdict::Dead { .. } => "failed",
            Verdict::Retry { .. } | Verdict::Unknown { .. } => "queued",
        }
    }

    /// The word in the timeline.
    fn step(&self) -> &'static str {
        match self {
            Verdict::Sent { .. } => "accepted",
            Verdict::Dead { .. } => "failed",
            Verdict::Retry { .. } => "retry",
            Verdict::Unknown { .. } => "unknown",
        }
    }

    fn error(&self) -> Option<String> {
        match self {
            Verdict::Sent { .. } => None,
            Verdict::Retry { error, .. } | Verdict::Unknown { error, .. } | Verdict::Dead { error } => {
                Some(error.clone())
            }
        }
    }

    fn wa_message_id(&self) -> Option<String> {
        match self {
            Verdict::Sent { wa_message_id } => Some(wa_message_id.clone()),
            _ => None,
        }
    }
}

async fn write_messages(
    db: &mut PgConnection,
    written: &[&Arc<Settlement>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update messages m set
             status = greatest(m.status, k.status::message_status),
             wa_message_id = coalesce(m.wa_message_id, k.wa_message_id),
             attempts = greatest(m.attempts, k.attempts),
             error = case when k.status = 'sent' and m.status < 'failed' then null else coalesce(k.error::json, m.error) end,
             dead_at = case when k.status = 'failed' then $7 else m.dead_at end,
             updated_at = $7
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[])
              as k (tenant_id, id, status, wa_message_id, attempts, error)
         where m.tenant_id = k.tenant_id and m.id = k.id",
        &written.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &written.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.status().to_owned()).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.wa_message_id()).collect::<Vec<_>>() as &[Option<String>],
        &written.iter().map(|one| one.attempts).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.error()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn write_steps(
    db: &mut PgConnection,
    written: &[&Arc<Settlement>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
         select tenant_id, message_id, status, $5, $5, detail::json
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, message_id, status, detail)
         on conflict (tenant_id, message_id, status, occurred_at) do nothing",
        &written.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &written.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.step().to_owned()).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.error()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
