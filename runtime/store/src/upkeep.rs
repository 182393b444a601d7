//! The queue's tables, cleaned up. Every piece of work is a row that is soon deleted: what Postgres' own upkeep, once a
//! minute, leaves until then would be stepped over by claims and unique checks, and grows into tens of megabytes.

use crate::{Error, Store};

impl Store {
    /// Rows of the queue's tables that are gone and take their place still, by Postgres' own estimate.
    pub async fn dead_rows(&self) -> Result<i64, Error> {
        let dead = sqlx::query_scalar!(
            r#"select coalesce(sum(n_dead_tup), 0)::bigint as "dead!" from pg_stat_user_tables
               where schemaname = current_schema() and relname in ('lanes', 'outbox')"#
        );
        Ok(dead.fetch_one(&self.pool).await?)
    }

    /// Cleans the queue's tables up, but for those that somebody else cleans up now. What a transaction may still see
    /// stays.
    pub async fn clean_up(&self) -> Result<(), Error> {
        // Their empty ends are filled again soon: giving them back would lock out whoever works.
        sqlx::query!("vacuum (skip_locked, truncate off) lanes, outbox").execute(&self.pool).await?;
        Ok(())
    }
}
