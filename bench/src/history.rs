//! `history`: the round trip alone, beside a transaction that stays open as an analytic query on the history does, and
//! after it. While it is open Postgres cleans nothing up: what is deleted from the queue's tables stays and is stepped over.
//! The tables' sizes are measured before and after each.

use anyhow::{Context, Result};
use sqlx::Connection;

use crate::course::Course;
use crate::database::Database;
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::webhooks::Webhooks;
use crate::world;

const NAME: &str = "history";
/// Length of a phase in seconds.
const SECONDS: u64 = 30;
const RATE: &str = "replies";

const ALONE: &str = "alone";
const BESIDE: &str = "beside an open query";
const AFTER: &str = "after it";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let options = &options.lasting(SECONDS);
    world::run(options, (NAME, &[]), async |world, report| {
        let mut course = Course::prepare(options, world, report, 1_000, Webhooks::new).await?;
        if rounds(options, &mut course, report).await?.is_some() {
            let total = course.total;
            course.world.check_database(report, total, total).await?;
        }
        report.compare((BESIDE, RATE), (ALONE, RATE));
        report.compare((AFTER, RATE), (ALONE, RATE));
        report.aim((BESIDE, RATE), Aim::RatioAtLeast(0.8));
        report.aim((AFTER, RATE), Aim::RatioAtLeast(0.9));
        report.plot(Plot::bars("Messages per second", [ALONE, BESIDE, AFTER].map(|case| (case, RATE))));
        Ok(())
    })
}

/// `None` when something was lost.
async fn rounds(options: &Options, course: &mut Course<'_, '_, Webhooks>, report: &mut Report) -> Result<Option<()>> {
    let Some(warmed) = course.begin(options, report, Pace::Closed).await? else { return Ok(None) };
    let mut rate = warmed.posted.rate();
    for round in 1..=options.rounds() {
        eprintln!("{NAME}, round {round}");
        for case in [ALONE, BESIDE, AFTER] {
            let query = if case == BESIDE { Some(open_query(course.world.database).await?) } else { None };
            tables(course, report, case, "before").await?;
            let Some(stream) = course.closed(options, report, case, rate).await? else { return Ok(None) };
            rate = rate.max(stream.posted.rate());
            tables(course, report, case, "after").await?;
            if let Some(query) = query {
                query.close().await.context("the open query")?;
            }
        }
    }
    Ok(Some(()))
}

/// A transaction that sees the history as it is now until its connection is closed. It takes no processor time: what is
/// measured is what it keeps from being cleaned up.
pub async fn open_query(database: &Database) -> Result<sqlx::PgConnection> {
    let mut db = database.connect().await?;
    sqlx::query("begin isolation level repeatable read").execute(&mut db).await.context("the open query")?;
    sqlx::query("select count(*) from messages").execute(&mut db).await.context("the open query")?;
    Ok(db)
}

/// Adds the sizes of the tables that should stay small, with their indexes.
async fn tables(course: &mut Course<'_, '_, Webhooks>, report: &mut Report, case: &str, when: &str) -> Result<()> {
    for table in ["lanes", "outbox"] {
        let size: i64 = sqlx::query_scalar("select pg_total_relation_size($1::text::regclass)")
            .bind(table)
            .fetch_one(&mut course.world.db)
            .await
            .context("the size of a table")?;
        report.add((case, &format!("{table}, {when}")), "kB", size as f64 / 1024.0);
    }
    Ok(())
}
