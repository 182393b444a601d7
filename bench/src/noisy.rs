//! `noisy`: ten normal tenants with few messages, first alone, then beside two neighbours: one with a hundred thousand
//! queued sends, and one whose plugin never comes back from an event.
//!
//! The bulk goes out at the greatest rate that Meta grants a number, and then, worse than it can be, without a limit.

mod neighbours;

use std::time::Duration;

use anyhow::{Context, Result};
use uuid::Uuid;

use self::neighbours::Neighbours;
use crate::course::{Course, Writer};
use crate::database;
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::requests::Audience;
use crate::stream::{REPLIES, Stream};
use crate::webhooks::Webhooks;
use crate::world;

const NAME: &str = "noisy";
const NORMAL: usize = 10;
/// Webhooks per second of all normal tenants together, and of the one whose plugin loops.
const RATE: f64 = 100.0;
const HOSTILE_RATE: f64 = 20.0;
/// Time for the bulk to go out after each round.
const PATIENCE: Duration = Duration::from_secs(300);

const ALONE: &str = "alone";
/// With the bulk's messages per second; the greatest that the API takes binds nothing here.
const BESIDE: [(&str, f64); 2] = [("beside 1,000/s of bulk", 1_000.0), ("beside unlimited bulk", 10_000.0)];
const P50: &str = "end-to-end, p50";
const P99: &str = "end-to-end, p99";

/// The plugin that loops is never paused for it.
const SETTINGS: [(&str, &str); 1] = [("FLOW_FAILURES_TO_PAUSE", "0")];

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    world::run(options, (NAME, &SETTINGS), async |world, report| {
        let (contacts, bulk) = if options.quick { (100, 20_000) } else { (1_000, 100_000) };
        let mut tenants = world.hoopoe.register(NORMAL + 2).await?;
        let neighbours = tenants.split_off(NORMAL);
        let connections = usize::from(options.connections);
        report.fact(
            "load",
            format!(
                "{RATE} webhooks/s to {NORMAL} tenants with {contacts} contacts, {HOSTILE_RATE}/s to the plugin that loops, {bulk} sends queued by /send/batch"
            ),
        );
        let mut neighbours = Neighbours::new(neighbours, bulk)?;
        let audience = Audience { tenants, first: 0, contacts, connections };
        world.patience += PATIENCE;
        let mut course = Course { world, writer: Webhooks::new(audience), total: 0 };
        if rounds(options, &mut course, &mut neighbours, report).await?.is_some() {
            let (inbound, outbound) = (course.total + neighbours.inbound, course.total + neighbours.outbound);
            course.world.check_database(report, inbound, outbound).await?;
        }
        for (case, _) in BESIDE {
            report.compare((case, P50), (ALONE, P50));
            report.compare((case, P99), (ALONE, P99));
            report.aim((case, P99), Aim::RatioAtMost(2.0));
        }
        report.plot(Plot::quantiles("Normal tenants: from the webhook to the reply's acceptance"));
        Ok(())
    })
}

/// Ends early when something was lost.
async fn rounds(
    options: &Options,
    course: &mut Course<'_, '_, Webhooks>,
    neighbours: &mut Neighbours,
    report: &mut Report,
) -> Result<Option<()>> {
    if course.begin(options, report, Pace::Open { rate: RATE }).await?.is_none() {
        return Ok(None);
    }
    for round in 1..=options.rounds() {
        eprintln!("{NAME}, round {round}");
        let Some(alone) = course.open(options, report, ALONE, RATE).await? else { return Ok(None) };
        report.curve(ALONE, &alone.matched.times);
        course.world.sim.reset();
        neighbours.move_in(&course.world.hoopoe, BESIDE[0].1).await?;
        let (mut seen, mut replies) = (0, 0);
        for (case, rate) in BESIDE {
            neighbours.limit(&course.world.hoopoe, rate).await?;
            let Some(count) = beside(options, course, neighbours, report, case, &mut seen).await? else {
                return Ok(None);
            };
            replies += count;
        }
        if !neighbours.move_out(course.world, report, replies).await? {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

/// A phase beside the neighbours; gives how many webhooks the normal tenants had. Messages that were accepted before are
/// `seen`.
async fn beside(
    options: &Options,
    course: &mut Course<'_, '_, Webhooks>,
    neighbours: &mut Neighbours,
    report: &mut Report,
    case: &str,
    seen: &mut usize,
) -> Result<Option<u64>> {
    let time = options.phase();
    let count = |rate: f64| (rate * time.as_secs_f64()).ceil() as usize;
    let requests = course.writer.write(count(RATE));
    let noise = neighbours.webhooks.write(count(HOSTILE_RATE));
    let loads = vec![
        course.world.load(requests, Pace::Open { rate: RATE }, time, REPLIES.status),
        course.world.load(noise, Pace::Open { rate: HOSTILE_RATE }, time, REPLIES.status),
    ];
    database::checkpoint(&mut course.world.db).await;
    let queued = neighbours.queued(course.world).await?;
    let mut posted = course.world.post(loads).await?;
    let left = neighbours.queued(course.world).await?;
    let noise = posted.pop().context("webhooks without a result")?;
    let posted = posted.pop().context("webhooks without a result")?;
    neighbours.count(&noise);
    course.total += posted.count() as u64;
    let ids: Vec<Uuid> = course.writer.audience.tenants.iter().map(|tenant| tenant.id).collect();
    let settled = course.world.settle_tenants(&ids).await?;
    let unsettled = if settled { Vec::new() } else { vec!["messages of normal tenants still wait".to_owned()] };
    let accepted = course.world.sim.accepted();
    let elapsed = posted.elapsed.as_secs_f64();
    let stream = Stream::of(REPLIES, &course.writer.audience, posted, &accepted[*seen..]);
    *seen = accepted.len();
    stream.report(report, case);
    report.check(left > 0, format!("{left} messages of the bulk were still queued at the end of {case}"));
    report.add((case, "bulk, queued at the beginning"), "messages", queued as f64);
    report.add((case, "bulk, sent"), "1/s", queued.saturating_sub(left) as f64 / elapsed);
    report.curve(case, &stream.matched.times);
    let count = stream.posted.count() as u64;
    Ok(stream.judge(report, case, &unsettled).then_some(count))
}
