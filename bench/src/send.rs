//! `send`: `POST /tenants/{id}/send` in a closed loop, to the acceptance by Meta's simulator.

use anyhow::Result;

use crate::course::Course;
use crate::floor::{self, Work};
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::sends::Sends;
use crate::world;

const NAME: &str = "send";
const ACCEPTED: &str = "accepted";
const DELIVERED: &str = "delivered";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    world::run(options, (NAME, &[]), async |world, report| {
        let mut course = Course::prepare(options, world, report, 1_000, Sends::new).await?;
        if rounds(options, &mut course, report).await?.is_some() {
            let total = course.total;
            course.world.check_database(report, 0, total).await?;
        }
        floor::compare(report, NAME, DELIVERED);
        report.aim((NAME, ACCEPTED), Aim::AtLeast(10_000.0));
        report.aim((NAME, DELIVERED), Aim::AtLeast(10_000.0));
        let own = [(NAME, ACCEPTED), (NAME, DELIVERED)];
        report.plot(Plot::bars("Messages per second", own.into_iter().chain(floor::RATES)));
        Ok(())
    })
}

/// `None` when something was lost.
async fn rounds(options: &Options, course: &mut Course<'_, '_, Sends>, report: &mut Report) -> Result<Option<()>> {
    let Some(warmed) = course.begin(options, report, Pace::Closed).await? else { return Ok(None) };
    let mut rate = warmed.posted.rate();
    for round in 1..=options.rounds() {
        eprintln!("{NAME}, round {round}");
        floor::measure(course.world, report, Work::Send, options.phase()).await?;
        let Some(stream) = course.closed(options, report, NAME, rate).await? else { return Ok(None) };
        rate = rate.max(stream.posted.rate());
    }
    Ok(Some(()))
}
