//! What Postgres' own upkeep does too late for a queue.
//!
//! Every piece of work is a row that is soon deleted: what that upkeep, once a minute, leaves until then would be stepped
//! over by claims and unique checks, and grows into tens of megabytes. And a plan that was made while a table was small
//! stays in use, however bad it has become, until the table's size is told anew.

use sqlx::postgres::PgQueryResult;

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

    /// Fills the queue's tables anew with what waits, and leaves behind what is gone, also what a transaction may still see.
    /// Such a transaction, if it looks into them only afterwards, finds them empty. Not worth it of a small table, such as
    /// another node has just filled anew. False: somebody looks into one of them for longer than can be waited for, or more
    /// waits there than can be copied in about 0.1 s.
    pub async fn rewrite(&self) -> Result<bool, Error> {
        // Whoever works waits meanwhile: for the lock of one table at a time, and never long for the right to it.
        let done = sqlx::query!(
            "do $$
             declare waiting lanes[];
             begin
                 if pg_relation_size('lanes') < 1000000 then return; end if;
                 perform set_config('lock_timeout', '100ms', true);
                 lock table lanes in access exclusive mode;
                 waiting := array(select l from lanes l limit 10001);
                 if cardinality(waiting) > 10000 then
                     raise lock_not_available using message = 'too much waits';
                 end if;
                 truncate lanes;
                 insert into lanes select * from unnest(waiting);
             end $$"
        )
        .execute(&self.pool)
        .await;
        if !is_done(done)? {
            return Ok(false);
        }
        let done = sqlx::query!(
            "do $$
             declare waiting outbox[];
             begin
                 if pg_relation_size('outbox') < 1000000 then return; end if;
                 perform set_config('lock_timeout', '100ms', true);
                 lock table outbox in access exclusive mode;
                 waiting := array(select o from outbox o limit 10001);
                 if cardinality(waiting) > 10000 then
                     raise lock_not_available using message = 'too much waits';
                 end if;
                 truncate outbox;
                 insert into outbox select * from unnest(waiting);
             end $$"
        )
        .execute(&self.pool)
        .await;
        Ok(is_done(done)?)
    }

    /// The oldest state of the database that somebody else's transaction may still look at, by Postgres' number for it:
    /// what has gone since then cannot be cleaned up. `None`: nobody's. Other users' are told to members of
    /// `pg_read_all_stats` alone.
    pub async fn oldest_seen(&self) -> Result<Option<String>, Error> {
        let oldest = sqlx::query_scalar!(
            r#"select seen::text as "seen!" from (
                   select unnest(array[backend_xmin, backend_xid]) as seen from pg_stat_activity
                   where pid <> pg_backend_pid() and backend_type <> 'autovacuum worker' and (datid is null or datname = current_database())
                   union all select transaction from pg_prepared_xacts where database = current_database()
                   union all select xmin from pg_replication_slots
               ) as all_of_them
               where seen is not null order by age(seen) desc limit 1"#
        );
        Ok(oldest.fetch_optional(&self.pool).await?)
    }

    /// Whether a table of the history has outgrown the size by which statements are planned. Plans for ten thousand rows do
    /// for any number.
    pub async fn plans_are_outgrown(&self) -> Result<bool, Error> {
        let outgrown = sqlx::query_scalar!(
            r#"select exists (
                   select from pg_stat_user_tables s join pg_class c on c.oid = s.relid
                   where s.schemaname = current_schema() and s.n_live_tup > 200
                     and s.n_live_tup > 2 * greatest(c.reltuples, 0) and c.reltuples < 10000
                     and s.relname in ('contacts', 'conversations', 'events', 'flow_runs', 'message_statuses', 'messages')
               ) as "outgrown!""#
        );
        Ok(outgrown.fetch_one(&self.pool).await?)
    }

    /// Tells the history's sizes anew: all statements are planned by them at their next use.
    pub async fn plan_anew(&self) -> Result<(), Error> {
        sqlx::query!("analyze (skip_locked) contacts, conversations, events, flow_runs, message_statuses, messages")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// What could not be locked, or not for so long, is not done.
fn is_done(done: Result<PgQueryResult, sqlx::Error>) -> Result<bool, sqlx::Error> {
    match done {
        // lock_not_available
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "55P03") => Ok(false),
        done => done.map(|_| true),
    }
}
