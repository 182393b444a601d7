//! The rows of contacts and of the ids that they had.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Known;
use crate::SqlError;

/// The contacts that have one of these ids.
pub(super) async fn with_ids(db: &mut PgConnection, tenant_id: Uuid, ids: &[String]) -> Result<Vec<Uuid>, SqlError> {
    // Indexes contacts_wa_id and contacts_user_id.
    sqlx::query_scalar!(
        r#"select id as "id!" from contacts where tenant_id = $1 and wa_id = any ($2)
           union
           select id from contacts where tenant_id = $1 and user_id = any ($2)"#,
        tenant_id,
        ids
    )
    .fetch_all(db)
    .await
}

/// These contacts as they are from now on until the end of the transaction, oldest first: an id that is added to one
/// meanwhile, or a wish of its person, is seen here or waits and then finds the change.
pub(super) async fn locked(db: &mut PgConnection, tenant_id: Uuid, ids: &[Uuid]) -> Result<Vec<Known>, SqlError> {
    // Primary key.
    sqlx::query_as!(
        Known,
        "select id, wa_id, user_id from contacts where tenant_id = $1 and id = any ($2)
         order by id for no key update",
        tenant_id,
        ids
    )
    .fetch_all(db)
    .await
}

pub(super) async fn insert(
    db: &mut PgConnection,
    tenant_id: Uuid,
    contact: &Known,
    now: DateTime<Utc>,
) -> Result<(), SqlError> {
    sqlx::query!(
        "insert into contacts (tenant_id, id, wa_id, user_id, created_at) values ($1, $2, $3, $4, $5)",
        tenant_id,
        contact.id,
        contact.wa_id,
        contact.user_id,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The ids that a contact has from now on. Those of the others are free by then.
pub(super) async fn set_ids(db: &mut PgConnection, tenant_id: Uuid, contact: &Known) -> Result<(), SqlError> {
    sqlx::query!(
        "update contacts set wa_id = $3, user_id = $4 where tenant_id = $1 and id = $2",
        tenant_id,
        contact.id,
        contact.wa_id,
        contact.user_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Remembers ids that a contact had.
pub(super) async fn remember(
    db: &mut PgConnection,
    tenant_id: Uuid,
    contact_id: Uuid,
    former: &[String],
    until: DateTime<Utc>,
) -> Result<(), SqlError> {
    if former.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into former_ids (tenant_id, former_id, contact_id, until)
         select distinct $1::uuid, former_id, $3::uuid, $4::timestamptz from unnest($2::text[]) as k (former_id)
         on conflict (tenant_id, former_id) do update set contact_id = excluded.contact_id, until = excluded.until
         where former_ids.until <= excluded.until",
        tenant_id,
        former,
        contact_id,
        until
    )
    .execute(db)
    .await?;
    Ok(())
}
