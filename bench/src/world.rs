//! What most scenarios need: the runtime, Meta's simulator, a database, and the course of a phase: load, then waiting
//! until everything has come to rest, then the account.
//!
//! The runtime is a process of its own with all roles. The simulator runs on threads of this process: so the moment of
//! acceptance and the beginning of a request are read from one clock, and every single message is matched. Its CPU time
//! is told apart from the load generator's by thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use meta_sim::{Accepted, Options as SimOptions, Sim};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::counters::Counters;
use crate::database::{self, Database};
use crate::flame::Flames;
use crate::load::{self, Load, Pace, Posted};
use crate::meter::{Memory, Meter, Usage};
use crate::options::Options;
use crate::report::Report;
use crate::requests::Requests;
use crate::runtime::{self, Hoopoe};
use crate::threads::Threads;
use crate::webhooks::APP_SECRET;
use crate::{floor, machine};

/// Accepted messages that the simulator keeps in full.
const KEEP: usize = 1_000_000;
/// How often it is looked whether all is at rest. Figures do not depend on it: messages carry their own times.
const LOOK: Duration = Duration::from_millis(20);

/// Everything that phases need.
pub struct World<'a> {
    /// The load runs on its own thread.
    pub threads: &'a Threads,
    /// The scenario's own.
    pub database: &'a Database,
    /// Meta.
    pub sim: Sim,
    /// The runtime.
    pub hoopoe: Hoopoe,
    /// Of the runtime and Postgres.
    pub meter: Meter,
    /// To look into the runtime's database.
    pub db: PgConnection,
    /// How long a phase may take to come to rest.
    pub patience: Duration,
    /// Where they are wanted.
    flames: Option<Flames>,
}

/// What a phase gave.
pub struct Phase {
    /// Of each load.
    pub posted: Vec<Posted>,
    /// What the simulator accepted.
    pub accepted: Vec<Accepted>,
    /// From the first request until everything was at rest.
    pub usage: Usage,
    /// What Postgres counted meanwhile.
    pub counters: Counters,
    /// Messages that were not accepted yet when the load ended.
    pub backlog: u64,
    /// The rest that remained: empty when all is well.
    pub unsettled: Vec<String>,
    /// At the end.
    pub memory: Memory,
}

