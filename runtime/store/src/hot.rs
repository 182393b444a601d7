//! Connections of the message's way.
//!
//! The one that came back last goes out first: while little is going on, all statements are of one or two of Postgres'
//! processes, whose plans and caches stay warm. And who has done what it wanted says so ([`Unit::commit`]): no question
//! goes to the database when a connection comes back. A pool goes round all of its connections, and asks each time.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hoopoe_telemetry::metrics::labels::Pool;
use hoopoe_telemetry::metrics::{Wait, metrics};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::is_away;

/// A connection that has been idle for so long is tried before it is used.
pub(crate) const UNTRIED: Duration = Duration::from_millis(100);
/// A connection is kept for so long: Postgres' process keeps what it has ever needed.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// One that nobody has needed for so long is closed.
const UNNEEDED: Duration = Duration::from_secs(10 * 60);
/// How long a server that is there may take to say so.
const PING: Duration = Duration::from_secs(2);
/// Between two tries to connect, at first; each time twice as long.
const AGAIN: Duration = Duration::from_millis(10);
/// How long a server that is not there is waited for: who asks is to hear of it at once, and comes again.
const AWAY: Duration = Duration::from_millis(500);
/// How long it may take to end what a connection was left with.
pub(crate) const CLEANING: Duration = Duration::from_secs(10);

/// The connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hot(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    most: u32,
    /// Longest wait for a connection.
    patience: Duration,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    open: Arc<AtomicU32>,
}

struct Open {
    connection: PgConnection,
    since: Instant,
    _counted: Counted,
}

struct Idle {
    open: Open,
    since: Instant,
}

