//! The development instance: Postgres, Redis, Meta's simulator and the runtime, started in this order and stopped in the
//! reverse one.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::Client;
use crate::interrupt;
use crate::leftovers::Started;
use crate::postgres::{self, Database, Kind};
use crate::process::{self, Running, describe};
use crate::redis::Redis;
use crate::settings::Settings;
use crate::step::step;
use crate::workspace;

const READY_LIMIT: Duration = Duration::from_secs(60);
const SIMULATOR_PORT: u16 = 4010;
const PORT: u16 = 3000;

/// Where the runtime's log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// To the terminal.
    Terminal,
    /// Into a file, which is shown when the runtime fails.
    File,
}

/// All that runs. The fields are dropped, and so stopped, in this order.
pub struct Instance {
    hoopoe: Running,
    simulator: Running,
    database: Database,
    redis: Redis,
    log: Option<PathBuf>,
    /// The runtime's address.
    pub url: String,
    /// The simulator's address.
    pub simulator_url: String,
    /// Admin access.
    pub master_key: String,
    /// Signs webhooks.
    pub app_secret: String,
}

impl Instance {
    /// Start everything and wait until the runtime is ready.
    pub fn start(
        [hoopoe, meta_sim]: &[PathBuf; 2],
        settings: &mut Settings,
        port: Option<u16>,
        log: Log,
    ) -> Result<Self> {
        let mut started = Started::over()?;
        let database = Database::start(Kind::Dev)?;
        if let Database::Embedded(cluster) = &database {
            postgres::create_database(cluster.binaries(), &cluster.url("postgres"), "hoopoe")?;
        }
        let redis = Redis::start(settings.given("REDIS_URL").map(str::to_owned))?;
        let port = choose_port(port, settings)?;
        let url = format!("http://127.0.0.1:{port}");
        let app_secret = settings.secret("APP_SECRET")?;
        let master_key = settings.secret("MASTER_KEY")?;

        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, workspace::port_near(SIMULATOR_PORT)?));
        let simulator_url = format!("http://{listen}");
        let mut command = process::command(meta_sim);
        command
            .env("META_SIM_LISTEN", listen.to_string())
            .env("META_SIM_WEBHOOK_URL", format!("{url}/whatsapp/webhook"))
            .env("APP_SECRET", &app_secret);
        log_to(&mut command, &workspace::state_dir()?.join("meta-sim.log"))?;
        let simulator = Running::start("meta-sim", &mut command)?;
        started.add(simulator.id(), meta_sim)?;

        let mut command = process::command(hoopoe);
        command
            .args(["serve", "--roles", "api,flows,delivery"])
            .env("APP_ENV", "development")
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("DATABASE_URL", database.url("hoopoe"))
            .env("APP_SECRET", &app_secret)
            .env("VERIFY_TOKEN", settings.secret("VERIFY_TOKEN")?)
            .env("MASTER_KEY", &master_key)
            .env("GRAPH_BASE_URL", &simulator_url)
            .env("PLUGIN_CACHE", workspace::state_dir()?.join("plugins"))
            // A developer's flows may call services of this machine.
            .env("HTTP_ALLOW_PRIVATE", "true");
        // Empty is not set, whatever `.env` says.
        command.env("REDIS_URL", redis.url().unwrap_or_default());
        for (name, default) in [("WHATSAPP_API_VERSION", "v23.0"), ("SHUTDOWN_GRACE", "5")] {
            command.env(name, settings.given(name).unwrap_or(default));
        }
        let log = match log {
            Log::Terminal => None,
            Log::File => Some(workspace::state_dir()?.join("hoopoe.log")),
        };
        if let Some(path) = &log {
            log_to(&mut command, path)?;
        }
        let runtime = Running::start("hoopoe", &mut command)?;
        started.add(runtime.id(), hoopoe)?;

        let mut instance =
            Self { hoopoe: runtime, simulator, database, redis, log, url, simulator_url, master_key, app_secret };
        step("starting meta-sim and hoopoe", || instance.become_ready()).inspect_err(|_| instance.show_log())?;
        Ok(instance)
    }

    fn become_ready(&mut self) -> Result<()> {
        let (hoopoe, simulator) = (Client::new(&self.url, None), Client::new(&self.simulator_url, None));
        let is_ok = |client: &Client, path| client.get(path).is_ok_and(|answer| answer.status == 200);
        let end = Instant::now() + READY_LIMIT;
        while !(is_ok(&simulator, "/_sim/health") && is_ok(&hoopoe, "/ready")) {
            self.check()?;
            if Instant::now() > end {
                bail!("hoopoe is not ready within {} s: GET {}/ready", READY_LIMIT.as_secs(), self.url);
            }
            interrupt::tick()?;
        }
        Ok(())
    }

    /// Fail when something ended by itself.
    pub fn check(&mut self) -> Result<()> {
        for (name, running) in [("hoopoe", &mut self.hoopoe), ("meta-sim", &mut self.simulator)] {
            if let Some(status) = running.ended()? {
                bail!("{name} ended by itself ({})", describe(status));
            }
        }
        if let Database::Embedded(cluster) = &mut self.database
            && cluster.has_ended()?
        {
            bail!("Postgres ended by itself");
        }
        Ok(())
    }

    /// Wait until something ends by itself, or until Ctrl-C: always an error.
    pub fn wait(&mut self) -> Result<()> {
        loop {
            self.check()?;
            interrupt::tick()?;
        }
    }

    /// Show what the programs wrote to files, after a failure.
    pub fn show_log(&self) {
        let simulator = workspace::state_dir().map(|dir| dir.join("meta-sim.log")).ok();
        for path in self.log.iter().chain(&simulator) {
            let text = fs::read_to_string(path).unwrap_or_default();
            eprintln!("--- {}\n{text}---", path.display());
        }
    }

    /// The URL of the runtime's Redis, if it has one.
    pub fn redis_url(&self) -> Option<&str> {
        self.redis.url()
    }

    /// The URL of the runtime's database.
    pub fn database_url(&self) -> String {
        self.database.url("hoopoe")
    }
}

/// A port of the command line must be free; that of `PORT`, or the usual one, is replaced when it is not.
fn choose_port(asked: Option<u16>, settings: &Settings) -> Result<u16> {
    match (asked, settings.given("PORT")) {
        (Some(port), _) if workspace::is_free(port) => Ok(port),
        (Some(port), _) => bail!("port {port} is taken by another program"),
        (None, Some(text)) => {
            workspace::port_near(text.parse().with_context(|| format!("PORT is no port number: {text}"))?)
        }
        (None, None) => workspace::port_near(PORT),
    }
}

fn log_to(command: &mut Command, path: &Path) -> Result<()> {
    let log = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let copy = log.try_clone().context("cannot share the log file")?;
    command.stdout(log).stderr(copy);
    Ok(())
}
