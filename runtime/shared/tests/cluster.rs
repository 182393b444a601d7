//! Nodes that share by a Redis Cluster: keys of different tenants are in different places, and scripts, publications
//! and subscriptions find their way all the same.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Time, acquainted, node};
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_shared::limits::{Ask, Limit, Verdict};
use hoopoe_shared::live::Seen;
use hoopoe_shared::wake::Stage;
use hoopoe_shared::{Redis, Shared};
use hoopoe_testing::eventually;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use uuid::Uuid;

/// Three nodes without replicas. They are killed when this is dropped.
struct Cluster {
    ports: Vec<u16>,
    nodes: Vec<Child>,
    _folder: TempDir,
}

impl Cluster {
    /// `None` where there is no Redis with its client.
    async fn start() -> Option<Self> {
        let has = |program: &str| {
            let version = std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        if !has("redis-server") || !has("redis-cli") {
            eprintln!("NOT TESTED: redis-server and redis-cli are not both in PATH");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Held together, so that they differ.
        let held: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let free: Vec<u16> = held.iter().map(|one| one.local_addr().unwrap().port()).collect();
        drop(held);
        let (ports, buses) = free.split_at(3);
        let start = |(port, bus): (&u16, &u16)| {
            let configuration = format!("nodes-{port}.conf");
            Command::new("redis-server")
                .args(["--port", &port.to_string(), "--cluster-port", &bus.to_string(), "--bind", "127.0.0.1"])
                .args(["--cluster-enabled", "yes", "--cluster-config-file", &configuration])
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        };
        let nodes = ports.iter().zip(buses).map(start).collect();
        let cluster = Self { ports: ports.to_vec(), nodes, _folder: folder };
        for port in &cluster.ports {
            eventually("a node answers", async || ask(*port, &["ping"]).await.contains("PONG")).await;
        }
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(cluster.ports.iter().map(|port| format!("127.0.0.1:{port}")));
        let created = create.arg("--cluster-yes").stdin(Stdio::null()).output().await.unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        for port in &cluster.ports {
            eventually("the cluster is whole", async || {
                ask(*port, &["cluster", "info"]).await.contains("cluster_state:ok")
            })
            .await;
        }
        Some(cluster)
    }

    /// By some of its nodes.
    fn url(&self) -> String {
        format!("redis-cluster://127.0.0.1:{},127.0.0.1:{}", self.ports[0], self.ports[1])
    }
}

async fn ask(port: u16, command: &[&str]) -> String {
    let mut cli = Command::new("redis-cli");
    let answer = cli.args(["-p", &port.to_string()]).args(command).kill_on_drop(true).output();
    match tokio::time::timeout(Duration::from_secs(2), answer).await {
        Ok(answer) => String::from_utf8_lossy(&answer.unwrap().stdout).into_owned(),
        Err(_) => String::new(),
    }
}

/// How many of the tenants' asks are granted.
async fn granted(node: &Shared, tenants: &[Uuid]) -> usize {
    let asks: Vec<_> = tenants
        .iter()
        .map(|tenant| Ask::of(*tenant).number("106540352242922", Limit::new(1.0, 3.0)).tenant(Limit::per_second(100.0)))
        .collect();
    let verdicts = node.limits().take(&asks).await;
    verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Granted)).count()
}

#[tokio::test]
async fn what_nodes_share_they_share_by_a_cluster_too() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let time = Time::new();
    let (one, two) = (node(&cluster.url(), "hoopoe", &time), node(&cluster.url(), "hoopoe", &time));
    let nodes = [one, two];
    acquainted(&nodes).await;

    // Buckets of twenty tenants are spread over the nodes; each is one, whoever asks.
    let tenants: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    for (turn, expected) in [20, 20, 20, 0, 0].into_iter().enumerate() {
        assert_eq!(granted(&nodes[turn % 2], &tenants).await, expected, "turn {turn}");
    }
    let mut filled = 0;
    for port in &cluster.ports {
        filled += usize::from(ask(*port, &["dbsize"]).await.trim() != "0");
    }
    assert!(filled > 1, "the keys of twenty tenants are all on one node");

    let woken = Arc::new(AtomicUsize::new(0));
    let forgotten = Arc::new(Mutex::new(Vec::new()));
    let (counted, kept) = (woken.clone(), forgotten.clone());
    nodes[1].on_wake(move |stage| {
        counted.fetch_add(usize::from(stage == Stage::Scheduled), Ordering::SeqCst);
    });
    nodes[1].on_forget(move |forget| kept.lock().unwrap().push(forget.clone()));
    nodes[0].wake(Stage::Scheduled);
    let forget = Forget::One(Cache::Routes, "1".to_owned());
    nodes[0].forget(forget.clone());
    eventually("the other node was told", async || {
        woken.load(Ordering::SeqCst) > 0 && forgotten.lock().unwrap().contains(&forget)
    })
    .await;

    // Who watches is told, whichever nodes of the cluster are between.
    for tenant in &tenants {
        let mut watch = nodes[1].watch(*tenant);
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let watching = tokio::spawn(async move {
            while let Seen::Event(_) = watch.next().await {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        eventually("an event is seen", async || {
            nodes[0].show(*tenant, "{}");
            seen.load(Ordering::SeqCst) > 0
        })
        .await;
        watching.abort();
    }

    // Without one of its nodes the cluster serves nobody, and everybody works alone.
    cluster.nodes[2].kill().await.unwrap();
    eventually("the cluster is away", async || {
        let _ = granted(&nodes[0], &tenants).await;
        nodes[0].redis() == Some(Redis::Away)
    })
    .await;
    let others: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    assert_eq!(granted(&nodes[0], &others).await, 20);
}
