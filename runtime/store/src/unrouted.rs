//! Items that no tenant owns: kept and counted, so that nobody has to guess what a wrong number did.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Error, Store};

/// An item without an owner.
#[derive(Debug, Clone)]
pub struct Unrouted {
    /// The number or account that it names.
    pub route: Option<String>,
    /// The webhook's field.
    pub field: String,
    /// Why it has no owner, or could not be stored with him.
    pub reason: String,
    /// The item as it came: JSON text.
    pub raw: String,
    /// SHA-256 of `raw`.
    pub digest: [u8; 32],
    /// When it came.
    pub received_at: DateTime<Utc>,
}

impl Store {
    /// Removes up to `limit` items that came first before this moment, the oldest first. Gives how many.
    pub async fn delete_unrouted_before(&self, before: DateTime<Utc>, limit: i64) -> Result<u64, Error> {
        // Primary key: ids grow with time.
        let deleted = sqlx::query!(
            "delete from unrouted_items where id = any (array(
                 select id from unrouted_items where received_at < $1 order by id limit $2))",
            before,
            limit
        )
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected())
    }
}

/// Stores the items; a repeated one is counted.
pub(crate) async fn record(db: &mut PgConnection, items: &[&Arc<Unrouted>]) -> Result<(), sqlx::Error> {
    let column = |of: fn(&Unrouted) -> &str| items.iter().map(|item| of(item).to_owned()).collect::<Vec<_>>();
    // Within one statement a row can be touched once: repeats in the batch are counted beforehand.
    sqlx::query!(
        r#"insert into unrouted_items (route, field, reason, raw, digest, times, received_at)
           select min(route), min(field), min(reason), min(raw)::json, digest, count(*), min(received_at)
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[])
               as item (route, field, reason, raw, digest, received_at)
           group by digest order by digest
           on conflict (digest) do update set times = unrouted_items.times + excluded.times"#,
        &items.iter().map(|item| item.route.clone()).collect::<Vec<_>>() as &[Option<String>],
        &column(|item| &item.field),
        &column(|item| &item.reason),
        &column(|item| &item.raw),
        &items.iter().map(|item| item.digest.to_vec()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.received_at).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
