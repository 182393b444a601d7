//! The connection pool.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};

use crate::ambient::Ambient;
use crate::contacts;
use crate::group::Turns;
use crate::hot::{CLEANING, Hot, UNTRIED, answers};
use crate::lanes::{Rotation, Round};
use crate::planning::PLANNED;
use crate::silence::{SILENCE, answered};
use crate::webhooks::listeners::Listeners;

/// Besides the group commits that take turns, the journal's and the adoption of events are on the message's way.
const BESIDE_WRITERS: u32 = 2;
/// Connections for everything else, at the least.
const FEWEST: u32 = 2;

/// How to connect.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// Most connections of this process; a few more when `writers` leaves none for everything else.
    pub connections: u32,
    /// Transactions of group commits at the same time.
    pub writers: usize,
    /// How long a request waits for a connection before it fails.
    pub acquire_timeout: Duration,
}

/// The database and what goes with every use of it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Connections for whatever comes.
    pub(crate) pool: PgPool,
    /// Connections of the message's way.
    pub(crate) hot: Hot,
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
            .options(PLANNED)
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1));
        let hot = u32::try_from(settings.writers).unwrap_or(u32::MAX).saturating_add(BESIDE_WRITERS);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections.saturating_sub(hot).max(FEWEST))
            .acquire_timeout(settings.acquire_timeout)
            // A ping before each use would cost a round trip per transaction. Those that are always busy notice by
            // themselves when the database goes; those that were idle meanwhile are asked.
            .test_before_acquire(false)
            .before_acquire(|connection, was| {
                Box::pin(async move { Ok(was.idle_for < UNTRIED || answers(connection).await) })
            })
            // Who was cut off leaves an answer behind that may never come: the pool would wait for it without an end,
            // and have one place less. Otherwise this asks nothing.
            .after_release(|connection, _| {
                Box::pin(async move {
                    let heard = tokio::time::timeout(CLEANING, connection.flush()).await;
                    Ok(heard.is_ok_and(|heard| heard.is_ok()))
                })
            })
            .connect_lazy_with(options.clone());
        let hot = Hot::new(options, hot, settings.acquire_timeout);
        let turns = Turns::new(settings.writers);
        Ok(Self {
            pool,
            hot,
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

    /// Connections that are open, those of them that are idle, and how many there may be. Not of one moment.
    pub fn connections(&self) -> (u32, u32, u32) {
        let (open, idle, most) = self.hot.connections();
        let others = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX).min(self.pool.size());
        (open + self.pool.size(), idle + others, most + self.pool.options().get_max_connections())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        tokio::join!(self.pool.close(), self.hot.close());
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), crate::Error> {
        answered(SILENCE, sqlx::query_scalar!("select 1 as one").fetch_one(&self.pool)).await?;
        Ok(())
    }
}
