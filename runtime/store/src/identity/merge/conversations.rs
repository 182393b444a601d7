//! The conversations of a contact that is merged into another.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::SqlError;

/// Conversations go over, or into the one on the same channel. Gives the latter: the one that ends, and the one that goes on.
pub(super) async fn go_over(
    db: &mut PgConnection,
    tenant_id: Uuid,
    first: Uuid,
    other: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid)>, SqlError> {
    // Unique index of conversations, by channel.
    let rows = sqlx::query!(
        r#"select o.id, f.id as "into_id?",
                  coalesce(o.state is not null
                           and (f.state is null or o.last_inbound_at > coalesce(f.last_inbound_at, '-infinity')),
                           false) as "state_goes_on!"
           from channels ch
           join conversations o on o.tenant_id = ch.tenant_id and o.channel_id = ch.id and o.contact_id = $3
           left join conversations f on f.tenant_id = ch.tenant_id and f.channel_id = ch.id and f.contact_id = $2
           where ch.tenant_id = $1
           order by ch.id
           for no key update of o"#,
        tenant_id,
        first,
        other
    )
    .fetch_all(&mut *db)
    .await?;
    let mut moved = Vec::new();
    for row in rows {
        let Some(into) = row.into_id else {
            sqlx::query!(
                "update conversations set contact_id = $3 where tenant_id = $1 and id = $2",
                tenant_id,
                row.id,
                first
            )
            .execute(&mut *db)
            .await?;
            continue;
        };
        moved.push((row.id, into));
        // Who had either conversation has the one that goes on; the state of the one that was used last goes on.
        sqlx::query!(
            "update conversations f set
                 state = case when $4 then o.state else f.state end,
                 state_plugin = case when $4 then o.state_plugin else f.state_plugin end,
                 state_digest = case when $4 then o.state_digest else f.state_digest end,
                 handed_off_at = coalesce(f.handed_off_at, o.handed_off_at),
                 handed_off_reason = coalesce(f.handed_off_reason, o.handed_off_reason),
                 last_inbound_at = greatest(f.last_inbound_at, o.last_inbound_at)
             from conversations o
             where f.tenant_id = $1 and f.id = $2 and o.tenant_id = $1 and o.id = $3",
            tenant_id,
            into,
            row.id,
            row.state_goes_on
        )
        .execute(&mut *db)
        .await?;
        // What the state belongs to has set its timers.
        let (kept, dropped) = if row.state_goes_on { (row.id, into) } else { (into, row.id) };
        sqlx::query!(
            "delete from timers d using timers k
             where d.tenant_id = $1 and d.conversation_id = $2 and k.tenant_id = $1 and k.conversation_id = $3
               and k.name = d.name",
            tenant_id,
            dropped,
            kept
        )
        .execute(&mut *db)
        .await?;
        sqlx::query!(
            "update timers set conversation_id = $3 where tenant_id = $1 and conversation_id = $2",
            tenant_id,
            row.id,
            into
        )
        .execute(&mut *db)
        .await?;
        sqlx::query!(
            "update conversations set merged_into = $3, merged_contact_id = $4, state = null, state_plugin = null,
                 state_digest = null, handed_off_at = null, handed_off_reason = null
             where tenant_id = $1 and id = $2",
            tenant_id,
            row.id,
            into,
            first
        )
        .execute(&mut *db)
        .await?;
        // Dead letters can be sent once more: by the one that goes on. Index messages_dead.
        sqlx::query!(
            "update messages set conversation_id = $3, updated_at = $4
             where tenant_id = $1 and conversation_id = $2 and dead_at is not null",
            tenant_id,
            row.id,
            into,
            now
        )
        .execute(&mut *db)
        .await?;
    }
    // Those that had been merged into the other's. Index conversations_merged.
    sqlx::query!(
        "update conversations m set merged_contact_id = $2,
             merged_into = coalesce((select o.merged_into from conversations o
                                     where o.tenant_id = $1 and o.id = m.merged_into), m.merged_into)
         where m.tenant_id = $1 and m.merged_contact_id = $3",
        tenant_id,
        first,
        other
    )
    .execute(&mut *db)
    .await?;
    Ok(moved)
}
