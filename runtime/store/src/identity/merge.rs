//! The merge of contacts: all work of the others becomes the first one's, in the order in which it came.
//!
//! Locks are taken in the usual order: lanes of the flow stage, scheduled messages, lanes of the delivery stage. An owner of
//! one of the flow lanes is fenced off: what it decides is refused, and its events run again, where they are now. An
//! owner of a delivery lane that goes away may still tell that Meta has its message; a message of which nobody knows
//! that begins its wait for a status anew.

mod conversations;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::SqlError;
use crate::lanes::{self, LaneKey, Opening, Stage};

/// Merges `others` into `first`. Ids are the caller's.
pub(super) async fn merge(
    db: &mut PgConnection,
    tenant_id: Uuid,
    first: Uuid,
    others: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), SqlError> {
    let all: Vec<Uuid> = [first].iter().chain(others).copied().collect();
    let lanes = || all.iter().map(|contact_id| Opening::of(LaneKey { tenant_id, contact_id: *contact_id }));
    lanes::open(db, Stage::Flow, lanes(), now, TimeDelta::zero()).await?;
    // Whoever merged one of them before has committed by now.
    let keys: Vec<LaneKey> = all.iter().map(|contact_id| LaneKey { tenant_id, contact_id: *contact_id }).collect();
    if !super::merged_among(db, &keys).await?.is_empty() {
        return Err(super::merged());
    }
    for other in others {
        scheduled(db, tenant_id, first, *other).await?;
    }
    lanes::open(db, Stage::Delivery, lanes(), now, TimeDelta::zero()).await?;
    for other in others {
        let moved = conversations::go_over(db, tenant_id, first, *other, now).await?;
        events(db, tenant_id, first, *other, &moved, now).await?;
        outbox(db, tenant_id, first, *other, now).await?;
        waiting(db, tenant_id, first, *other, &moved).await?;
        contact(db, tenant_id, first, *other, now).await?;
    }
    Ok(())
}

