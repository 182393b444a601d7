//! Redis stopped, frozen, flushed, killed in the middle of calls: no call hangs, nobody has to restart, the log is calm.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use common::{Time, acquainted, node_that_waits};
use hoopoe_shared::limits::{Ask, Limit, Scope, Verdict};
use hoopoe_shared::{Redis, Shared};
use hoopoe_testing::{RedisServer, eventually};
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
/// The call timeout of these tests: a slow machine is not to be taken for a dead Redis.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What is logged in this test, at level info and above.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Everything on this thread goes here until the guard is dropped. The tests have one thread.
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self, with: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().filter(|line| line.contains(with)).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

async fn two_nodes(server: &RedisServer, time: &Time) -> [Shared; 2] {
    let nodes = [(); 2].map(|()| node_that_waits(&server.url(), "hoopoe", time, TIMEOUT));
    acquainted(&nodes).await;
    nodes
}

async fn granted(node: &Shared, asks: usize) -> usize {
    let asks: Vec<_> = (0..asks).map(|_| Ask::of(TENANT).number("1", Limit::new(1.0, 10.0))).collect();
    node.limits().take(&asks).await.iter().filter(|verdict| verdict.is_granted()).count()
}

async fn both_are(state: Redis, nodes: &[Shared]) {
    eventually("all nodes know", async || nodes.iter().all(|node| node.redis() == Some(state))).await;
}

#[tokio::test]
async fn without_redis_each_node_takes_its_share_and_returns_by_itself() {
    let Some(mut server) = RedisServer::start().await else { return };
    let (log, _guard) = Log::capture();
    let time = Time::new();
    let nodes = two_nodes(&server, &time).await;
    assert_eq!(granted(&nodes[0], 12).await + granted(&nodes[1], 12).await, 10, "together one bucket");

    nodes[0].limits().pause(TENANT, Scope::Number("2"), time.now() + TimeDelta::minutes(1)).await;
    server.stop().await;
    assert_eq!(granted(&nodes[0], 12).await, 0, "what Redis granted counts");
    assert_eq!(granted(&nodes[1], 12).await, 5, "half of the bucket");
    both_are(Redis::Away, &nodes).await;
    let paused = Ask::of(TENANT).number("2", Limit::per_second(80.0));
    assert!(!nodes[0].limits().take(&[paused]).await[0].is_granted(), "it knows of the pause by itself");
    let start = Instant::now();
    for _ in 0..1000 {
        granted(&nodes[0], 1).await;
    }
    assert!(start.elapsed() < TIMEOUT, "one call waited for a dead Redis, not a thousand: {:?}", start.elapsed());

    server.restart().await;
    acquainted(&nodes).await;
    time.advance(TimeDelta::minutes(1));
    assert_eq!(granted(&nodes[0], 12).await + granted(&nodes[1], 12).await, 10, "together one bucket again");
    assert_eq!((log.lines("Redis is away"), log.lines("Redis is back")), (2, 2), "one line of each per node");
    assert_eq!(log.lines(" WARN ") + log.lines(" ERROR "), 2);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_delays_one_call() {
    let Some(server) = RedisServer::start().await else { return };
    let time = Time::new();
    let nodes = two_nodes(&server, &time).await;
    server.freeze();
    let start = Instant::now();
    assert_eq!(granted(&nodes[0], 12).await, 5);
    assert!(start.elapsed() >= TIMEOUT / 2, "it did ask");
    let start = Instant::now();
    for _ in 0..1000 {
        granted(&nodes[0], 1).await;
    }
    assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
    both_are(Redis::Away, &nodes).await;
    server.thaw();
    both_are(Redis::Ok, &nodes).await;
}

#[tokio::test]
async fn a_flush_costs_a_burst_and_nothing_else() {
    let Some(server) = RedisServer::start().await else { return };
    let (log, _guard) = Log::capture();
    let nodes = two_nodes(&server, &Time::new()).await;
    assert_eq!(granted(&nodes[0], 12).await, 10);
    server.flush();
    assert_eq!(granted(&nodes[1], 12).await, 10);
    assert_eq!(granted(&nodes[0], 12).await, 0);
    assert!(nodes.iter().all(|node| node.nodes() == 2), "nobody forgot the other one");
    // Scripts gone is another matter: the link is made anew, and brings them along.
    assert!(server.ask("SCRIPT FLUSH").starts_with("+OK"));
    granted(&nodes[0], 1).await;
    acquainted(&nodes).await;
    assert_eq!(granted(&nodes[0], 12).await, 0);
    assert!(log.lines("Redis is away") <= 2);
}

#[tokio::test]
async fn killed_in_the_middle_of_calls_again_and_again() {
    let Some(mut server) = RedisServer::start().await else { return };
    let (log, _guard) = Log::capture();
    let time = Time::new();
    let nodes = two_nodes(&server, &time).await;
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|number| {
            let (node, done) = (nodes[number % 2].clone(), done.clone());
            tokio::spawn(async move {
                let (mut calls, mut longest) = (0_u64, Duration::ZERO);
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    let start = Instant::now();
                    let number = number.to_string();
                    let ask = Ask::of(TENANT).number(&number, Limit::per_second(1e6));
                    let verdicts = node.limits().take(&[ask]).await;
                    assert!(matches!(verdicts[..], [Verdict::Granted | Verdict::Wait { .. }]));
                    (calls, longest) = (calls + 1, longest.max(start.elapsed()));
                    tokio::task::yield_now().await;
                }
                (calls, longest)
            })
        })
        .collect();
    for _ in 0..5 {
        server.restart().await;
        acquainted(&nodes).await;
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    for task in load {
        let (calls, longest) = task.await.unwrap();
        assert!(calls > 5 && longest < 3 * TIMEOUT, "{calls} calls, the longest {longest:?}");
    }
    let away = log.lines("Redis is away");
    assert!((1..=10).contains(&away), "{away} lines for five kills");
}

#[tokio::test]
async fn a_redis_that_comes_late_is_found() {
    let Some(mut server) = RedisServer::start().await else { return };
    server.stop().await;
    let nodes = [node_that_waits(&server.url(), "hoopoe", &Time::new(), TIMEOUT)];
    assert_eq!(granted(&nodes[0], 12).await, 10, "alone, it has all");
    assert_eq!(nodes[0].redis(), Some(Redis::Away));
    server.restart().await;
    acquainted(&nodes).await;
}

#[tokio::test]
async fn who_leaves_is_not_counted() {
    let Some(server) = RedisServer::start().await else { return };
    let [one, two] = two_nodes(&server, &Time::new()).await;
    two.stop().await;
    assert!(server.ask("ZCARD hoopoe:nodes").starts_with(":1"), "it said that it goes");
    eventually("the other one has the whole limit", async || one.nodes() == 1).await;
    assert!(Shared::alone(Time::new().clock()).redis().is_none());
}
