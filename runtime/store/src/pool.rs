//! The connection pool and the migrations.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};

use crate::ambient::Ambient;
use crate::contacts;
use crate::group::Turns;
use crate::lanes::{Rotation, Round};
use crate::webhooks::listeners::Listeners;

/// How to connect.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// Most connections of this process.
    pub connections: u32,
    /// Transactions of group commits at the same time.
    pub writers: usize,
    /// How long a request waits for a connection before it fails.
    pub acquire_timeout: Duration,
}

/// The database and what goes with every use of it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Connections.
    pub pool: PgPool,
    /// Time, ids and chance.
    pub ambient: Ambient,
    /// Signals to the stages.
    pub wakes: Arc<crate::Wakes>,
    /// Of the group commits behind the journal.
    pub turns: Turns,
    pub(crate) contacts: Arc<contacts::Cache>,
    pub(crate) rotation: Arc<Rotation>,
    /// Whose scheduled messages are moved next.
    pub(crate) scheduled_round: Arc<Round>,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) homes: Arc<crate::messenger::Homes>,
}

impl Store {
    /// Connects lazily: an unreachable database shows at the first use, a malformed URL at once.
    pub fn connect(settings: &Settings, ambient: Ambient) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(&settings.url)?
            .application_name("hoopoe")
            // Every query of the message's way finds its rows by an index. Plans that were prepared while the tables
            // were empty and unknown would otherwise read whole tables for ever after.
            .options([
                ("enable_seqscan", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
                ("enable_bitmapscan", "off"),
                ("jit", "off"),
                // Joins in the order in which they are written: each query starts from the keys that it is given.
                ("join_collapse_limit", "1"),
                ("from_collapse_limit", "1"),
                // Arrays of few elements look cheaper with a plan of their own, but making it costs more than it saves.
                ("plan_cache_mode", "force_generic_plan"),
            ])
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1));
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            // The first use of a dead connection fails by itself and is tried again; a ping before each use would
            // cost a round trip per transaction.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let turns = Turns::new(settings.writers);
        Ok(Self {
            pool,
            ambient,
            wakes: Arc::default(),
            turns,
            contacts: Arc::default(),
            rotation: Arc::default(),
            scheduled_round: Arc::default(),
            listeners: Arc::default(),
            homes: Arc::default(),
        })
    }

    /// Applies the migrations that are missing, under an advisory lock, so that several processes may start at once.
    /// Those of a newer release are left alone: they take nothing away that this one needs.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        let mut migrations = sqlx::migrate!("../../migrations");
        migrations.set_ignore_missing(true).run(&self.pool).await?;
        let known = migrations.iter().map(|migration| migration.version).max();
        // The migrator's own table: it is not in the schema that queries are checked against.
        let newest = sqlx::query_scalar("select max(version) from _sqlx_migrations");
        let newest: Option<i64> = newest.fetch_one(&self.pool).await?;
        if newest > known {
            tracing::warn!(known, newest, "the database has migrations of a newer release; this process runs on it");
        }
        Ok(())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), crate::Error> {
        sqlx::query_scalar!("select 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }
}