/// Runs a scenario in a world of its own; `settings` are those of the runtime besides the usual ones.
pub fn run(
    options: &Options,
    (name, settings): (&'static str, &[(&str, &str)]),
    scenario: impl AsyncFnOnce(&mut World<'_>, &mut Report) -> Result<()>,
) -> Result<Report> {
    let threads = Threads::start()?;
    threads.control.block_on(async {
        let database = Database::create(options.database_url()?, name).await?;
        let measured = measure(options, (name, settings), &threads, &database, scenario).await;
        let removed = database.remove().await;
        let report = measured?;
        removed.map(|()| report)
    })
}

async fn measure(
    options: &Options,
    (name, settings): (&'static str, &[(&str, &str)]),
    threads: &Threads,
    database: &Database,
    scenario: impl AsyncFnOnce(&mut World<'_>, &mut Report) -> Result<()>,
) -> Result<Report> {
    let mut report = Report::new(name, machine::facts(options));
    let simulated = SimOptions { app_secret: APP_SECRET.to_owned(), keep: KEEP, ..SimOptions::default() };
    let sim = threads.server.spawn(Sim::start(simulated)).await.context("the simulator")??;
    let hoopoe = Hoopoe::start(options, (name, settings), "api,flows,delivery", &database.url(), &sim.url()).await?;
    sim.set_webhook(&format!("http://{}/whatsapp/webhook", hoopoe.address));
    let mut db = database.connect().await?;
    database::describe(&mut db, &mut report).await?;
    report.fact("settings of the runtime", runtime::settings(settings));
    let meter = Meter { runtime: hoopoe.pid(), postmaster: database::postmaster(&mut db).await? };
    floor::prepare(&mut db).await?;
    let patience = Duration::from_secs(60) + options.phase() * 6;
    let flames = Flames::wanted(options, name);
    if flames.is_some() {
        report.fact("sampled by `perf`", "yes: not to be compared".to_owned());
    }
    let mut world = World { threads, database, sim, hoopoe, meter, db, patience, flames };
    let measured = scenario(&mut world, &mut report).await;
    if measured.is_err() || !report.held() {
        eprintln!("{}", world.hoopoe.last_words());
    }
    measured?;
    world.sim.stop().await;
    Ok(report)
}

impl World<'_> {
    /// A load that ends with its requests or after its time.
    pub fn load(&self, requests: Arc<Vec<Requests>>, pace: Pace, time: Duration, status: u16) -> Load {
        Load { address: self.hoopoe.address, requests, pace, time, again: false, status }
    }

    /// Posts all loads at once, and waits until every request's message was accepted and every status is stored. A phase
    /// that is measured has a name, for its flame graph.
    pub async fn phase(&mut self, case: Option<&str>, loads: Vec<Load>) -> Result<Phase> {
        self.sim.reset();
        let recording = match (&self.flames, case) {
            (Some(flames), Some(case)) => Some(flames.record(case, &self.meter.processes())?),
            _ => None,
        };
        let counted = Counters::read(&mut self.db).await;
        let before = self.meter.read();
        let posted = self.post(loads).await?;
        let expected = posted.iter().map(Posted::count).sum::<usize>() as u64;
        let backlog = expected.saturating_sub(self.sim.accepted_count());
        let unsettled = self.settle(expected).await?;
        let usage = self.meter.read().since(&before);
        let memory = self.meter.memory();
        let counters = Counters::read(&mut self.db).await.since(&counted);
        if let Some(recording) = recording {
            recording.finish()?;
        }
        Ok(Phase { posted, accepted: self.sim.accepted(), usage, counters, backlog, unsettled, memory })
    }

    /// Posts all loads at once; gives what was posted of each.
    pub async fn post(&self, loads: Vec<Load>) -> Result<Vec<Posted>> {
        let running: Vec<_> = loads.into_iter().map(|load| self.threads.load.spawn(load::run(load))).collect();
        let mut posted = Vec::new();
        for load in running {
            posted.push(load.await.context("the load generator")??);
        }
        Ok(posted)
    }

    /// Waits until so many messages were accepted, or more, and nothing is left to do. Gives what does not come to rest
    /// in time.
    pub async fn settle(&mut self, expected: u64) -> Result<Vec<String>> {
        let end = Instant::now() + self.patience;
        loop {
            let stats = self.sim.stats();
            let accepted = stats.accepted >= expected && stats.is_idle();
            let late = Instant::now() > end;
            // Postgres is not asked while it still has work to do.
            let waiting = if accepted || late { self.waiting().await? } else { 0 };
            // What was done meanwhile may have brought statuses.
            let all = accepted && waiting == 0 && self.sim.stats().is_idle();
            if all || late {
                let mut unsettled = Vec::new();
                if !all {
                    unsettled.push(format!(
                        "after {:?} {} of {expected} messages were accepted, {} of {} statuses acknowledged, and {waiting} rows wait in lanes and outbox",
                        self.patience, stats.accepted, stats.statuses_acknowledged, stats.statuses_queued
                    ));
                }
                if stats.statuses_lost > 0 {
                    unsettled.push(format!("{} statuses were not acknowledged", stats.statuses_lost));
                }
                if stats.refused > 0 {
                    unsettled.push(format!("the simulator refused {} sends", stats.refused));
                }
                return Ok(unsettled);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until nothing is left to do for these tenants; gives whether it came to that in time.
    pub async fn settle_tenants(&mut self, tenants: &[Uuid]) -> Result<bool> {
        let end = Instant::now() + self.patience;
        while Instant::now() < end {
            let waiting = "select exists (select from outbox where tenant_id = any($1))
                               or exists (select from lanes where tenant_id = any($1))";
            let waiting: bool = sqlx::query_scalar(waiting).bind(tenants).fetch_one(&mut self.db).await?;
            if !waiting {
                return Ok(true);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(false)
    }

    /// Rows in lanes and outbox: work that somebody still has to do.
    async fn waiting(&mut self) -> Result<i64> {
        let count = sqlx::query_scalar("select (select count(*) from outbox) + (select count(*) from lanes)");
        count.fetch_one(&mut self.db).await.context("looking at the lanes")
    }

    /// Checks that every message of the whole run is there once, and every outbound one has gone all its way.
    pub async fn check_database(&mut self, report: &mut Report, inbound: u64, outbound: u64) -> Result<()> {
        let found: (i64, i64, i64) = sqlx::query_as(
            "select count(*) filter (where direction = 'IN'), count(*) filter (where direction = 'OUT'),
                    count(*) filter (where direction = 'OUT' and status = 'read')
             from messages",
        )
        .fetch_one(&mut self.db)
        .await?;
        let what = format!(
            "the database has {} inbound messages of {inbound}, and {} outbound of {outbound}, {} of them read",
            found.0, found.1, found.2
        );
        let expected = (inbound as i64, outbound as i64, outbound as i64);
        report.check(found == expected, what);
        Ok(())
    }
}
