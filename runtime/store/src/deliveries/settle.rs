//! The settlement of claimed messages, fenced by their lanes' leases.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Settlement, Verdict, take_out};
use crate::Store;
use crate::lanes::{self, Closing, LaneKey, Stage};
use crate::webhooks::types;

impl Store {
    /// Writes the verdicts down in one transaction. For each: whether its lane was still owned; if not, nothing of it
    /// was written, except that an acceptance by Meta is never forgotten.
    pub async fn settle(&self, settlements: &[Arc<Settlement>]) -> Result<Vec<bool>, sqlx::Error> {
        let now = self.ambient.now();
        let mut tx = self.hot.begin().await?;
        let finished =
            lanes::finish(&mut tx, Stage::Delivery, settlements.iter().map(|one| one.closing()), now).await?;
        let is_held = |one: &Settlement| finished.held.contains(&one.lease.lane);
        let mut written: Vec<&Arc<Settlement>> =
            settlements.iter().filter(|one| one.verdict.is_told(is_held(one))).collect();
        written.sort_by_key(|one| (one.lease.lane.tenant_id, one.message_id));
        let accepted = write_messages(&mut tx, &written, now).await?;
        write_steps(&mut tx, &written, now).await?;
        let (over, left): (Vec<&Arc<Settlement>>, Vec<&Arc<Settlement>>) =
            settlements.iter().filter(|one| is_held(one)).partition(|one| one.verdict.is_final());
        put_back(&mut tx, &left).await?;
        let over: Vec<_> = over.iter().map(|one| (one.lease.lane, one.message_id)).collect();
        take_out(&mut tx, &over).await?;
        // A status was faster than the answer: the next claim only takes the message out.
        let known: Vec<LaneKey> =
            left.iter().map(|one| one.lease.lane).filter(|lane| accepted.contains(lane)).collect();
        lanes::hurry(&mut tx, Stage::Delivery, &known, now).await?;
        let late: Vec<(Uuid, Uuid)> = settlements
            .iter()
            .filter(|one| matches!(one.verdict, Verdict::Sent { .. }) && !is_held(one))
            .map(|one| (one.lease.lane.tenant_id, one.message_id))
            .collect();
        let hastened = hasten(&mut tx, &late, now).await?;
        let mut notices = self.notices();
        for one in &written {
            if let Some(kind) = one.verdict.told_as() {
                notices.message(one.lease.lane.tenant_id, one.message_id, kind, now);
            }
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        if finished.more || hastened || !left.is_empty() {
            self.wakes.delivery.notify_one();
        }
        Ok(settlements.iter().map(|one| is_held(one)).collect())
    }
}

impl Settlement {
    fn closing(&self) -> Closing {
        Closing { lease: self.lease, done_event: None, again: self.verdict.again().map(|at| (at, 0)) }
    }
}

/// Messages that Meta is known to have by now, whose lanes somebody took over and, for want of that knowledge, lets wait:
/// the next claim takes them out. A contact may have been merged into another meanwhile.
async fn hasten(db: &mut PgConnection, late: &[(Uuid, Uuid)], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    if late.is_empty() {
        return Ok(false);
    }
    // Primary keys, row by row.
    let hastened = sqlx::query!(
        "update lanes l set ready_at = $3
         from (select k.tenant_id, c.contact_id, 1::smallint as stage
               from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, id)
               cross join lateral (
                   select coalesce(cv.merged_contact_id, cv.contact_id) as contact_id
                   from messages m
                   join conversations cv on cv.tenant_id = m.tenant_id and cv.id = m.conversation_id
                   where m.tenant_id = k.tenant_id and m.id = k.id limit 1
               ) as c
               cross join lateral (
                   select from outbox
                   where tenant_id = k.tenant_id and contact_id = c.contact_id and message_id = k.id
                     and state = 'unknown' limit 1
               ) as o
               order by k.tenant_id, c.contact_id) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage and l.lease_token < 1
           and l.ready_at > $3",
        &late.iter().map(|one| one.0).collect::<Vec<_>>(),
        &late.iter().map(|one| one.1).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(hastened.rows_affected() > 0)
}

/// Messages that are not done go back into the outbox.
async fn put_back(db: &mut PgConnection, owned: &[&Arc<Settlement>]) -> Result<(), sqlx::Error> {
    let back: Vec<(&Arc<Settlement>, &str, i32)> = owned
        .iter()
        .filter_map(|one| match &one.verdict {
            Verdict::Retry { .. } => Some((*one, "queued", 0)),
            Verdict::Postponed { .. } => Some((*one, "queued", 1)),
            Verdict::Unknown { .. } => Some((*one, "unknown", 0)),
            Verdict::Sent { .. } | Verdict::Dead { .. } => None,
        })
        .collect();
    if back.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update outbox o set state = k.state, attempts = o.attempts - k.uncounted
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[])
              as k (tenant_id, contact_id, message_id, state, uncounted)
         where o.tenant_id = any (array[k.tenant_id]) and o.contact_id = k.contact_id and o.message_id = k.message_id",
        &back.iter().map(|(one, _, _)| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &back.iter().map(|(one, _, _)| one.lease.lane.contact_id).collect::<Vec<_>>(),
        &back.iter().map(|(one, _, _)| one.message_id).collect::<Vec<_>>(),
        &back.iter().map(|(_, state, _)| (*state).to_owned()).collect::<Vec<_>>(),
        &back.iter().map(|(_, _, uncounted)| *uncounted).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

impl Verdict {
    /// The status that the message reaches, if it moves.
    fn status(&self) -> &'static str {
        match self {
            Verdict::Sent { .. } => "sent",
            Verdict::Dead { .. } => "failed",
            Verdict::Retry { .. } | Verdict::Unknown { .. } | Verdict::Postponed { .. } => "queued",
        }
    }

    /// Whether the message's own row says something of it. An acceptance by Meta does in any case.
    fn is_told(&self, is_held: bool) -> bool {
        match self {
            Verdict::Sent { .. } => true,
            Verdict::Postponed { error: None, .. } => false,
            _ => is_held,
        }
    }

    /// It used up one of the message's attempts.
    fn is_counted(&self) -> bool {
        !matches!(self, Verdict::Postponed { .. })
    }

    /// Nothing is left to do for the message.
    fn is_final(&self) -> bool {
        matches!(self, Verdict::Sent { .. } | Verdict::Dead { .. })
    }

    /// When to go on with the message.
    fn again(&self) -> Option<DateTime<Utc>> {
        match self {
            Verdict::Retry { at, .. } | Verdict::Postponed { at, .. } => Some(*at),
            Verdict::Unknown { until, .. } => Some(*until),
            Verdict::Sent { .. } | Verdict::Dead { .. } => None,
        }
    }

    /// The word in the timeline. An acceptance is a column of the message.
    fn step(&self) -> &'static str {
        match self {
            Verdict::Sent { .. } => "accepted",
            Verdict::Dead { .. } => "failed",
            Verdict::Retry { .. } => "retry",
            Verdict::Unknown { .. } => "unknown",
            Verdict::Postponed { .. } => "postponed",
        }
    }

