//! The load generator: connections that post requests which lie ready.
//!
//! In: for each connection its requests, and a pace. Out: when each was begun and how long its answer took. What can
//! fail: a connection, or an answer other than the expected one; either ends the run, for then nothing was measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::requests::Requests;
use crate::stats::Times;

/// How long the last answers may take after the end of the load.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the next request goes out.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// A connection posts as soon as it has its answer.
    Closed,
    /// At even intervals, over all connections together. A connection that is late posts at once; its time counts from
    /// when it should have posted.
    Open {
        /// Requests per second.
        rate: f64,
    },
}

/// What to post.
pub struct Load {
    /// To whom.
    pub address: SocketAddr,
    /// For each connection.
    pub requests: Arc<Vec<Requests>>,
    /// How fast.
    pub pace: Pace,
    /// How long, at the longest: it ends when there are no more requests, too.
    pub time: Duration,
    /// Begin again with the first request after the last.
    pub again: bool,
    /// The status that every answer must have.
    pub status: u16,
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// When it was begun, or should have been.
    pub start: Instant,
    /// Until its answer was there.
    pub answered: Duration,
}

/// What was posted.
pub struct Posted {
    /// When the first request was due.
    pub start: Instant,
    /// Until the last answer.
    pub elapsed: Duration,
    /// For each connection its requests, in order.
    pub sent: Vec<Vec<Sent>>,
}

impl Posted {
    /// How many.
    pub fn count(&self) -> usize {
        self.sent.iter().map(Vec::len).sum()
    }

    /// Answers per second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// How long the answers took.
    pub fn answers(&self) -> Times {
        Times::new(self.sent.iter().flatten().map(|sent| sent.answered).collect())
    }
}

/// Connects, then posts.
pub async fn run(load: Load) -> Result<Posted> {
    let mut connections = Vec::new();
    for _ in 0..load.requests.len() {
        connections.push(Connection::open(load.address).await.context("cannot connect")?);
    }
    let (time, start) = (load.time, Instant::now());
    let load = Arc::new(load);
    let mut running = JoinSet::new();
    for (place, connection) in connections.into_iter().enumerate() {
        let load = load.clone();
        running.spawn(async move { (place, post(&load, connection, place, start).await) });
    }
    let mut sent = vec![Vec::new(); load.requests.len()];
    let all = async {
        while let Some(ended) = running.join_next().await {
            let (place, posted) = ended.context("a connection's task failed")?;
            sent[place] = posted?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(time + PATIENCE, all).await.context("answers do not come")??;
    let end = sent.iter().flatten().map(|sent| sent.start + sent.answered).max().unwrap_or(start);
    Ok(Posted { start, elapsed: end - start, sent })
}

async fn post(load: &Load, mut connection: Connection, place: usize, start: Instant) -> Result<Vec<Sent>> {
    let requests = &load.requests[place];
    let connections = load.requests.len();
    let mut sent = Vec::new();
    loop {
        let due = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::Open { rate } => {
                let due = start + Duration::from_secs_f64((sent.len() * connections + place) as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        let next = if load.again { sent.len() % requests.len().max(1) } else { sent.len() };
        if due >= start + load.time || next >= requests.len() {
            return Ok(sent);
        }
        let answer = connection.exchange(requests.get(next)).await.context("a connection failed")?;
        if answer.status != load.status {
            bail!("a request was answered with {}: {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        sent.push(Sent { start: due, answered: due.elapsed() });
    }
}
