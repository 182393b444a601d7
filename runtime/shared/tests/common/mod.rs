//! Nodes for tests: alone, or some with one Redis.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_shared::{Address, Clock, Options, Redis, Shared};
use hoopoe_testing::{RedisServer, eventually};
use uuid::Uuid;

/// A clock that stands until it is moved.
#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_767_225_600_000_000)))
    }

    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::pinned(move || time.now())
    }
}

/// One node of the Redis at this URL. It waits for Redis as long as a slow machine may need.
pub fn node(url: &str, namespace: &str, time: &Time) -> Shared {
    node_that_waits(url, namespace, time, Duration::from_secs(20))
}

pub fn node_that_waits(url: &str, namespace: &str, time: &Time, call_timeout: Duration) -> Shared {
    let options = Options {
        call_timeout,
        namespace: namespace.to_owned(),
        ..Options::new(Some(Address::parse(url).unwrap()), Uuid::now_v7())
    };
    Shared::start(options, time.clock())
}

/// Waits until the nodes know of each other.
pub async fn acquainted(nodes: &[Shared]) {
    eventually("the nodes know of each other", async || {
        nodes.iter().all(|node| node.redis() == Some(Redis::Ok) && node.nodes() == nodes.len())
    })
    .await;
}

/// Where a table of cases is tried: `nodes` behave as one.
pub struct Ground {
    pub name: &'static str,
    pub nodes: Vec<Shared>,
    pub time: Time,
    _server: Option<RedisServer>,
}

impl Ground {
    pub fn alone() -> Self {
        let time = Time::new();
        Self { name: "in the process", nodes: vec![Shared::alone(time.clock())], time, _server: None }
    }

    /// Two nodes on the Redis of `REDIS_URL`, or on one of their own.
    pub async fn redis() -> Option<Self> {
        let time = Time::new();
        let given = std::env::var("REDIS_URL").ok().filter(|url| !url.is_empty());
        let server = if given.is_none() { Some(RedisServer::start().await?) } else { None };
        let url = given.or(server.as_ref().map(RedisServer::url)).unwrap();
        let namespace = format!("hoopoe-test-{}", Uuid::now_v7().simple());
        let nodes = vec![node(&url, &namespace, &time), node(&url, &namespace, &time)];
        acquainted(&nodes).await;
        Some(Self { name: "in Redis", nodes, time, _server: server })
    }

    pub async fn both() -> Vec<Self> {
        let mut grounds = vec![Self::alone()];
        grounds.extend(Self::redis().await);
        grounds
    }
}
