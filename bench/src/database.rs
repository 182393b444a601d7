//! A database for one scenario: created empty, removed at the end.

use std::str::FromStr;

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::report::Report;
use crate::{counters, meter};

/// A database on the Postgres that is measured.
pub struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Creates `hoopoe_bench_<scenario>`; one that an aborted run left behind is removed first.
    pub async fn create(url: &str, scenario: &str) -> Result<Self> {
        let server = PgConnectOptions::from_str(url).context("DATABASE_URL cannot be used")?;
        let database = Database { server, name: format!("hoopoe_bench_{}", scenario.replace('-', "_")) };
        database.administer(format!("drop database if exists {}", database.name)).await?;
        database.administer(format!("create database {}", database.name)).await?;
        let mut db = database.connect().await?;
        counters::prepare(&mut db).await;
        db.close().await.context("Postgres does not close a connection")?;
        Ok(database)
    }

    /// Removes it, with whatever is still connected.
    pub async fn remove(self) -> Result<()> {
        self.administer(format!("drop database if exists {} with (force)", self.name)).await
    }

    async fn administer(&self, statement: String) -> Result<()> {
        let mut server = self.server.connect().await.context("Postgres does not answer: check DATABASE_URL")?;
        // The name is a constant of this program.
        sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut server).await.context(statement)?;
        server.close().await.context("Postgres does not close a connection")
    }

    /// For the runtime.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// A connection whose statements are planned as the runtime's are: rows are found by indexes, also in tables that
    /// were empty when the statement was prepared.
    pub async fn connect(&self) -> Result<PgConnection> {
        let planned = [
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_bitmapscan", "off"),
            ("jit", "off"),
        ];
        let options = self.server.clone().database(&self.name).options(planned);
        options.connect().await.context("Postgres does not answer")
    }
}

/// The first process of Postgres, when it runs on this machine.
pub async fn postmaster(db: &mut PgConnection) -> Result<Option<u32>> {
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(db).await?;
    Ok(u32::try_from(backend).ok().and_then(meter::postmaster))
}

/// Adds Postgres's version and settings to a report.
pub async fn describe(db: &mut PgConnection, report: &mut Report) -> Result<()> {
    let names = ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"];
    let mut values = Vec::new();
    for name in names {
        let value: String = sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&mut *db).await?;
        if name == "fsync" && value != "on" {
            report.fact("caution", "fsync is off: these figures are for trying only".to_owned());
        }
        values.push(if name == "server_version" { value } else { format!("{name}={value}") });
    }
    report.fact("Postgres", values.join(", "));
    Ok(())
}

/// Begins a phase with a fresh checkpoint, so that each phase writes its full-page images itself and none falls into
/// another's checkpoint. Without the right to do so things stay as they are.
pub async fn checkpoint(db: &mut PgConnection) {
    if let Err(error) = sqlx::query("checkpoint").execute(db).await {
        eprintln!("    no checkpoint before this phase: {error}");
    }
}
