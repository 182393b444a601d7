//! `hour`: a steady rate of webhooks, each answered, alone, then beside a transaction that stays open for an hour as an
//! analytic query on the history does, and after it. Shows what an hour of rows that cannot be cleaned up does to times,
//! processor time and the sizes of tables.

use std::ops::Range;

use anyhow::{Context, Result};
use sqlx::Connection;

use crate::course::Course;
use crate::history::open_query;
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::webhooks::Webhooks;
use crate::world;

const NAME: &str = "hour";
/// Webhooks per second.
const RATE: f64 = 300.0;
/// Length of a phase in seconds.
const SECONDS: u64 = 300;
const TIME: &str = "end-to-end, p99";

const ALONE: &str = "alone";
const AFTER: &str = "after it";
/// The phases beside the query, twelve in all.
const BESIDE: [(&str, Range<usize>); 4] = [
    ("beside it, 1st quarter", 0..3),
    ("beside it, 2nd quarter", 3..6),
    ("beside it, 3rd quarter", 6..9),
    ("beside it, 4th quarter", 9..12),
];

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let options = &options.lasting(SECONDS);
    world::run(options, (NAME, &[]), async |world, report| {
        let mut course = Course::prepare(options, world, report, 100, Webhooks::new).await?;
        if phases(options, &mut course, report).await?.is_some() {
            let total = course.total;
            course.world.check_database(report, total, total).await?;
        }
        for (case, _) in BESIDE {
            report.compare((case, TIME), (ALONE, TIME));
            report.aim((case, TIME), Aim::RatioAtMost(1.5));
        }
        let cases = [ALONE].into_iter().chain(BESIDE.map(|(case, _)| case)).chain([AFTER]);
        report.plot(Plot::bars("End-to-end, p99, in ms", cases.map(|case| (case, TIME))));
        Ok(())
    })
}

/// `None` when something was lost.
async fn phases(options: &Options, course: &mut Course<'_, '_, Webhooks>, report: &mut Report) -> Result<Option<()>> {
    if course.begin(options, report, Pace::Open { rate: RATE }).await?.is_none() {
        return Ok(None);
    }
    if phase(options, course, report, ALONE).await?.is_none() {
        return Ok(None);
    }
    let query = open_query(course.world.database).await?;
    for (case, phases) in BESIDE {
        for number in phases {
            eprintln!("{NAME}, phase {number} beside the query");
            if phase(options, course, report, case).await?.is_none() {
                return Ok(None);
            }
        }
    }
    query.close().await.context("the open query")?;
    phase(options, course, report, AFTER).await
}

/// One phase, and what the tables look like at its end. `None` when something was lost.
async fn phase(
    options: &Options,
    course: &mut Course<'_, '_, Webhooks>,
    report: &mut Report,
    case: &str,
) -> Result<Option<()>> {
    if course.open(options, report, case, RATE).await?.is_none() {
        return Ok(None);
    }
    let tables: Vec<(String, i64, i64)> = sqlx::query_as(
        "select relname::text, pg_total_relation_size(relid), n_dead_tup from pg_stat_user_tables
         where schemaname = current_schema()
           and relname in ('lanes', 'outbox', 'events', 'messages', 'message_statuses', 'flow_runs') order by relname",
    )
    .fetch_all(&mut course.world.db)
    .await
    .context("the sizes of the tables")?;
    for (table, size, dead) in tables {
        report.add((case, &format!("{table}, size")), "MB", size as f64 / 1024.0 / 1024.0);
        report.add((case, &format!("{table}, dead rows")), "rows", dead as f64);
    }
    Ok(Some(()))
}
