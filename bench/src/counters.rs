//! What Postgres counts: commits, bytes of its log, statements. Where something cannot be read the figure is absent.

use sqlx::PgConnection;

/// Of the connection's database, as far as its processes have told: they do so once a second at the most.
const COMMITS: &str = "select xact_commit from pg_stat_database where datname = current_database()";
/// Of the whole server.
const WAL: &str = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
/// Of the connection's database; without the statements' texts, which lie in a file.
const STATEMENTS: &str = "select sum(s.calls)::bigint
    from pg_stat_statements(false) s join pg_database d on d.oid = s.dbid where d.datname = current_database()";

/// Counted so far, or between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions of the database that were committed, also those that wrote nothing.
    pub commits: Option<i64>,
    /// Bytes of the server's log, the WAL.
    pub wal: Option<i64>,
    /// Statements of the database.
    pub statements: Option<i64>,
}

impl Counters {
    /// What was counted so far.
    pub async fn read(db: &mut PgConnection) -> Self {
        let (commits, wal) = (count(db, COMMITS).await, count(db, WAL).await);
        Counters { commits, wal, statements: count(db, STATEMENTS).await }
    }

    /// What was counted since then.
    pub fn since(&self, earlier: &Self) -> Self {
        let difference = |now: Option<i64>, then: Option<i64>| Some(now? - then?);
        Counters {
            commits: difference(self.commits, earlier.commits),
            wal: difference(self.wal, earlier.wal),
            statements: difference(self.statements, earlier.statements),
        }
    }
}

/// Lets statements be counted in a new database, where the server can: it must have loaded the library at its start,
/// and the user must be allowed to create the extension.
pub async fn prepare(db: &mut PgConnection) {
    if let Err(error) = sqlx::query("create extension if not exists pg_stat_statements").execute(db).await {
        eprintln!("    statements are not counted: {error}");
    }
}

async fn count(db: &mut PgConnection, query: &'static str) -> Option<i64> {
    sqlx::query_scalar(query).fetch_one(db).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_once_has_no_difference() {
        let earlier = Counters { commits: Some(5), wal: None, statements: Some(1) };
        let now = Counters { commits: Some(12), wal: Some(9), statements: None };
        assert_eq!(now.since(&earlier), Counters { commits: Some(7), wal: None, statements: None });
    }
}