/// Counts a connection while it is open.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn one_more(of: &Arc<AtomicU32>) -> Self {
        of.fetch_add(1, Ordering::Relaxed);
        Self(of.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hot {
    /// Opens nothing yet.
    pub fn new(options: PgConnectOptions, most: u32, patience: Duration) -> Self {
        let places = Arc::new(Semaphore::new(most as usize));
        Self(Arc::new(Inner { options, most, patience, places, idle: Mutex::default(), open: Arc::default() }))
    }

    /// A connection for statements that each stand for themselves. When none comes in time the error is the server's, if it
    /// has refused one, or else that of the wait.
    pub async fn statements(&self) -> Result<Unit, sqlx::Error> {
        let _wait = Wait::of(metrics().database_acquire.of(Pool::Hot));
        let mut refusal = None;
        let (open, place) = match tokio::time::timeout(self.0.patience, self.lend(&mut refusal)).await {
            Ok(lent) => lent?,
            Err(_) => return Err(refusal.unwrap_or(sqlx::Error::PoolTimedOut)),
        };
        Ok(Unit { lent: Some(Lent { open, place, hot: self.clone() }), in_transaction: false })
    }

    /// A transaction.
    pub async fn transaction(&self) -> Result<Unit, sqlx::Error> {
        let mut unit = self.statements().await?;
        // Also when it is unknown whether it has begun.
        unit.in_transaction = true;
        sqlx::raw_sql("BEGIN").execute(&mut *unit).await?;
        Ok(unit)
    }

    /// Connections that are open, those of them that are idle, and how many there may be.
    pub fn connections(&self) -> (u32, u32, u32) {
        let idle = u32::try_from(self.idle().len()).unwrap_or(u32::MAX);
        (self.0.open.load(Ordering::Relaxed), idle, self.0.most)
    }

    /// Closes them, as they come back. Nobody gets one any more.
    pub async fn close(&self) {
        let all = tokio::time::timeout(CLEANING, self.0.places.acquire_many(self.0.most)).await;
        self.0.places.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for idle in idle {
            idle.close().await;
        }
    }

    /// Keeps in `refusal` why the server refuses for now; the caller bounds the wait.
    async fn lend(&self, refusal: &mut Option<sqlx::Error>) -> Result<(Open, OwnedSemaphorePermit), sqlx::Error> {
        let place = self.0.places.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        while let Some(Idle { mut open, since }) = self.last() {
            if since.elapsed() < UNTRIED || answers(&mut open.connection).await {
                return Ok((open, place));
            }
        }
        let (connection, since) = (self.connect(refusal).await?, Instant::now());
        Ok((Open { connection, since, _counted: Counted::one_more(&self.0.open) }, place))
    }

    /// Waits a moment for a server that is coming up, and longer for one that has no room; keeps why it refused. The caller
    /// bounds that.
    async fn connect(&self, refusal: &mut Option<sqlx::Error>) -> Result<PgConnection, sqlx::Error> {
        let (since, mut pause) = (Instant::now(), AGAIN);
        loop {
            match self.0.options.connect().await {
                Err(error) if has_no_room(&error) || is_away(&error) && since.elapsed() < AWAY => {
                    *refusal = Some(error);
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> Option<Idle> {
        self.idle().pop()
    }

    /// Takes one back. Those that nobody has needed for long, or that are old, are closed.
    fn take_back(&self, open: Open) {
        let mut over = Vec::new();
        {
            let mut idle = self.idle();
            idle.push(Idle { open, since: Instant::now() });
            if self.0.places.is_closed() {
                over.append(&mut idle);
            } else {
                let is_over = |one: &Idle| one.since.elapsed() > UNNEEDED || one.open.since.elapsed() > LIFETIME;
                over.extend(idle.extract_if(.., |one| is_over(one)));
            }
        }
        if let Ok(runtime) = Handle::try_current() {
            over.into_iter().for_each(|idle| drop(runtime.spawn(idle.close())));
        }
    }
}

impl Idle {
    async fn close(self) {
        // The server notices in any case.
        let _ = tokio::time::timeout(PING, self.open.connection.close()).await;
    }
}

/// Whether the server is there, as far as this connection knows.
pub(crate) async fn answers(connection: &mut PgConnection) -> bool {
    tokio::time::timeout(PING, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}

/// There are as many connections as the server takes: somebody else's may go.
fn has_no_room(error: &sqlx::Error) -> bool {
    // too_many_connections
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "53300")
}

/// A connection that is to come back.
struct Lent {
    open: Open,
    place: OwnedSemaphorePermit,
    hot: Hot,
}

impl Lent {
    fn give_back(self) {
        let Lent { open, place, hot } = self;
        hot.take_back(open);
        drop(place);
    }

    /// Ends what was left undone. A connection that does not answer is closed: what it still says is for nobody else.
    async fn clean(mut self, in_transaction: bool) {
        let connection = &mut self.open.connection;
        let cleaned = async {
            if in_transaction {
                sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
            }
            connection.ping().await
        };
        if let Ok(Ok(())) = tokio::time::timeout(CLEANING, cleaned).await {
            self.give_back();
        }
    }
}

/// Statements of the message's way that stand or fall together, or each for itself: a transaction costs two more round
/// trips. Dropped without [`Unit::commit`], as when one of them fails, a transaction is rolled back.
pub(crate) struct Unit {
    /// Until it goes back.
    lent: Option<Lent>,
    in_transaction: bool,
}

impl Unit {
    /// The last statement is done.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.in_transaction {
            sqlx::raw_sql("COMMIT").execute(&mut *self).await?;
        }
        if let Some(lent) = self.lent.take() {
            lent.give_back();
        }
        Ok(())
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // Where nothing runs any more, the connection is closed.
        if let (Some(lent), Ok(runtime)) = (self.lent.take(), Handle::try_current()) {
            runtime.spawn(lent.clean(self.in_transaction));
        }
    }
}

impl Deref for Unit {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.lent {
            Some(lent) => &lent.open.connection,
            None => unreachable!("it goes back when the unit ends"),
        }
    }
}

impl DerefMut for Unit {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.lent {
            Some(lent) => &mut lent.open.connection,
            None => unreachable!("it goes back when the unit ends"),
        }
    }
}

#[cfg(test)]
mod tests;
