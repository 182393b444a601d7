//! The runtime as a process of its own, started as in production.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{self, Connection};
use crate::options::Options;
use crate::webhooks::APP_SECRET;

const MASTER_KEY: &str = "hoopoe-bench-master-key-for-measuring-only";
const START_LIMIT: Duration = Duration::from_secs(60);

/// Rates that do not bind: what the runtime can do is measured, not what Meta allows.
const RATES: [(&str, &str); 2] = [("NUMBER_RATE", "1000000"), ("PAIR_BURST", "1000000")];

/// A registered tenant with its number.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: Uuid,
    /// Its API key.
    pub key: String,
    /// Meta's id of its number.
    pub number: String,
    /// As registered.
    pub name: String,
}

impl Tenant {
    /// Of a request in its name with a JSON body.
    pub fn headers(&self) -> String {
        headers(&self.key, "application/json")
    }
}

/// A running process; ended when dropped.
pub struct Hoopoe {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Hoopoe {
    /// Starts it with settings besides the usual ones and waits until it is ready. It logs warnings into
    /// `<scenario>.hoopoe.log` in the reports' folder.
    pub async fn start(
        options: &Options,
        (scenario, settings): (&str, &[(&str, &str)]),
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
            .envs(RATES)
            .env("LOG", "warn")
            .envs(settings.iter().copied())
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

    /// Registers tenants `Bench 0`, `Bench 1`, ..., each with a number.
    pub async fn register(&self, tenants: usize) -> Result<Vec<Tenant>> {
        let mut registered = Vec::new();
        for tenant in 0..tenants {
            let (name, number) = (format!("Bench {tenant}"), format!("1060000000{tenant:05}"));
            // Not a token that begins with `mock_`: sends with those are answered within the runtime.
            let body = json!({ "name": name, "phoneNumberId": number, "accessToken": "bench-token" }).to_string();
            let headers = headers(MASTER_KEY, "application/json");
            let answer = self.exchange("POST", "/tenants/register", &headers, body.as_bytes()).await?;
            let text = |field: &str| answer[field].as_str().map(str::to_owned).context("a registration without it");
            registered.push(Tenant { id: text("id")?.parse()?, key: text("apiKey")?, number, name });
        }
        Ok(registered)
    }

    /// A request in the name of a tenant, with a JSON body or none.
    pub async fn call(&self, method: &str, path: &str, tenant: &Tenant, body: &str) -> Result<Value> {
        self.exchange(method, path, &tenant.headers(), body.as_bytes()).await
    }

    /// Uploads a component as a tenant's plugin and lets it take over.
    pub async fn install(&self, tenant: &Tenant, plugin: &str, component: &[u8]) -> Result<()> {
        let path = format!("/tenants/{}/plugins/{plugin}?activate=true", tenant.id);
        self.exchange("PUT", &path, &headers(&tenant.key, "application/wasm"), component).await.map(|_| ())
    }

    /// Fails unless the answer is a success.
    async fn exchange(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Value> {
        let mut connection = Connection::open(self.address).await.context("the runtime does not answer")?;
        let request = http::request(method, path, headers, body);
        let answer = connection.exchange(&request).await.with_context(|| format!("{method} {path}"))?;
        let body: Value = serde_json::from_slice(answer.body).unwrap_or_default();
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} was answered with {}: {body}", answer.status);
        }
        Ok(body)
    }
}

impl Drop for Hoopoe {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings that differ from the defaults, for the report.
pub fn settings(settings: &[(&str, &str)]) -> String {
    let all: Vec<String> = RATES.iter().chain(settings).map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} (rates do not bind)", all.join(", "))
}

fn headers(key: &str, content_type: &str) -> String {
    format!("Authorization: Bearer {key}\r\nContent-Type: {content_type}\r\n")
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    listener.local_addr().context("there is no free port")
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One of each number, from 0.
    pub fn tenant(number: usize) -> Tenant {
        Tenant {
            id: Uuid::from_u128(number as u128),
            key: "key".to_owned(),
            number: format!("{}", 10 + 10 * number),
            name: format!("Bench {number}"),
        }
    }
}
