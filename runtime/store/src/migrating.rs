//! The migrations.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::Store;

/// Between two tries to get the lock of the migrations.
const LOCK_AGAIN: Duration = Duration::from_millis(100);

impl Store {
    /// Applies the migrations that are missing, under an advisory lock, so that several processes may start at once.
    /// Those of a newer release are left alone: they take nothing away that this one needs.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let mut migrations = sqlx::migrate!("../../migrations");
        let lock = self.migration_lock().await?;
        drop_unfinished(&mut *self.pool.acquire().await?, &migrations).await?;
        migrations.set_ignore_missing(true).set_locking(false).run(&self.pool).await?;
        lock.rollback().await?;
        let known = migrations.iter().map(|migration| migration.version).max();
        // The migrator's own table: it is not in the schema that queries are checked against.
        let newest = sqlx::query_scalar("select max(version) from _sqlx_migrations");
        let newest: Option<i64> = newest.fetch_one(&self.pool).await?;
        if newest > known {
            tracing::warn!(known, newest, "the database has migrations of a newer release; this process runs on it");
        }
        Ok(())
    }

    /// A transaction that has the lock of the migrations for as long as it is open: a session's lock would stay at the
    /// server's side of a PgBouncer. The migrator's own lock is waited for within a statement, and an index that is built
    /// concurrently waits for the end of every statement, but not for a transaction between two of them.
    async fn migration_lock(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut lock = self.pool.begin().await?;
        sqlx::raw_sql("set local idle_in_transaction_session_timeout = 0").execute(&mut *lock).await?;
        loop {
            let tried = sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended('migrations', 0))");
            let is_mine: bool = tried.fetch_one(&mut *lock).await?;
            if is_mine {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_AGAIN).await;
        }
    }
}

/// Takes away what is left of indexes whose migrations did not come to their end: the build of one that is made
/// concurrently goes on, or leaves an invalid index, when the process that asked for it dies. Waits for such a build.
async fn drop_unfinished(db: &mut PgConnection, migrations: &Migrator) -> Result<(), sqlx::Error> {
    // The migrator's own table: it is not in the schema that queries are checked against.
    let begun = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null");
    if !begun.fetch_one(&mut *db).await? {
        return Ok(());
    }
    for (version, index) in migrations.iter().filter_map(|one| Some((one.version, built_concurrently(one)?))) {
        let done = sqlx::query_scalar("select exists (select from _sqlx_migrations where version = $1 and success)");
        let is_done: bool = done.bind(version).fetch_one(&mut *db).await?;
        if !is_done {
            let drop = format!("drop index concurrently if exists {index}");
            sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut *db).await?;
        }
    }
    Ok(())
}

/// The index that a migration builds concurrently, which it does alone.
fn built_concurrently(migration: &Migration) -> Option<&str> {
    let (_, index) = migration.sql.as_str().split_once("create index concurrently ")?;
    index.split_whitespace().next()
}
