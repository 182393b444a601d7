//! The claim of messages: `sending` is committed before any request goes out.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Delivery, finish};
use crate::Store;
use crate::lanes::{self, LaneKey, Lease, Stage};

struct Head {
    delivery: Delivery,
    state: String,
    accepted: bool,
}

impl Store {
    /// Claims the first message of up to `limit` lanes for `lease` and marks them `sending`. A message whose former
    /// owner is gone is in doubt: it is not among them before a further `doubt` has passed, and not at all once a
    /// status has come.
    pub async fn claim_deliveries(
        &self,
        limit: i64,
        lease: TimeDelta,
        doubt: TimeDelta,
    ) -> Result<Vec<Delivery>, crate::Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let claimed = lanes::claim(&mut tx, Stage::Delivery, limit, now, lease).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let leases: Vec<Lease> = claimed.into_iter().map(|lane| lane.lease).collect();
        let mut heads = heads(&mut tx, &leases).await?;
        let mut send = Vec::new();
        let mut doubtful = Vec::new();
        let mut finished = Vec::new();
        for lease in leases {
            let Some(head) = heads.remove(&lease.lane) else {
                finished.push((lease.lane, None));
                continue;
            };
            if head.accepted {
                finished.push((lease.lane, Some(head.delivery.message_id)));
            } else if head.state == "sending" {
                // Statuses may have had no reader while the owner was gone: the wait begins now, not with the request.
                doubtful.push((lease.lane, head.delivery.message_id, now + doubt));
            } else {
                send.push(head.delivery);
            }
        }
        mark_sending(&mut tx, &send, now).await?;
        mark_unknown(&mut tx, &doubtful).await?;
        let more = finish(&mut tx, &finished, now).await?;
        tx.commit().await?;
        if more {
            self.wakes.delivery.notify_one();
        }
        Ok(send)
    }
}

/// The first message of each lane.
async fn heads(db: &mut PgConnection, leases: &[Lease]) -> Result<HashMap<LaneKey, Head>, sqlx::Error> {
    // Primary keys throughout. What the outbox row names is looked up after it, row by row: a planner that does not
    // know the tables yet would otherwise read all messages of the tenant for each lane.
    let rows = sqlx::query!(
        r#"select k.place as "place!", o.message_id, o.state, o.attempts, o.channel_id,
                  m.payload::text as "payload!", m.status >= 'sent' as "accepted!",
                  ch.phone_number_id, ch.token_sealed, ch.token_key_id, ct.wa_id, ct.user_id
           from unnest($1::uuid[], $2::uuid[]) with ordinality as k (tenant_id, contact_id, place)
           cross join lateral (
               select * from outbox where tenant_id = k.tenant_id and contact_id = k.contact_id
               order by message_id limit 1
           ) as o
           cross join lateral (
               select payload, status from messages where tenant_id = o.tenant_id and id = o.message_id limit 1
           ) as m
           cross join lateral (
               select phone_number_id, token_sealed, token_key_id from channels
               where tenant_id = o.tenant_id and id = o.channel_id limit 1
           ) as ch
           join contacts ct on ct.tenant_id = k.tenant_id and ct.id = k.contact_id"#,
        &leases.iter().map(|lease| lease.lane.tenant_id).collect::<Vec<_>>(),
        &leases.iter().map(|lease| lease.lane.contact_id).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    let heads = rows.into_iter().filter_map(|row| {
        let lease = *leases.get(usize::try_from(row.place).ok()? - 1)?;
        let delivery = Delivery {
            lease,
            message_id: row.message_id,
            channel_id: row.channel_id,
            phone_number_id: row.phone_number_id,
            token: Sealed { key_id: row.token_key_id, bytes: row.token_sealed },
            wa_id: row.wa_id,
            user_id: row.user_id,
            payload: row.payload,
            attempt: row.attempts + 1,
        };
        let head = Head { delivery, state: row.state, accepted: row.accepted };
        Some((lease.lane, head))
    });
    Ok(heads.collect())
}

async fn mark_sending(db: &mut PgConnection, send: &[Delivery], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if send.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update outbox o set state = 'sending', attempts = o.attempts + 1, sending_at = $4
         from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
         where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id and o.message_id = k.message_id",
        &send.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &send.iter().map(|one| one.lease.lane.contact_id).collect::<Vec<_>>(),
        &send.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn mark_unknown(db: &mut PgConnection, doubtful: &[(LaneKey, Uuid, DateTime<Utc>)]) -> Result<(), sqlx::Error> {
    if doubtful.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with k as (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])
                 as k (tenant_id, contact_id, message_id, until)
         ), doubt as (
             update outbox o set state = 'unknown' from k
             where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id and o.message_id = k.message_id
         )
         update lanes l set ready_at = k.until from k
         where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1",
        &doubtful.iter().map(|(lane, _, _)| lane.tenant_id).collect::<Vec<_>>(),
        &doubtful.iter().map(|(lane, _, _)| lane.contact_id).collect::<Vec<_>>(),
        &doubtful.iter().map(|(_, message, _)| *message).collect::<Vec<_>>(),
        &doubtful.iter().map(|(_, _, until)| *until).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
