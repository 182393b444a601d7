//! Dead letters: messages that were given up. They can be sent once more, or taken off the list.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::deliveries::{self, Waiting};
use crate::lanes::{self, LaneKey, Opening, Stage};
use crate::webhooks::types;
use crate::{Error, Store, scheduled};

/// Priority of what is sent once more: nobody waits for it at this moment.
const REDRIVEN: i16 = 2;

/// Which dead letters.
#[derive(Debug, Clone)]
pub enum Which {
    /// These; those that are none are passed over.
    These(Vec<Uuid>),
    /// The oldest, so many at the most.
    Oldest(i64),
}

impl Store {
    /// Queues dead letters anew, each with all of its attempts and a validity that begins now. They come behind what
    /// already waits for their contacts. What was ever in doubt stays so, and cannot be canceled. Gives those that
    /// were.
    pub async fn redrive(&self, tenant_id: Uuid, which: &Which, validity: TimeDelta) -> Result<Vec<Uuid>, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let ids = find(&mut tx, tenant_id, which).await?;
        // Index messages_dead, then primary keys. Locked by the update: of two redrives one finds nothing. Some doubts
        // of the release before are no step: of these the error tells.
        let revived = sqlx::query!(
            r#"update messages m set status = 'queued', dead_at = null, attempts = 0, expires_at = $3, updated_at = $4
               from conversations cv
               where m.tenant_id = $1 and m.id = any ($2) and m.dead_at is not null
                 and cv.tenant_id = any (array[m.tenant_id]) and cv.id = m.conversation_id
               returning m.id, coalesce(cv.merged_contact_id, cv.contact_id) as "contact_id!", cv.channel_id,
                         m.error->>'class' is not distinct from 'exhausted'
                         or (select s.status from message_statuses s
                             where s.tenant_id = m.tenant_id and s.message_id = m.id and s.status = 'unknown'
                             limit 1) is not null as "doubted!""#,
            tenant_id,
            &ids,
            now + validity,
            now
        )
        .fetch_all(&mut *tx)
        .await?;
        if revived.is_empty() {
            return Ok(Vec::new());
        }
        let doubted: Vec<Uuid> = revived.iter().filter(|row| row.doubted).map(|row| row.id).collect();
        let mut revived: Vec<Waiting> = revived
            .into_iter()
            .map(|row| Waiting {
                lane: LaneKey { tenant_id, contact_id: row.contact_id },
                message_id: row.id,
                channel_id: row.channel_id,
            })
            .collect();
        revived.sort_unstable_by_key(|one| one.message_id);
        let openings = revived.iter().map(|one| Opening { priority: REDRIVEN, ..Opening::of(one.lane) });
        lanes::open(&mut tx, Stage::Delivery, openings, now, TimeDelta::zero()).await?;
        deliveries::put_in(&mut tx, &revived, &doubted).await?;
        let ids: Vec<Uuid> = revived.iter().map(|one| one.message_id).collect();
        step(&mut tx, tenant_id, &ids, "redriven", now).await?;
        tx.commit().await?;
        self.wakes.delivery.notify_one();
        Ok(ids)
    }

    /// Takes dead letters off the list; the messages stay, as failed. Gives those that were.
    pub async fn purge(&self, tenant_id: Uuid, which: &Which) -> Result<Vec<Uuid>, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let ids = find(&mut tx, tenant_id, which).await?;
        // Primary key.
        let purged = sqlx::query_scalar!(
            "update messages set dead_at = null, updated_at = $3
             where tenant_id = $1 and id = any ($2) and dead_at is not null returning id",
            tenant_id,
            &ids,
            now
        )
        .fetch_all(&mut *tx)
        .await?;
        step(&mut tx, tenant_id, &purged, "purged", now).await?;
        tx.commit().await?;
        Ok(purged)
    }

    /// Takes a message back whose time is to come, that no request was made for, or whose requests Meta surely refused,
    /// each of them.
    /// `None` when the tenant has no such message; false when it is too late.
    pub async fn cancel(&self, tenant_id: Uuid, id: Uuid) -> Result<Option<bool>, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary keys.
        let contact_id = sqlx::query_scalar!(
            r#"select coalesce(cv.merged_contact_id, cv.contact_id) as "contact_id!" from messages m
             join conversations cv on cv.tenant_id = m.tenant_id and cv.id = m.conversation_id
             where m.tenant_id = $1 and m.id = $2 and m.direction = 'OUT'"#,
            tenant_id,
            id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(contact_id) = contact_id else { return Ok(None) };
        let taken =
            scheduled::cancel(&mut tx, tenant_id, id).await? || take_back(&mut tx, tenant_id, contact_id, id).await?;
        if !taken {
            return Ok(Some(false));
        }
        sqlx::query!(
            "update messages set status = 'canceled', updated_at = $3 where tenant_id = $1 and id = $2",
            tenant_id,
            id,
            now
        )
        .execute(&mut *tx)
        .await?;
        step(&mut tx, tenant_id, &[id], "canceled", now).await?;
        let mut notices = self.notices();
        notices.message(tenant_id, id, types::MESSAGE_CANCELED, now);
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(Some(true))
    }
}

/// Takes a message out of the outbox that is not under way and cannot be at Meta.
async fn take_back(db: &mut PgConnection, tenant_id: Uuid, contact_id: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
    // Nobody can claim the message while its lane is locked.
    sqlx::query_scalar!(
        "select touched from lanes where tenant_id = $1 and contact_id = $2 and stage = $3 for update",
        tenant_id,
        contact_id,
        Stage::Delivery as i16
    )
    .fetch_optional(&mut *db)
    .await?;
    let taken = sqlx::query!(
        "delete from outbox
         where tenant_id = $1 and contact_id = $2 and message_id = $3 and state = 'queued' and not doubted",
        tenant_id,
        contact_id,
        id
    )
    .execute(db)
    .await?;
    Ok(taken.rows_affected() > 0)
}

async fn find(db: &mut PgConnection, tenant_id: Uuid, which: &Which) -> Result<Vec<Uuid>, sqlx::Error> {
    match which {
        Which::These(ids) => Ok(ids.clone()),
        // Index messages_dead.
        Which::Oldest(limit) => {
            let oldest = sqlx::query_scalar!(
                "select id from messages where tenant_id = $1 and dead_at is not null order by id limit $2",
                tenant_id,
                limit
            );
            oldest.fetch_all(db).await
        }
    }
}

/// A line in the messages' timelines.
async fn step(
    db: &mut PgConnection,
    tenant_id: Uuid,
    ids: &[Uuid],
    word: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at)
         select $1, id, $3, $4, $4 from unnest($2::uuid[]) as k (id)
         on conflict (tenant_id, message_id, status, occurred_at) do nothing",
        tenant_id,
        ids,
        word,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
