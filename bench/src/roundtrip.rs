//! `roundtrip`: a webhook, the auto-reply in its sandbox, the reply accepted by Meta's simulator, its statuses back.
//!
//! Each round: the floor with one and with two connections; then, with the simulator answering at once and after
//! 100 ms, a closed loop, and an open loop at half the rate that the closed loop reached.

use std::time::Duration;

use anyhow::Result;

use crate::course::Course;
use crate::floor::{self, Work};
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, PRODUCT, Plot, Report};
use crate::webhooks::Webhooks;
use crate::world;

const NAME: &str = "roundtrip";

/// Latency of the simulator, the closed loop and the open loop.
const CASES: [(u64, &str, &str); 2] =
    [(0, "simulator 0 ms", "simulator 0 ms, half load"), (100, "simulator 100 ms", "simulator 100 ms, half load")];
const RATE: &str = "replies";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    world::run(options, (NAME, &[]), async |world, report| {
        let mut course = Course::prepare(options, world, report, 1_000, Webhooks::new).await?;
        if rounds(options, &mut course, report).await?.is_some() {
            let total = course.total;
            course.world.check_database(report, total, total).await?;
        }
        compare(report);
        Ok(())
    })
}

/// Ends early, with what was measured, when something was lost: what comes after it would be measured wrongly.
async fn rounds(options: &Options, course: &mut Course<'_, '_, Webhooks>, report: &mut Report) -> Result<Option<()>> {
    let Some(warmed) = course.begin(options, report, Pace::Closed).await? else { return Ok(None) };
    let mut acks = warmed.posted.rate();
    for round in 1..=options.rounds() {
        eprintln!("{NAME}, round {round}");
        floor::measure(course.world, report, Work::Answer, options.phase()).await?;
        for (latency, closed, open) in CASES {
            course.world.sim.configure(|options| options.latency = Duration::from_millis(latency));
            let Some(stream) = course.closed(options, report, closed, acks).await? else { return Ok(None) };
            acks = acks.max(stream.posted.rate());
            if course.open(options, report, open, stream.rate() / 2.0).await?.is_none() {
                return Ok(None);
            }
        }
    }
    Ok(Some(()))
}

fn compare(report: &mut Report) {
    let [(_, at_once, at_once_half), (_, late, _)] = CASES;
    floor::compare(report, at_once, RATE);
    report.compare((late, RATE), (at_once, RATE));
    report.aim((at_once, RATE), Aim::AtLeast(10_000.0));
    report.aim((at_once, PRODUCT), Aim::AtMost(0.15));
    report.aim((at_once_half, "end-to-end, p99"), Aim::AtMost(50.0));
    report.aim((late, RATE), Aim::RatioAtLeast(0.95));
    report.plot(Plot::bars("Messages per second", [(at_once, RATE), (late, RATE)].into_iter().chain(floor::RATES)));
}
