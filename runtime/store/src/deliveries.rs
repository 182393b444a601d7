//! The delivery stage's work: the first message of each claimed lane, and the settlement of what Meta answered.
//!
//! The claim commits `sending` before a request goes out. A message that a claim finds in `sending` was in the hands
//! of an owner that is gone: its outcome is unknown, and it waits for a status before it is sent again.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::lanes::{self, LaneKey, Lease, Stage};

/// A message to send now.
#[derive(Debug)]
pub struct Delivery {
    /// Proves the ownership of the lane.
    pub lease: Lease,
    /// The message.
    pub message_id: Uuid,
    /// The number to send from.
    pub channel_id: Uuid,
    /// Meta's id of that number.
    pub phone_number_id: String,
    /// The number's access token.
    pub token: Sealed,
    /// The recipient's WhatsApp id.
    pub wa_id: Option<String>,
    /// The recipient's business-scoped user id.
    pub user_id: Option<String>,
    /// The Graph API message: JSON text.
    pub payload: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
}

/// What became of a claimed message.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Meta has it.
    Sent {
        /// Meta's id.
        wa_message_id: String,
    },
    /// Meta surely does not have it; try again.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why: JSON text.
        error: String,
    },
    /// Nobody knows; wait for a status, then try again.
    Unknown {
        /// Until when.
        until: DateTime<Utc>,
        /// Why: JSON text.
        error: String,
    },
    /// Given up.
    Dead {
        /// Why: JSON text.
        error: String,
    },
}

/// The verdict on one claimed message.
#[derive(Debug)]
pub struct Settlement {
    /// Proves the ownership of the lane.
    pub lease: Lease,
    /// The message.
    pub message_id: Uuid,
    /// Attempts so far.
    pub attempts: i32,
    /// The verdict.
    pub verdict: Verdict,
}

struct Head {
    delivery: Delivery,
    state: String,
    sending_at: Option<DateTime<Utc>>,
    accepted: bool,
}

impl Store {
    /// Claims the first message of up to `limit` lanes for `lease` and marks them `sending`. Messages in doubt are not
    /// among them before `doubt` has passed since their last request, and not at all once a status has come.
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
            let in_doubt = head.state != "queued";
            let asked_at = head.sending_at.unwrap_or(now);
            if in_doubt && head.accepted {
                finished.push((lease.lane, Some(head.delivery.message_id)));
            } else if head.state == "sending" && asked_at + doubt > now {
                doubtful.push((lease.lane, head.delivery.message_id, asked_at + doubt));
            } else {
                send.push(head.delivery);
            }
        }
        mark_sending(&mut tx, &send, now).await?;
        mark_unknown(&mut tx, &doubtful).await?;
        finish(&mut tx, &finished, now).await?;
        tx.commit().await?;
        if !finished.is_empty() {
            self.wakes.delivery.notify_one();
        }
        Ok(send)
    }

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
        finish(&mut tx, &finished, now).await?;
        put_back(&mut tx, &owned).await?;
        tx.commit().await?;
        // A lane may hold the next message.
        self.wakes.delivery.notify_one();
        Ok(settlements.iter().map(|one| held.contains(&one.lease.lane)).collect())
    }

    /// When the delivery stage's next lane is ready, if one waits.
    pub async fn next_delivery(&self) -> Result<Option<DateTime<Utc>>, crate::Error> {
        Ok(lanes::next_ready(&mut *self.pool.acquire().await?, Stage::Delivery).await?)
    }
}

/// The first message of each lane.
async fn heads(db: &mut PgConnection, leases: &[Lease]) -> Result<HashMap<LaneKey, Head>, sqlx::Error> {
    // Primary keys throughout.
    let rows = sqlx::query!(
        r#"select k.place as "place!", o.message_id, o.state, o.attempts, o.sending_at, o.channel_id,
                  m.payload::text as "payload!", m.status >= 'sent' as "accepted!",
                  ch.phone_number_id, ch.token_sealed, ch.token_key_id, ct.wa_id, ct.user_id
           from unnest($1::uuid[], $2::uuid[]) with ordinality as k (tenant_id, contact_id, place)
           cross join lateral (
               select * from outbox where tenant_id = k.tenant_id and contact_id = k.contact_id
               order by message_id limit 1
           ) as o
           join messages m on m.tenant_id = k.tenant_id and m.id = o.message_id
           join channels ch on ch.tenant_id = k.tenant_id and ch.id = o.channel_id
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
        let head = Head { delivery, state: row.state, sending_at: row.sending_at, accepted: row.accepted };
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

/// Takes settled messages out of the outbox; deletes lanes that are empty then and makes the others ready. The lanes
/// are locked: nothing can be added to them between the look and the deletion.
async fn finish(
    db: &mut PgConnection,
    finished: &[(LaneKey, Option<Uuid>)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if finished.is_empty() {
        return Ok(());
    }
    let tenants: Vec<_> = finished.iter().map(|(lane, _)| lane.tenant_id).collect();
    let contacts: Vec<_> = finished.iter().map(|(lane, _)| lane.contact_id).collect();
    let messages: Vec<_> = finished.iter().map(|(_, message)| *message).collect();
    sqlx::query!(
        "delete from outbox o
         using unnest($1::uuid[], $2::uuid[], $3::uuid[]) as k (tenant_id, contact_id, message_id)
         where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id and o.message_id = k.message_id",
        &tenants,
        &contacts,
        &messages as &[Option<Uuid>]
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "with lane as (
             select k.tenant_id, k.contact_id, exists (
                 select from outbox o where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id
             ) as more
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
         ), gone as (
             delete from lanes l using lane k
             where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1 and not k.more
         )
         update lanes l set ready_at = $3 from lane k
         where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1 and k.more",
        &tenants,
        &contacts,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Back into the outbox, with the time of the next try.
async fn put_back(db: &mut PgConnection, owned: &[&Arc<Settlement>]) -> Result<(), sqlx::Error> {
    let back: Vec<(&Arc<Settlement>, &str, DateTime<Utc>)> = owned
        .iter()
        .filter_map(|one| match &one.verdict {
            Verdict::Retry { at, .. } => Some((*one, "queued", *at)),
            Verdict::Unknown { until, .. } => Some((*one, "unknown", *until)),
            Verdict::Sent { .. } | Verdict::Dead { .. } => None,
        })
        .collect();
    if back.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with k as (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
                 as k (tenant_id, contact_id, message_id, state, ready_at)
         ), back as (
             update outbox o set state = k.state from k
             where o.tenant_id = k.tenant_id and o.contact_id = k.contact_id and o.message_id = k.message_id
         )
         update lanes l set ready_at = k.ready_at from k
         where l.tenant_id = k.tenant_id and l.contact_id = k.contact_id and l.stage = 1",
        &back.iter().map(|(one, _, _)| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &back.iter().map(|(one, _, _)| one.lease.lane.contact_id).collect::<Vec<_>>(),
        &back.iter().map(|(one, _, _)| one.message_id).collect::<Vec<_>>(),
        &back.iter().map(|(_, state, _)| (*state).to_owned()).collect::<Vec<_>>(),
        &back.iter().map(|(_, _, at)| *at).collect::<Vec<_>>()
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
