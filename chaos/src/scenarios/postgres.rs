//! Postgres goes away: its connections are cut in a proxy, and the server itself is stopped in the middle of
//! everything (immediate mode: as a crash) and comes back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hoopoe_testing::Proxy;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Connection;

use crate::ground::{ALL_ROLES, Ground};
use crate::options::Options;
use crate::report::Report;

/// How long connections stay cut.
const CUT: Duration = Duration::from_millis(700);
/// Stop, pause of the supervisor, crash recovery.
const BACK_PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(options: &Options) -> Result<Report> {
    let mut ground = Ground::prepare(options).await?;
    let proxy = Proxy::start(&ground.db.url).await;
    ground.set("DATABASE_URL", &proxy.url());
    let node = ground.node(ALL_ROLES).await;
    ground.front.lead_to(vec![node.address()]);
    let load = ground.begin().await;
    for fault in 0..options.faults(3, 40) {
        tokio::time::sleep(options.pause(fault)).await;
        // Every third time the server itself, in the short form once.
        match &options.postgres_data {
            Some(data) if fault % 3 == 1 => {
                let back = stop_and_wait(data, &ground.db.url).await?;
                ground.book.fault_since("Postgres stopped (immediate) and started", back);
            }
            _ if fault % 3 == 0 => {
                // For a moment only: every transaction breaks off, and the next connection is good.
                proxy.cut();
                proxy.restore();
                ground.book.fault("all connections cut once");
            }
            _ => {
                proxy.cut();
                tokio::time::sleep(CUT).await;
                proxy.restore();
                ground.book.fault("connections cut for 0.7 s");
            }
        }
    }
    tokio::time::sleep(options.pause(0)).await;
    let (mut report, _) = ground.finish("postgres", load, vec![node], &[]).await?;
    let refused = report.notes.answers.get("webhook 503").copied().unwrap_or_default();
    report.check(refused > 0, "503 was answered while Postgres was away");
    let worst = report.recovery.acknowledged.last().copied().unwrap_or(Duration::MAX);
    report.check(worst < Duration::from_secs(10), "webhooks were acknowledged again within 10 s of Postgres's return");
    if options.postgres_data.is_none() {
        report.skip("the server was not stopped, only connections were cut: POSTGRES_DATA is not set");
    }
    Ok(report)
}

/// Ends the server at once, as a crash does, and waits until it answers again; gives that moment. Somebody else starts
/// it: `cargo xtask chaos`, as a service manager would.
async fn stop_and_wait(data: &Path, url: &str) -> Result<Instant> {
    let pid_file = data.join("postmaster.pid");
    let content = fs::read_to_string(&pid_file).with_context(|| format!("cannot read {}", pid_file.display()))?;
    let pid = content.lines().next().and_then(|line| line.trim().parse().ok()).context("postmaster.pid has no pid")?;
    kill(Pid::from_raw(pid), Signal::SIGQUIT).context("cannot stop Postgres")?;
    let start = Instant::now();
    // Gone first: the old server may take connections for another moment.
    while fs::read_to_string(&pid_file).is_ok_and(|now| now.lines().next() == content.lines().next()) {
        wait(start).await?;
    }
    loop {
        if let Ok(connection) = sqlx::PgConnection::connect(url).await {
            let back = Instant::now();
            // It has served its purpose.
            let _ = connection.close().await;
            return Ok(back);
        }
        wait(start).await?;
    }
}

async fn wait(since: Instant) -> Result<()> {
    if since.elapsed() > BACK_PATIENCE {
        bail!("Postgres was stopped and did not come back within {BACK_PATIENCE:?}");
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(())
}
