//! What a scenario stands on: a database, Meta, a load balancer, tenants, and the nodes that it starts.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hoopoe_testing::{Client, Database, Ended, Process, Tenant, settings, sim_options};
use meta_sim::Sim;

use crate::book::Book;
use crate::front::Front;
use crate::judge::{Tables, judge};
use crate::load::Load;
use crate::options::Options;
use crate::report::Report;

/// Every role in one process.
pub const ALL_ROLES: &str = "api,flows,delivery";
/// Tenants whose contacts write.
const TENANTS: usize = 4;
/// How long a message in doubt waits for a status. The simulator posts a status again after a second at the latest, and
/// between two faults there is always a second for it: as with Meta, and unless the machine is too slow, no status stays
/// away for as long as this.
const DOUBT: Duration = Duration::from_secs(5);
/// Retries after which the simulator gives a status up: never.
const STATUS_RETRIES: u32 = 1_000_000;
/// How long everything may take to come to rest after the load: leases, doubts and backoffs one after the other.
const REST_PATIENCE: Duration = Duration::from_secs(120);

/// The ground of one scenario.
pub struct Ground {
    /// A database of its own.
    pub db: Database,
    /// Meta.
    pub sim: Arc<Sim>,
    /// Before the nodes.
    pub front: Front,
    /// Calls the nodes through the front.
    pub api: Client,
    /// Whose contacts write.
    pub tenants: Vec<Tenant>,
    /// What the outside remembers.
    pub book: Arc<Book>,
    /// The nodes' configuration.
    pub environment: HashMap<String, String>,
    /// One, or that of this release and that of an earlier one.
    binaries: Vec<String>,
    started: AtomicUsize,
    build: &'static str,
    logs: Vec<String>,
}