    /// The type of the notice that tells of it.
    fn told_as(&self) -> Option<&'static str> {
        match self {
            Verdict::Sent { .. } => Some(types::MESSAGE_SENT),
            Verdict::Dead { expired: true, .. } => Some(types::MESSAGE_EXPIRED),
            Verdict::Dead { .. } => Some(types::MESSAGE_DEAD),
            Verdict::Retry { .. } | Verdict::Unknown { .. } | Verdict::Postponed { .. } => None,
        }
    }

    fn error(&self) -> Option<String> {
        match self {
            Verdict::Sent { .. } => None,
            Verdict::Postponed { error, .. } => error.clone(),
            Verdict::Retry { error, .. } | Verdict::Unknown { error, .. } | Verdict::Dead { error, .. } => {
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

/// Gives the lanes of messages that Meta is known to have.
async fn write_messages(
    db: &mut PgConnection,
    written: &[&Arc<Settlement>],
    now: DateTime<Utc>,
) -> Result<HashSet<LaneKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"update messages m set
             status = greatest(m.status, k.status::message_status),
             wa_message_id = coalesce(m.wa_message_id, k.wa_message_id),
             attempts = greatest(m.attempts, k.attempts),
             error = case when k.status = 'sent' and m.status < 'failed' then null else coalesce(k.error::json, m.error) end,
             accepted_at = case when k.status = 'sent' then coalesce(m.accepted_at, $7) else m.accepted_at end,
             dead_at = case when k.status = 'failed' then $7 else m.dead_at end,
             updated_at = $7
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[])
              with ordinality as k (tenant_id, id, status, wa_message_id, attempts, error, place)
         where m.tenant_id = any (array[k.tenant_id]) and m.id = k.id
         returning k.place as "place!", m.status >= 'sent' as "accepted!""#,
        &written.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &written.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.status().to_owned()).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.wa_message_id()).collect::<Vec<_>>() as &[Option<String>],
        &written.iter().map(|one| one.attempts - i32::from(!one.verdict.is_counted())).collect::<Vec<_>>(),
        &written.iter().map(|one| one.verdict.error()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .fetch_all(db)
    .await?;
    let known = rows.into_iter().filter_map(|row| {
        let one = written.get(usize::try_from(row.place).ok()? - 1)?;
        row.accepted.then_some(one.lease.lane)
    });
    Ok(known.collect())
}

async fn write_steps(
    db: &mut PgConnection,
    written: &[&Arc<Settlement>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let steps: Vec<_> = written.iter().filter(|one| !matches!(one.verdict, Verdict::Sent { .. })).collect();
    if steps.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
         select tenant_id, message_id, status, $5, $5, detail::json
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, message_id, status, detail)
         on conflict (tenant_id, message_id, status, occurred_at) do nothing",
        &steps.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &steps.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        &steps.iter().map(|one| one.verdict.step().to_owned()).collect::<Vec<_>>(),
        &steps.iter().map(|one| one.verdict.error()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
