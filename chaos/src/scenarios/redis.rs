//! Redis is shared memory and no truth: it is flushed, killed and started again under the load of two nodes that use
//! it, and nobody outside may notice.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::ground::{ALL_ROLES, Ground};
use crate::options::Options;
use crate::report::Report;

/// A start, and an answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(options: &Options) -> Result<Option<Report>> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).context("a port")?.port();
    let mut redis = match Redis::start(port).await {
        Ok(redis) => redis,
        Err(error) => {
            eprintln!("    SKIPPED: there is no redis-server on this machine ({error:#})");
            return Ok(None);
        }
    };
    let mut ground = Ground::prepare(options).await?;
    ground.set("REDIS_URL", &format!("redis://127.0.0.1:{port}"));
    let nodes = vec![ground.node(ALL_ROLES).await, ground.node(ALL_ROLES).await];
    ground.front.lead_to(nodes.iter().map(|node| node.address()).collect());
    let load = ground.begin().await;
    for fault in 0..options.faults(3, 30) {
        tokio::time::sleep(options.pause(fault)).await;
        if fault % 3 == 0 {
            redis.flush().await?;
            ground.book.fault("Redis flushed");
            continue;
        }
        ground.book.fault("Redis killed");
        redis.server.kill().await.context("redis-server cannot be killed")?;
        tokio::time::sleep(options.pause(fault)).await;
        redis = Redis::start(port).await?;
        ground.book.fault("Redis started again, empty");
    }
    tokio::time::sleep(options.pause(0)).await;
    let (mut report, _) = ground.finish("redis", load, nodes, &[]).await?;
    let refused = report.notes.answers.get("webhook 503").copied().unwrap_or_default();
    report.check(refused == 0, "no webhook was refused for want of Redis");
    Ok(Some(report))
}

/// A server that keeps nothing; it is killed when this is dropped.
struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    async fn start(port: u16) -> Result<Self> {
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/", "--port"];
        let server = Command::new("redis-server")
            .args(arguments)
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start redis-server")?;
        let redis = Self { server, port };
        let ready = async {
            while redis.ask("PING", "+PONG").await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.context("redis-server does not answer")?;
        Ok(redis)
    }

    async fn flush(&self) -> Result<()> {
        self.ask("FLUSHALL", "+OK").await
    }

    /// An inline command, as people type it.
    async fn ask(&self, command: &str, expected: &str) -> Result<()> {
        let exchange = async {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            connection.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await.context(command.to_owned())??;
        if answer.starts_with(expected) { Ok(()) } else { bail!("{command} was answered {answer:?}") }
    }
}