impl Ground {
    /// A database, a simulator, a front; no node yet. Times are short, so that recovery can be seen.
    pub async fn prepare(options: &Options) -> Result<Self> {
        let db = Database::create().await;
        let sim = meta_sim::Options { webhook_retries: STATUS_RETRIES, ..sim_options() };
        let sim = Arc::new(Sim::start(sim).await.context("Meta's simulator")?);
        let front = Front::start().await.context("the load balancer")?;
        let api = Client::new(front.address);
        sim.set_webhook(&api.webhook_url());
        let mut environment = settings(&db, &sim);
        std::fs::create_dir_all(&options.out).context("the folder of the reports")?;
        let out = std::fs::canonicalize(&options.out).context("the folder of the reports")?;
        let cache = out.join("plugins").to_string_lossy().into_owned();
        for (name, value) in [
            ("GRAPH_CONNECT_TIMEOUT", "1s"),
            ("GRAPH_TIMEOUT", "1s"),
            ("LEASE", "2s"),
            ("UNKNOWN_OUTCOME_WAIT", &format!("{}s", DOUBT.as_secs())),
            ("LOG", "warn,hoopoe_runtime=info"),
            ("PLUGIN_CACHE", &cache),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let hoopoe = std::fs::canonicalize(&options.hoopoe).context("the runtime's binary (HOOPOE_BIN)")?;
        let mut binaries = vec![hoopoe.to_string_lossy().into_owned()];
        // The runtime is built with this program.
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        if let Some(earlier) = &options.earlier {
            let earlier = std::fs::canonicalize(earlier).context("the binary of an earlier release (--earlier)")?;
            binaries.push(earlier.to_string_lossy().into_owned());
        }
        let (tenants, book) = (Vec::new(), Arc::default());
        Ok(Self {
            db,
            sim,
            front,
            api,
            tenants,
            book,
            environment,
            binaries,
            started: AtomicUsize::new(0),
            build,
            logs: Vec::new(),
        })
    }

    /// Changes the configuration of nodes that are started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Starts a node and waits until it is ready. The front does not know it yet.
    pub async fn node(&self, roles: &str) -> Process {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let binary = &self.binaries[number % self.binaries.len()];
        Process::start_with(binary, &["serve", "--roles", roles], &self.environment).await
    }

    /// Registers the tenants, through the front, and waits until the load's way is open in both directions.
    pub async fn begin(&mut self) -> Load {
        for number in 0..TENANTS {
            let phone_number_id = format!("10600000000{number:04}");
            self.tenants.push(self.api.register(&format!("Chaos {number}"), &phone_number_id, "token").await);
        }
        let load = Load::start(&self.sim, &self.api, &self.tenants, &self.book);
        hoopoe_testing::eventually("the first messages are answered", async || self.sim.accepted_count() >= 50).await;
        load
    }

    /// Keeps the log of a node that has ended.
    pub fn ended(&mut self, ended: Ended) {
        self.logs.push(ended.log);
    }

    /// Ends the load, waits until nothing is left to do, judges. `nodes` are asked to stop afterwards and must do so in
    /// order. What belongs to the tenants `apart` is left out.
    pub async fn finish(
        mut self,
        scenario: &'static str,
        load: Load,
        nodes: Vec<Process>,
        apart: &[&Tenant],
    ) -> Result<(Report, Ground)> {
        load.finish().await;
        let start = Instant::now();
        let rest = self.rest(apart).await;
        let took = start.elapsed();
        let tables = Tables::read(&self.db.pool).await?;
        let mut accepted = self.sim.accepted();
        accepted.retain(|one| apart.iter().all(|tenant| tenant.phone_number_id != one.phone_number_id));
        let notes = self.book.open().clone();
        let verdict = judge(&notes, &tables, &accepted, DOUBT);
        let mut facts = vec![("build", self.build.to_owned()), ("Postgres", self.postgres().await?)];
        if self.binaries.len() > 1 {
            facts.push(("nodes", "every second one of an earlier release".to_owned()));
        }
        let mut report = Report::new(scenario, facts, notes, verdict, took);
        match rest {
            Ok(()) => report.check(true, "everything came to rest"),
            Err(left) => report.check(false, format!("everything came to rest: {left:#}")),
        }
        let mut orderly = true;
        for node in nodes {
            let ended = node.terminate().await;
            orderly &= ended.status.success();
            self.logs.push(ended.log);
        }
        report.check(orderly, "the nodes stopped in order when they were asked to");
        let panics = self.logs.iter().filter(|log| log.contains("panicked")).count();
        report.check(panics == 0, "no node panicked");
        let warnings: usize = self.logs.iter().map(|log| log.matches("WARN").count()).sum();
        let errors: usize = self.logs.iter().map(|log| log.matches("ERROR").count()).sum();
        report.facts.push(("lines of the nodes' logs", format!("{warnings} warnings, {errors} errors")));
        Ok((report, self))
    }

    /// Lines of this level in the logs of nodes that have ended that speak of something, whatever its case.
    pub fn lines(&self, level: &str, of: &str) -> usize {
        let lines = self.logs.iter().flat_map(|log| log.lines());
        lines.filter(|line| line.contains(level) && line.to_lowercase().contains(of)).count()
    }

    /// Waits until no lane and no message waits for work, and no status is on its way.
    async fn rest(&self, apart: &[&Tenant]) -> Result<()> {
        let start = Instant::now();
        let apart: Vec<_> = apart.iter().map(|tenant| tenant.id).collect();
        loop {
            let (lanes, outbox): (i64, i64) = sqlx::query_as(
                "select (select count(*) from lanes where tenant_id <> all ($1)),
                        (select count(*) from outbox where tenant_id <> all ($1))",
            )
            .bind(&apart)
            .fetch_one(&self.db.pool)
            .await
            .context("looking at lanes and outbox")?;
            let stats = self.sim.stats();
            if lanes == 0 && outbox == 0 && stats.is_idle() {
                return Ok(());
            }
            if start.elapsed() > REST_PATIENCE {
                let statuses = stats.statuses_queued - stats.statuses_acknowledged - stats.statuses_lost;
                bail!("after {REST_PATIENCE:?} {lanes} lanes, {outbox} messages and {statuses} statuses are left");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn postgres(&self) -> Result<String> {
        let mut settings = Vec::new();
        for name in ["server_version", "fsync", "synchronous_commit"] {
            let value: String = sqlx::query_scalar("select current_setting($1)")
                .bind(name)
                .fetch_one(&self.db.pool)
                .await
                .context("Postgres's settings")?;
            settings.push(format!("{name}={value}"));
        }
        Ok(settings.join(", "))
    }
}
