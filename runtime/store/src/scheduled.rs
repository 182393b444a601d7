//! Messages whose time is to come. They wait in no lane; one that is due goes into the outbox of its contact.
//!
//! One process at a time moves them: so two messages of a contact cannot overtake each other on their way, and those
//! who have nothing to do with it do not wait for each other's locks. Tenants take turns, as in claims: who has a
//! hundred thousand due at one second delays nobody.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::deliveries::{self, Waiting};
use crate::identity;
use crate::lanes::{self, LaneKey, Opening, Stage};
use crate::{Error, Store};

/// Tenants that one move serves at the most; the next goes on with those behind them.
const TENANTS: i64 = 64;

/// A message that waits for its time.
#[derive(Debug)]
pub(crate) struct Scheduled {
    pub message: Waiting,
    pub send_at: DateTime<Utc>,
    pub priority: i16,
}

/// What a look at the messages that are due came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// So many went into the outbox.
    Here(usize),
    /// Another process is moving them.
    Elsewhere,
}

/// Keeps messages until their time.
pub(crate) async fn keep(db: &mut PgConnection, messages: &[Scheduled]) -> Result<(), sqlx::Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let kept = sqlx::query!(
        "insert into scheduled (tenant_id, message_id, contact_id, channel_id, send_at, priority)
         select k.* from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::smallint[])
              as k (tenant_id, message_id, contact_id, channel_id, send_at, priority)
         where not exists (select from merged_contacts g where g.tenant_id = k.tenant_id and g.contact_id = k.contact_id)",
        &messages.iter().map(|one| one.message.lane.tenant_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.message_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.lane.contact_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.channel_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.send_at).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.priority).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    if kept.rows_affected() < messages.len() as u64 { Err(identity::merged()) } else { Ok(()) }
}

/// Takes a message back that waits for its time. False when it does not, or not any more: who moves it has committed
/// by then.
pub(crate) async fn cancel(db: &mut PgConnection, tenant_id: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
    // Primary key. No lane is locked yet: who moves messages locks them before the lanes.
    let taken = sqlx::query!("delete from scheduled where tenant_id = $1 and message_id = $2", tenant_id, id);
    Ok(taken.execute(db).await?.rows_affected() > 0)
}

/// When the next message of all tenants is, or was, due.
pub(crate) async fn first(db: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // Index scheduled_next.
    sqlx::query_scalar!("select send_at from scheduled order by send_at limit 1").fetch_optional(db).await
}

impl Store {
    /// When the next message is due, if one waits for its time.
    pub async fn next_scheduled(&self) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(first(&mut *self.pool.acquire().await?).await?)
    }

    /// Moves up to `limit` messages that are due into the outbox, in the order of their times.
    pub async fn move_due(&self, limit: usize) -> Result<Moved, Error> {
        let now = self.ambient.now();
        if self.next_scheduled().await?.is_none_or(|at| at > now) {
            return Ok(Moved::Here(0));
        }
        let mut tx = self.pool.begin().await?;
        let alone = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock('scheduled'::regclass::oid::integer, 0) as "alone!""#
        );
        if !alone.fetch_one(&mut *tx).await? {
            return Ok(Moved::Elsewhere);
        }
        let tenants = self.tenants_due(&mut tx, now).await?;
        if tenants.is_empty() {
            return Ok(Moved::Here(0));
        }
        let mut due = take(&mut tx, &tenants, limit, now).await?;
        let taken: Vec<Uuid> = due.iter().map(|one| one.message.lane.tenant_id).collect();
        if let Some(last) = lanes::last_served(&tenants, &taken, limit) {
            self.scheduled_round.turn(*last);
        }
        due.sort_unstable_by_key(|one| (one.send_at, one.message.message_id));
        let openings = due.iter().map(|one| Opening { priority: one.priority, ..Opening::of(one.message.lane) });
        lanes::open(&mut tx, Stage::Delivery, openings, now, TimeDelta::zero()).await?;
        let messages: Vec<Waiting> = due.iter().map(|one| one.message).collect();
        deliveries::put_in(&mut tx, &messages, &[]).await?;
        tx.commit().await?;
        self.wakes.delivery.notify_one();
        Ok(Moved::Here(messages.len()))
    }

    /// Tenants with messages that are due, from behind the last that was served.
    async fn tenants_due(&self, db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
        let start = self.scheduled_round.place();
        let mut tenants = due_behind(db, start, now).await?;
        if tenants.len() < TENANTS as usize && !start.is_nil() {
            // Once round: those before the start.
            let before = due_behind(db, Uuid::nil(), now).await?;
            tenants.extend(before.into_iter().take_while(|tenant| *tenant <= start));
        }
        tenants.truncate(TENANTS as usize);
        Ok(tenants)
    }
}

/// Tenants behind `start` with a message that is due, in the order of their ids.
async fn due_behind(db: &mut PgConnection, start: Uuid, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    // Index scheduled_due: one step per tenant that has messages here, and one look at its first.
    sqlx::query_scalar!(
        r#"with recursive tenants (id) as (
               (select tenant_id from scheduled where tenant_id > $1 order by tenant_id limit 1)
               union all
               select (select s.tenant_id from scheduled s where s.tenant_id > t.id order by s.tenant_id limit 1)
               from tenants t where t.id is not null
           )
           select t.id as "id!" from tenants t
           where t.id is not null
             and exists (select from scheduled s where s.tenant_id = t.id and s.send_at <= $2)
           limit $3"#,
        start,
        now,
        TENANTS
    )
    .fetch_all(db)
    .await
}

/// Takes messages of these tenants that are due, as many of each, in the tenants' order up to `limit`.
async fn take(
    db: &mut PgConnection,
    tenants: &[Uuid],
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<Scheduled>, sqlx::Error> {
    let quantum = lanes::quantum(limit, tenants.len());
    // Index scheduled_due, then the primary key. What is being cancelled is passed over.
    let rows = sqlx::query!(
        r#"with due as (
             select s.tenant_id, s.message_id
             from unnest($1::uuid[]) as t (id)
             cross join lateral (
                 select tenant_id, message_id from scheduled
                 where tenant_id = t.id and send_at <= $2
                 order by send_at, message_id limit $3
                 for update skip locked
             ) as s
             limit $4
         )
         delete from scheduled s using due d
         where s.tenant_id = d.tenant_id and s.message_id = d.message_id
         returning s.tenant_id, s.message_id, s.channel_id, s.send_at, s.priority,
                   coalesce((select g.into_id from merged_contacts g
                             where g.tenant_id = s.tenant_id and g.contact_id = s.contact_id), s.contact_id)
                       as "contact_id!""#,
        tenants,
        now,
        i64::try_from(quantum).unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(db)
    .await?;
    let taken = rows.into_iter().map(|row| Scheduled {
        message: Waiting {
            lane: LaneKey { tenant_id: row.tenant_id, contact_id: row.contact_id },
            message_id: row.message_id,
            channel_id: row.channel_id,
        },
        send_at: row.send_at,
        priority: row.priority,
    });
    Ok(taken.collect())
}
