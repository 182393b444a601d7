//! Bursts: a lane that a message opens may wait for more of them, so that the flow sees them together.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::rows::Row;
use crate::lanes::Stage;

/// Puts off the lanes that this transaction has created for messages of tenants that want it so. Without any, no statement
/// runs. A lane that was there goes on as it does.
pub(super) async fn hold_back(db: &mut PgConnection, rows: &[Row<'_>], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let waiting: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row.lane()?, row.message.filter(|message| message.debounce_seconds > 0)?)))
        .collect();
    if waiting.is_empty() {
        return Ok(());
    }
    // Primary key; the lanes are locked.
    sqlx::query!(
        "update lanes l set ready_at = k.ready_at
         from (select *, $4::smallint as stage
               from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as k (tenant_id, contact_id, ready_at)
               offset 0) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage and l.touched = 0
           and l.lease_token < 1 and l.ready_at = $5",
        &waiting.iter().map(|(lane, _)| lane.tenant_id).collect::<Vec<_>>(),
        &waiting.iter().map(|(lane, _)| lane.contact_id).collect::<Vec<_>>(),
        &waiting
            .iter()
            .map(|(_, message)| now + TimeDelta::seconds(message.debounce_seconds.into()))
            .collect::<Vec<_>>(),
        Stage::Flow as i16,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
