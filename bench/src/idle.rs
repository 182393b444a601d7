//! `idle`: few webhooks, evenly spread, each answered by the auto-reply: what a message costs when there is nothing to
//! share its wake-ups with. Beside it, what the processes use with nothing to do.

use anyhow::Result;

use crate::course::Course;
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, PRODUCT, Plot, Report};
use crate::webhooks::Webhooks;
use crate::world;

const NAME: &str = "idle";
/// Webhooks per second.
const RATE: f64 = 300.0;
const CASE: &str = "300 webhooks/s";
const REST: &str = "nothing to do";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    world::run(options, (NAME, &[]), async |world, report| {
        let mut course = Course::prepare(options, world, report, 100, Webhooks::new).await?;
        if rounds(options, &mut course, report).await?.is_some() {
            let total = course.total;
            course.world.check_database(report, total, total).await?;
        }
        report.aim((CASE, PRODUCT), Aim::AtMost(0.6));
        let cpu = [PRODUCT, "CPU, runtime", "CPU, Postgres"].map(|figure| (CASE, figure));
        report.plot(Plot::bars("CPU seconds per 1,000 messages at 300 per second", cpu));
        Ok(())
    })
}

/// `None` when something was lost.
async fn rounds(options: &Options, course: &mut Course<'_, '_, Webhooks>, report: &mut Report) -> Result<Option<()>> {
    if course.begin(options, report, Pace::Open { rate: RATE }).await?.is_none() {
        return Ok(None);
    }
    for round in 1..=options.rounds() {
        eprintln!("{NAME}, round {round}");
        let before = course.world.meter.read();
        tokio::time::sleep(options.phase()).await;
        let usage = course.world.meter.read().since(&before);
        for (name, seconds) in [("CPU, runtime", usage.runtime), ("CPU, Postgres", usage.postgres)] {
            if let Some(seconds) = seconds {
                report.add((REST, name), "ms per s", seconds * 1e3 / options.phase().as_secs_f64());
            }
        }
        if course.open(options, report, CASE, RATE).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(()))
}
