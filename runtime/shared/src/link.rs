//! The connection to Redis: whoever asks gets an answer within a bounded time, or none.
//!
//! A call that fails, or that is not answered in time, opens the link: further calls are told at once that Redis is
//! away. The keeper connects anew, with a growing pause between its attempts, and closes the link only when a script
//! that writes has run: so a Redis that only reads, or is full, counts as away too.

mod connection;
mod keeper;
mod log;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::{FromRedisValue, Pipeline};
use tokio::sync::{Notify, watch};

use connection::Client;
pub(crate) use connection::Connection;
pub(crate) use keeper::keep;

use crate::Address;

/// How long the keeper and the subscription wait for Redis. They delay nobody.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// The connection that all calls share.
pub(crate) struct Link {
    client: Client,
    call_timeout: Duration,
    connected: RwLock<Option<Arc<Connected>>>,
    /// Tells the keeper.
    lost: Notify,
    up: watch::Sender<bool>,
    /// Calls that were made without Redis, since it went away.
    missed: AtomicU64,
}

/// A connection that works, as far as anybody knows.
pub(crate) struct Connected {
    connection: Connection,
    scripts: Vec<String>,
}

impl Connected {
    /// The digest of the limits' script of this number.
    pub fn script(&self, number: usize) -> &str {
        &self.scripts[number]
    }
}

impl Link {
    pub fn new(address: &Address, call_timeout: Duration) -> Result<Self, redis::RedisError> {
        Ok(Self {
            client: Client::new(address)?,
            call_timeout,
            connected: RwLock::default(),
            lost: Notify::new(),
            up: watch::Sender::new(false),
            missed: AtomicU64::new(0),
        })
    }

    /// The connection; `None` while Redis is away.
    pub fn connected(&self) -> Option<Arc<Connected>> {
        let connected = self.connected.read().unwrap_or_else(PoisonError::into_inner).clone();
        if connected.is_none() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        connected
    }

    /// Whether Redis answers, as far as anybody knows.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Waits until Redis answers.
    pub async fn up(&self) {
        // The sender lives as long as this.
        let _ = self.up.subscribe().wait_for(|up| *up).await;
    }

    /// A new connection to be told things on.
    pub async fn subscriber(&self) -> redis::RedisResult<redis::aio::PubSub> {
        self.client.subscribe().await
    }

    /// Whether the answer to a publication counts all who were told: in a cluster each node knows only its own.
    pub fn counts_receivers(&self) -> bool {
        !self.client.is_cluster()
    }

    /// The answers to a pipeline; `None` when Redis does not give them, all of them and in time.
    pub async fn ask<T: FromRedisValue>(&self, connected: Arc<Connected>, pipeline: &Pipeline) -> Option<T> {
        let error = match tokio::time::timeout(self.call_timeout, connected.connection.run(pipeline)).await {
            Ok(Ok(answers)) => return Some(answers),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.call_timeout),
        };
        self.missed.fetch_add(1, Ordering::Relaxed);
        self.lose(&connected, &error);
        None
    }

    /// The connection does not work; nobody is given it again.
    fn lose(&self, connected: &Arc<Connected>, why: &str) {
        let mut current = self.connected.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connected)) {
            *current = None;
            self.up.send_replace(false);
            tracing::debug!(error = why, "the connection to Redis is given up");
            self.lost.notify_one();
        }
    }
}
