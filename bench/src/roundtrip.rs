//! `roundtrip`: a webhook, the auto-reply in its sandbox, the reply accepted by Meta's simulator, its statuses back.
//!
//! The runtime is a process of its own with all roles. The simulator runs on threads of this process: so the moment of
//! acceptance and the beginning of the webhook are read from one clock, and every single reply is matched. Its CPU time
//! is told apart from the load generator's by thread.
//!
//! Each round: the floor with one and with two connections; then, with the simulator answering at once and after
//! 100 ms, a closed loop, and an open loop at half the rate that the closed loop reached.

mod course;
mod floor;
mod replies;

use std::time::Duration;

use anyhow::{Context, Result};
use meta_sim::{Options as SimOptions, Sim};

use self::course::{Course, Outcome};
use crate::database::{self, Database};
use crate::load::Pace;
use crate::machine;
use crate::meter::Meter;
use crate::options::Options;
use crate::report::{Aim, Report};
use crate::runtime::Hoopoe;
use crate::threads::Threads;
use crate::webhooks::{APP_SECRET, Audience, Webhooks};

const NAME: &str = "roundtrip";
const TENANTS: usize = 10;
/// Requests that are written for one phase, at the most.
const MOST: usize = 300_000;
/// Accepted messages that the simulator keeps in full.
const KEEP: usize = 1_000_000;

const FLOORS: [(usize, &str); 2] = [(1, "floor: 1 connection"), (2, "floor: 2 connections")];
/// Latency of the simulator, the closed loop and the open loop.
const CASES: [(u64, &str, &str); 2] =
    [(0, "simulator 0 ms", "simulator 0 ms, half load"), (100, "simulator 100 ms", "simulator 100 ms, half load")];
const RATE: &str = "replies";
const PRODUCT: &str = "CPU, runtime + Postgres";
/// Of the floors.
const MESSAGES: &str = "messages";
const POSTGRES: &str = "CPU, Postgres";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let threads = Threads::start()?;
    threads.control.block_on(async {
        let database = Database::create(options.database_url()?, NAME).await?;
        let measured = measure(options, &threads, &database).await;
        let removed = database.remove().await;
        let report = measured?;
        removed.map(|()| report)
    })
}

async fn measure(options: &Options, threads: &Threads, database: &Database) -> Result<Report> {
    let mut report = Report::new(NAME, machine::facts(options));
    let simulated = SimOptions { app_secret: APP_SECRET.to_owned(), keep: KEEP, ..SimOptions::default() };
    let sim = threads.server.spawn(Sim::start(simulated)).await.context("the simulator")??;
    let hoopoe = Hoopoe::start(options, NAME, "api,flows,delivery", &database.url(), &sim.url()).await?;
    sim.set_webhook(&format!("http://{}/whatsapp/webhook", hoopoe.address));
    let mut db = database.connect().await?;
    database::describe(&mut db, &mut report).await?;
    let contacts = TENANTS * if options.quick { 20 } else { 1000 };
    let audience =
        Audience { numbers: hoopoe.register(TENANTS).await?, contacts, connections: options.connections.into() };
    report.fact("load", format!("{} connections, {TENANTS} tenants, {contacts} contacts", options.connections));
    let meter = Meter { runtime: hoopoe.pid(), postmaster: database::postmaster(&mut db).await? };
    floor::prepare(&mut db).await?;
    let patience = Duration::from_secs(60) + options.phase() * 6;
    let mut course = Course {
        threads,
        sim,
        address: hoopoe.address,
        meter,
        db,
        webhooks: Webhooks::new(audience),
        patience,
        total: 0,
    };
    rounds(options, database, &mut course, &mut report).await.inspect_err(|_| eprintln!("{}", hoopoe.last_words()))?;
    if !report.held() {
        eprintln!("{}", hoopoe.last_words());
    }
    compare(&mut report);
    course.sim.stop().await;
    Ok(report)
}

/// Ends early, with what was measured, when something was lost: what comes after it would be measured wrongly.
async fn rounds(options: &Options, database: &Database, course: &mut Course<'_>, report: &mut Report) -> Result<()> {
    let introduction = course.webhooks.introduction();
    let introduced = course.run(introduction, Pace::Closed, Duration::from_secs(60)).await?;
    if !introduced.judge(report, "introduction") {
        return Ok(());
    }
    let most = (options.warm_up().as_secs_f64() * 10_000.0) as usize;
    let warm_up = course.webhooks.write(most);
    let warmed = course.run(warm_up, Pace::Closed, options.warm_up()).await?;
    if !warmed.judge(report, "warm-up") {
        return Ok(());
    }
    let mut acks = warmed.posted.rate();
    for round in 1..=options.rounds() {
        for (connections, case) in FLOORS {
            database::checkpoint(&mut course.db).await;
            let before = course.meter.read();
            let (messages, elapsed) = floor::run(database, connections, options.phase()).await?;
            report.add((case, MESSAGES), "1/s", messages as f64 / elapsed.as_secs_f64());
            if let Some(seconds) = course.meter.read().since(&before).postgres {
                report.add((case, POSTGRES), "s per 1,000", seconds * 1000.0 / messages as f64);
            }
            eprintln!("roundtrip, round {round}: {case}: {:.0} messages/s", messages as f64 / elapsed.as_secs_f64());
        }
        for (latency, closed, open) in CASES {
            course.sim.configure(|options| options.latency = Duration::from_millis(latency));
            let count = ((acks * options.phase().as_secs_f64() * 1.5) as usize).min(MOST);
            let Some(outcome) = phase(options, course, report, closed, Pace::Closed, count).await? else {
                return Ok(());
            };
            report.add_memory(closed, outcome.memory);
            acks = acks.max(outcome.posted.rate());
            let rate = outcome.rate() / 2.0;
            let count = (rate * options.phase().as_secs_f64()).ceil() as usize;
            if phase(options, course, report, open, Pace::Open { rate }, count).await?.is_none() {
                return Ok(());
            }
        }
    }
    course.check_database(report).await
}

/// `None` when something was lost.
async fn phase(
    options: &Options,
    course: &mut Course<'_>,
    report: &mut Report,
    case: &str,
    pace: Pace,
    count: usize,
) -> Result<Option<Outcome>> {
    let requests = course.webhooks.write(count);
    database::checkpoint(&mut course.db).await;
    let outcome = course.run(requests, pace, options.phase()).await?;
    outcome.report(report, case);
    eprintln!(
        "roundtrip: {case}: {} replies, {:.0}/s, end-to-end p99 {:.1} ms",
        outcome.replies.times.count(),
        outcome.rate(),
        outcome.replies.times.ms(0.99)
    );
    Ok(outcome.judge(report, case).then_some(outcome))
}

fn compare(report: &mut Report) {
    let [(_, at_once, at_once_half), (_, late, _)] = CASES;
    for (_, floor) in FLOORS {
        report.compare((at_once, RATE), (floor, MESSAGES));
        report.compare((at_once, PRODUCT), (floor, POSTGRES));
    }
    report.compare((late, RATE), (at_once, RATE));
    report.aim((at_once, RATE), Aim::AtLeast(10_000.0));
    report.aim((at_once, PRODUCT), Aim::AtMost(0.15));
    report.aim((at_once_half, "end-to-end, p99"), Aim::AtMost(50.0));
    report.aim((late, RATE), Aim::RatioAtLeast(0.95));
}
