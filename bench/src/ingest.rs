//! `ingest`: signed webhooks with one text message each, to the answer after their commit.
//!
//! Two floors in each round: the same rows through one connection in batches, and the same requests to a server that
//! only checks the signature.

mod rows;
mod signatures;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use self::rows::Rows;
use crate::counters::Counters;
use crate::course::Writer;
use crate::database::{self, Database};
use crate::load::{self, Load, Pace, Posted};
use crate::machine;
use crate::meter::{Meter, Usage};
use crate::options::Options;
use crate::report::{Aim, PRODUCT, Plot, Report};
use crate::requests::{Audience, Requests};
use crate::runtime::Hoopoe;
use crate::threads::Threads;
use crate::webhooks::Webhooks;

const TENANTS: usize = 10;
const OWN: &str = "ingest";
const ROWS: &str = "floor: rows in batches of 100";
const SIGNATURES: &str = "floor: signature only";
const SLOWER: &str = "slower floor";
const RATE: &str = "acks";
/// Of the floors.
const MESSAGES: &str = "messages";
const POSTGRES: &str = "CPU, Postgres";

/// Requests that are written for one phase, at the most: about 250 MB.
const MOST: usize = 300_000;

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let threads = Threads::start()?;
    threads.control.block_on(async {
        let database = Database::create(options.database_url()?, OWN).await?;
        let measured = measure(options, &threads, &database).await;
        let removed = database.remove().await;
        let report = measured?;
        removed.map(|()| report)
    })
}

async fn measure(options: &Options, threads: &Threads, database: &Database) -> Result<Report> {
    // Nothing is sent: there is no Meta.
    let hoopoe = Hoopoe::start(options, (OWN, &[]), "api", &database.url(), "http://127.0.0.1:9").await?;
    rounds(options, threads, database, &hoopoe).await.inspect_err(|_| eprintln!("{}", hoopoe.last_words()))
}

async fn rounds(options: &Options, threads: &Threads, database: &Database, hoopoe: &Hoopoe) -> Result<Report> {
    let mut report = Report::new("ingest", machine::facts(options));
    let mut db = database.connect().await?;
    database::describe(&mut db, &mut report).await?;
    let contacts = TENANTS * if options.quick { 20 } else { 100 };
    let audience = Audience {
        tenants: hoopoe.register(TENANTS).await?,
        first: 0,
        contacts,
        connections: options.connections.into(),
    };
    report.fact("load", format!("{} connections, {TENANTS} tenants, {contacts} contacts", options.connections));
    let meter = Meter { runtime: hoopoe.pid(), postmaster: database::postmaster(&mut db).await? };
    let mut webhooks = Webhooks::new(audience);

    let post = |requests: Arc<Vec<Requests>>, time| {
        let load = Load { address: hoopoe.address, requests, pace: Pace::Closed, time, again: false, status: 200 };
        on_load_thread(threads, load)
    };
    let introduced = post(webhooks.write(contacts), Duration::from_secs(60)).await?;
    let most = (options.warm_up().as_secs_f64() * 20_000.0) as usize;
    let warmed = post(webhooks.write(most), options.warm_up()).await?;
    let mut acked = introduced.count() + warmed.count();
    let mut rate = warmed.rate();
    let mut rows = Rows::of_all_contacts(&mut db).await?;
    rows.write(&mut db, options.warm_up()).await?;
    let server = threads.server.spawn(signatures::serve()).await.context("the floor's server")??;

    for round in 1..=options.rounds() {
        database::checkpoint(&mut db).await;
        let before = meter.read();
        let (written, elapsed) = rows.write(&mut db, options.phase()).await?;
        let floor_rows = written as f64 / elapsed.as_secs_f64();
        report.add((ROWS, MESSAGES), "1/s", floor_rows);
        if let Some(seconds) = meter.read().since(&before).postgres {
            report.add((ROWS, POSTGRES), "s per 1,000", seconds * 1000.0 / written as f64);
        }

        let requests = webhooks.write(((rate * options.phase().as_secs_f64() * 1.5) as usize).min(MOST));
        database::checkpoint(&mut db).await;
        let counted = Counters::read(&mut db).await;
        let before = meter.read();
        let posted = post(requests.clone(), options.phase()).await?;
        let usage = meter.read().since(&before);
        let counters = Counters::read(&mut db).await.since(&counted);
        acked += posted.count();
        rate = rate.max(posted.rate());
        add(&mut report, OWN, &posted);
        // There is no simulator; its threads serve the floor.
        let usage = Usage { server: None, ..usage };
        report.add_usage(OWN, &usage, posted.count() as u64);
        report.add_counters(OWN, &counters, posted.count() as u64);
        report.add_memory(OWN, meter.memory());

        let load =
            Load { address: server, requests, pace: Pace::Closed, time: options.phase(), again: true, status: 200 };
        let checked = on_load_thread(threads, load).await?;
        add(&mut report, SIGNATURES, &checked);
        report.add((SLOWER, MESSAGES), "1/s", floor_rows.min(checked.rate()));
        eprintln!(
            "ingest, round {round}: {:.0} acks/s; floors: {floor_rows:.0} rows/s, {:.0} signatures/s",
            posted.rate(),
            checked.rate()
        );
    }

    let kept: i64 =
        sqlx::query_scalar("select count(*) from messages where direction = 'IN'").fetch_one(&mut db).await?;
    let expected = acked as u64 + rows.written();
    report
        .check(u64::try_from(kept) == Ok(expected), format!("{expected} messages were acknowledged, {kept} are kept"));
    report.compare((OWN, RATE), (SLOWER, MESSAGES));
    report.compare((OWN, PRODUCT), (ROWS, POSTGRES));
    report.aim((OWN, RATE), Aim::RatioAtLeast(0.5));
    report.aim((OWN, "ack, p99"), Aim::AtMost(20.0));
    report.plot(Plot::bars("Messages per second", [(OWN, RATE), (ROWS, MESSAGES), (SIGNATURES, RATE)]));
    Ok(report)
}

fn add(report: &mut Report, case: &str, posted: &Posted) {
    let answers = posted.answers();
    report.add((case, RATE), "1/s", posted.rate());
    report.add((case, "ack, p50"), "ms", answers.ms(0.5));
    report.add((case, "ack, p99"), "ms", answers.ms(0.99));
    report.add((case, "ack, longest"), "ms", answers.ms(1.0));
}

async fn on_load_thread(threads: &Threads, load: Load) -> Result<Posted> {
    threads.load.spawn(load::run(load)).await.context("the load generator")?
}
