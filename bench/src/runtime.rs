//! The runtime as a process of its own, started as in production.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http::{self, Connection};
use crate::options::Options;
use crate::webhooks::APP_SECRET;

const MASTER_KEY: &str = "hoopoe-bench-master-key-for-measuring-only";
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running process; ended when dropped.
pub struct Hoopoe {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Hoopoe {
    /// Starts it and waits until it is ready. It logs warnings into `<scenario>.hoopoe.log` in the reports' folder.
    pub async fn start(
        options: &Options,
        scenario: &str,
        roles: &str,
        database_url: &str,
        graph_url: &str,
    ) -> Result<Self> {
        fs::create_dir_all(&options.out).context("the folder of the reports")?;
        let out = fs::canonicalize(&options.out).context("the folder of the reports")?;
        let log = out.join(scenario).with_extension("hoopoe.log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let address = free_address()?;
        let binary = fs::canonicalize(options.hoopoe()?).context("the runtime's binary")?;
        let mut command = Command::new(&binary);
        command
            .args(["serve", "--roles", roles])
            // Not where a `.env` may lie.
            .current_dir(&out)
            .env_remove("HOOPOE_CONFIG")
            .env_remove("REDIS_URL")
            .env("APP_ENV", "production")
            .env("HOST", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .env("DATABASE_URL", database_url)
            .env("APP_SECRET", APP_SECRET)
            .env("VERIFY_TOKEN", "hoopoe-bench-verify-token")
            .env("MASTER_KEY", MASTER_KEY)
            .env("GRAPH_BASE_URL", graph_url)
            // What the runtime can do, not what Meta allows.
            .env("NUMBER_RATE", "1000000")
            .env("PAIR_BURST", "1000000")
            .env("LOG", "warn")
            .stdin(Stdio::null())
            .stderr(output.try_clone().context("the runtime's log")?)
            .stdout(output);
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let mut hoopoe = Hoopoe { child, log, address };
        hoopoe.become_ready().await?;
        Ok(hoopoe)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log, for errors.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("the runtime's log ends with\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    async fn become_ready(&mut self) -> Result<()> {
        let (request, end) = (http::request("GET", "/ready", "", ""), Instant::now() + START_LIMIT);
        loop {
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.exchange(&request).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("the runtime's process")? {
                bail!("the runtime ended at its start ({status}); {}", self.last_words());
            }
            if Instant::now() > end {
                bail!("the runtime does not become ready; {}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Registers tenants `Bench 0`, `Bench 1`, ..., each with a number; gives the numbers.
    pub async fn register(&self, tenants: usize) -> Result<Vec<String>> {
        let mut connection = Connection::open(self.address).await.context("the runtime does not answer")?;
        let headers = format!("Authorization: Bearer {MASTER_KEY}\r\nContent-Type: application/json\r\n");
        let mut numbers = Vec::new();
        for tenant in 0..tenants {
            let number = format!("1060000000{tenant:05}");
            // Not one that begins with `mock_`: those are answered within the runtime.
            let body = json!({ "name": tenant_name(tenant), "phoneNumberId": number, "accessToken": "bench-token" });
            let request = http::request("POST", "/tenants/register", &headers, &body.to_string());
            let answer = connection.exchange(&request).await.context("registering a tenant")?;
            if answer.status != 201 {
                let body: Value = serde_json::from_slice(answer.body).unwrap_or_default();
                bail!("a tenant was not registered: {} {body}", answer.status);
            }
            numbers.push(number);
        }
        Ok(numbers)
    }
}

impl Drop for Hoopoe {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of the tenant with this number, from 0.
pub fn tenant_name(tenant: usize) -> String {
    format!("Bench {tenant}")
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    listener.local_addr().context("there is no free port")
}
