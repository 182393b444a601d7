//! The claim of messages: `sending` is committed before any request goes out.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::Doubt;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{Delivery, take_out};
use crate::Store;
use crate::lanes::{self, Claim, Claimed, LaneKey, Lease, Stage};
use crate::messenger::person;
use crate::traces;

struct Head {
    delivery: Delivery,
    state: String,
    accepted: bool,
}

impl Store {
    /// Claims the first message of lanes and marks them `sending`. A message whose former owner is gone is in doubt: it
    /// is not among them before a further `doubt` has passed, and not at all once a status has come.
    pub async fn claim_deliveries(&self, ask: &Claim, doubt: TimeDelta) -> Result<Vec<Delivery>, crate::Error> {
        let now = self.ambient.now();
        let mut db = self.pool.acquire().await?;
        lanes::free_lost(&mut db, Stage::Delivery, &self.rotation, now).await?;
        let Some(turn) = lanes::whose_turn(&mut db, Stage::Delivery, &self.rotation, ask, now).await? else {
            return Ok(Vec::new());
        };
        let mut tx = db.begin().await?;
        let claimed = lanes::claim(&mut tx, Stage::Delivery, &turn, ask, now).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let mut heads = heads(&mut tx, &claimed, now + ask.lease).await?;
        let mut send = Vec::new();
        let mut doubtful = Vec::new();
        let mut settled = Vec::new();
        let mut over = Vec::new();
        for Claimed { lease, .. } in claimed {
            let Some(head) = heads.remove(&lease.lane) else {
                over.push((lease, None));
                continue;
            };
            if head.accepted {
                settled.push((lease.lane, head.delivery.message_id));
                over.push((head.delivery.lease, None));
            } else if head.state == "sending" {
                // Statuses may have had no reader while the owner was gone: the wait begins now, not with the request.
                doubtful.push((lease.lane, head.delivery.message_id));
                over.push((lease, Some(now + doubt)));
            } else {
                send.push(head.delivery);
            }
        }
        mark_sending(&mut tx, &send, now).await?;
        mark_unknown(&mut tx, &doubtful, now).await?;
        take_out(&mut tx, &settled).await?;
        close(&mut tx, &over, now).await?;
        tx.commit().await?;
        metrics().unknown_outcomes.of(Doubt::OwnerGone).inc_by(doubtful.len() as u64);
        if over.iter().any(|(lease, again)| lease.more && again.is_none()) {
            self.wakes.delivery.notify_one();
        }
        Ok(send)
    }
}

/// The first message of each lane; its lease knows whether there are more.
async fn heads(
    db: &mut PgConnection,
    claimed: &[Claimed],
    until: DateTime<Utc>,
) -> Result<HashMap<LaneKey, Head>, sqlx::Error> {
    // Primary keys throughout. What the outbox row names is looked up after it, row by row: a planner that does not
    // know the tables yet would otherwise read all messages of the tenant for each lane.
    let rows = sqlx::query!(
        r#"select k.place as "place!", o.message_id, o.state, o.attempts, o.channel_id,
                  m.payload::text as "payload!", m.status >= 'sent' as "accepted!", m.due_at as "due_at!",
                  m.expires_at, m.max_attempts, m.traceparent, ct.wa_id, ct.user_id,
                  m.marketing and ct.opted_out as "opted_out!"
           from unnest($1::uuid[], $2::uuid[]) with ordinality as k (tenant_id, contact_id, place)
           cross join lateral (
               select * from outbox where tenant_id = k.tenant_id and contact_id = k.contact_id
               order by position limit 2
           ) as o
           cross join lateral (
               select payload, status, coalesce(send_at, created_at) as due_at, expires_at, max_attempts, traceparent,
                      marketing
               from messages
               where tenant_id = o.tenant_id and id = o.message_id limit 1
           ) as m
           join contacts ct on ct.tenant_id = any (array[k.tenant_id]) and ct.id = k.contact_id
           order by k.place, o.position"#,
        &claimed.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &claimed.iter().map(|one| one.lease.lane.contact_id).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    let mut heads: HashMap<LaneKey, Head> = HashMap::with_capacity(claimed.len());
    for row in rows {
        let place = usize::try_from(row.place).ok();
        let Some(Claimed { lease, priority, .. }) = place.and_then(|place| claimed.get(place - 1)) else { continue };
        if let Some(head) = heads.get_mut(&lease.lane) {
            head.delivery.lease.more = true;
            continue;
        }
        let delivery = Delivery {
            lease: *lease,
            until,
            message_id: row.message_id,
            channel_id: row.channel_id,
            priority: *priority,
            wa_id: row.wa_id,
            user_id: row.user_id.map(|id| person(&id).to_owned()),
            payload: row.payload,
            attempt: row.attempts + 1,
            due_at: row.due_at,
            expires_at: row.expires_at,
            max_attempts: row.max_attempts,
            opted_out: row.opted_out,
            trace: traces::read(row.traceparent),
        };
        heads.insert(lease.lane, Head { delivery, state: row.state, accepted: row.accepted });
    }
    Ok(heads)
}

async fn mark_sending(db: &mut PgConnection, send: &[Delivery], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if send.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update outbox o set state = 'sending', attempts = o.attempts + 1, sending_at = $4
         from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
         where o.tenant_id = any (array[k.tenant_id]) and o.contact_id = k.contact_id and o.message_id = k.message_id",
        &send.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &send.iter().map(|one| one.lease.lane.contact_id).collect::<Vec<_>>(),
        &send.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Messages whose owner is gone, with a step in their timelines: a redrive knows by it that they were in doubt.
async fn mark_unknown(
    db: &mut PgConnection,
    doubtful: &[(LaneKey, Uuid)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if doubtful.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with doubtful as (
             update outbox o set state = 'unknown', doubted = true
             from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
             where o.tenant_id = any (array[k.tenant_id]) and o.contact_id = k.contact_id
               and o.message_id = k.message_id
             returning o.tenant_id, o.message_id, o.attempts
         )
         insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
         select tenant_id, message_id, 'unknown', $4, $4,
                json_build_object('class', 'ambiguous', 'attempt', attempts,
                                  'message', 'who was sending it is gone, and nobody knows whether Meta has it')
         from doubtful
         on conflict (tenant_id, message_id, status, occurred_at) do nothing",
        &doubtful.iter().map(|(lane, _)| lane.tenant_id).collect::<Vec<_>>(),
        &doubtful.iter().map(|(lane, _)| lane.contact_id).collect::<Vec<_>>(),
        &doubtful.iter().map(|(_, message)| *message).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Closes lanes that this transaction has claimed: those that have nothing left are deleted, the others given back, until
/// a moment or at once. Nobody can have added anything since.
async fn close(
    db: &mut PgConnection,
    over: &[(Lease, Option<DateTime<Utc>>)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if over.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with k as materialized (
             select *, 1::smallint as stage from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::timestamptz[])
                 as k (tenant_id, contact_id, stays, again)
         ), gone as (
             delete from lanes l using k
             where not k.stays and l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage
         )
         update lanes l set ready_at = coalesce(k.again, $5), attempts = 0, lease_token = 0
         from k
         where k.stays and l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage",
        &over.iter().map(|(lease, _)| lease.lane.tenant_id).collect::<Vec<_>>(),
        &over.iter().map(|(lease, _)| lease.lane.contact_id).collect::<Vec<_>>(),
        &over.iter().map(|(lease, again)| lease.more || again.is_some()).collect::<Vec<_>>(),
        &over.iter().map(|(_, again)| *again).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