async fn scheduled(db: &mut PgConnection, tenant_id: Uuid, first: Uuid, other: Uuid) -> Result<(), SqlError> {
    // Primary key, by tenant.
    sqlx::query!(
        "update scheduled set contact_id = $2 where tenant_id = $1 and contact_id = $3",
        tenant_id,
        first,
        other
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Events that are not done become the first one's, among its own by their ids.
async fn events(
    db: &mut PgConnection,
    tenant_id: Uuid,
    first: Uuid,
    other: Uuid,
    moved: &[(Uuid, Uuid)],
    now: DateTime<Utc>,
) -> Result<(), SqlError> {
    // Runs that ended with another try are forgotten: the lane counts anew. Index events_lane, primary key of flow_runs.
    sqlx::query!(
        "delete from flow_runs r using lanes l, events e
         where l.tenant_id = $1 and l.contact_id = any ($2) and l.stage = 0
           and e.tenant_id = $1 and e.contact_id = l.contact_id and e.id > l.done_event
           and r.tenant_id = $1 and r.event_id = e.id and r.result in ('retry', 'canary-failed', 'paused')",
        tenant_id,
        &[first, other][..]
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update events e set contact_id = $2, conversation_id = coalesce(k.into_id, e.conversation_id)
         from lanes l, events p
         left join unnest($4::uuid[], $5::uuid[]) as k (id, into_id) on k.id = p.conversation_id
         where l.tenant_id = $1 and l.contact_id = $3 and l.stage = 0
           and p.tenant_id = $1 and p.contact_id = $3 and p.id > l.done_event
           and e.tenant_id = $1 and e.id = p.id",
        tenant_id,
        first,
        other,
        &moved.iter().map(|pair| pair.0).collect::<Vec<_>>(),
        &moved.iter().map(|pair| pair.1).collect::<Vec<_>>()
    )
    .execute(&mut *db)
    .await?;
    // What the first one has done since is recognised by its runs. Without an owner: what it decided is refused.
    sqlx::query!(
        "update lanes f set done_event = least(f.done_event, o.done_event), attempts = 0, lease_token = 0,
             ready_at = $4, touched = f.touched + 1
         from lanes o
         where f.tenant_id = $1 and f.contact_id = $2 and f.stage = 0
           and o.tenant_id = $1 and o.contact_id = $3 and o.stage = 0",
        tenant_id,
        first,
        other,
        now
    )
    .execute(&mut *db)
    .await?;
    close(db, tenant_id, other, Stage::Flow).await
}

/// Messages on their way become the first one's, among its own by their positions.
async fn outbox(
    db: &mut PgConnection,
    tenant_id: Uuid,
    first: Uuid,
    other: Uuid,
    now: DateTime<Utc>,
) -> Result<(), SqlError> {
    // The lane's wait was for its first message, which may be another one now: each begins a wait of its own.
    sqlx::query!(
        "update outbox o set state = 'sending' from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
         where o.tenant_id = any (array[k.tenant_id]) and o.contact_id = k.contact_id and o.state = 'unknown'",
        &[tenant_id, tenant_id][..],
        &[first, other][..]
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("update outbox set contact_id = $2 where tenant_id = $1 and contact_id = $3", tenant_id, first, other)
        .execute(&mut *db)
        .await?;
    // An owner goes on with its message.
    sqlx::query!(
        "update lanes f set priority = least(f.priority, o.priority), touched = f.touched + 1,
             ready_at = case when f.lease_token = 0 then $4 else f.ready_at end
         from lanes o
         where f.tenant_id = $1 and f.contact_id = $2 and f.stage = 1
           and o.tenant_id = $1 and o.contact_id = $3 and o.stage = 1",
        tenant_id,
        first,
        other,
        now
    )
    .execute(&mut *db)
    .await?;
    close(db, tenant_id, other, Stage::Delivery).await
}

/// What waits beside the lanes, and messages on their way, belong to the conversations that go on.
async fn waiting(
    db: &mut PgConnection,
    tenant_id: Uuid,
    first: Uuid,
    other: Uuid,
    moved: &[(Uuid, Uuid)],
) -> Result<(), SqlError> {
    let ended: Vec<Uuid> = moved.iter().map(|pair| pair.0).collect();
    let going_on: Vec<Uuid> = moved.iter().map(|pair| pair.1).collect();
    // Primary keys, by tenant: none of these tables is large.
    sqlx::query!("update timers set contact_id = $2 where tenant_id = $1 and contact_id = $3", tenant_id, first, other)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "update http_calls c set contact_id = $2, conversation_id = coalesce(
             (select k.into_id from unnest($4::uuid[], $5::uuid[]) as k (id, into_id) where k.id = c.conversation_id),
             c.conversation_id)
         where c.tenant_id = $1 and c.contact_id = $3",
        tenant_id,
        first,
        other,
        &ended,
        &going_on
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update messages m set conversation_id = k.into_id
         from (select message_id from outbox where tenant_id = $1 and contact_id = $2
               union all select message_id from scheduled where tenant_id = $1 and contact_id = $2) as w
         cross join unnest($3::uuid[], $4::uuid[]) as k (id, into_id)
         where m.tenant_id = $1 and m.id = w.message_id and m.conversation_id = k.id",
        tenant_id,
        first,
        &ended,
        &going_on
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update consent_changes set contact_id = $2 where tenant_id = $1 and contact_id = $3",
        tenant_id,
        first,
        other
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update former_ids set contact_id = $2 where tenant_id = $1 and contact_id = $3",
        tenant_id,
        first,
        other
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The first contact takes what is known of the other, which keeps its row alone.
async fn contact(
    db: &mut PgConnection,
    tenant_id: Uuid,
    first: Uuid,
    other: Uuid,
    now: DateTime<Utc>,
) -> Result<(), SqlError> {
    // Primary keys. Of names the later seen count; of wishes about marketing the later, of one moment the opt-out.
    sqlx::query!(
        "update contacts f set
             name = case when o.last_seen_at > coalesce(f.last_seen_at, '-infinity') then coalesce(o.name, f.name)
                         else coalesce(f.name, o.name) end,
             username = case when o.last_seen_at > coalesce(f.last_seen_at, '-infinity')
                             then coalesce(o.username, f.username) else coalesce(f.username, o.username) end,
             last_seen_at = greatest(f.last_seen_at, o.last_seen_at),
             tags = array(select distinct tag from unnest(f.tags || o.tags) as t (tag) order by tag),
             opted_out = case when o.consent_at is null or f.consent_at > o.consent_at then f.opted_out
                              when f.consent_at = o.consent_at then f.opted_out or o.opted_out
                              else o.opted_out end,
             consent_at = greatest(f.consent_at, o.consent_at)
         from contacts o
         where f.tenant_id = $1 and f.id = $2 and o.tenant_id = $1 and o.id = $3",
        tenant_id,
        first,
        other
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update contacts set wa_id = null, user_id = null, tags = '{}', opted_out = false
         where tenant_id = $1 and id = $2",
        tenant_id,
        other
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update merged_contacts set into_id = $2 where tenant_id = $1 and into_id = $3",
        tenant_id,
        first,
        other
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into merged_contacts (tenant_id, contact_id, into_id, merged_at) values ($1, $2, $3, $4)",
        tenant_id,
        other,
        first,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The lane of a contact that has no work any more, whoever owns it.
async fn close(db: &mut PgConnection, tenant_id: Uuid, contact_id: Uuid, stage: Stage) -> Result<(), SqlError> {
    sqlx::query!(
        "delete from lanes where tenant_id = $1 and contact_id = $2 and stage = $3",
        tenant_id,
        contact_id,
        stage as i16
    )
    .execute(db)
    .await?;
    Ok(())
}
