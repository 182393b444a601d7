//! `number-1000`: one number at the greatest rate that Meta grants. 1,000 messages per second go out, 700 of them by the
//! API and 300 as answers of a flow to as many webhooks; each brings three statuses. All of it in an open loop.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::course::Writer;
use crate::database;
use crate::load::Pace;
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::requests::Audience;
use crate::sends::Sends;
use crate::stats::Times;
use crate::stream::{REPLIES, SENDS, Stream};
use crate::webhooks::Webhooks;
use crate::world::{self, World};

const NAME: &str = "number-1000";
/// Webhooks per second.
const INBOUND: f64 = 300.0;
/// Sends by the API per second.
const OUTBOUND: f64 = 700.0;
/// Length of a phase in seconds.
const SECONDS: u64 = 60;
/// Number of the first contact who is written to.
const WRITTEN_TO: usize = 1_000_000;

const WEBHOOKS: &str = "inbound, 300/s";
const REQUESTS: &str = "sends, 700/s";
const STATUSES: &str = "statuses, 3,000/s";
const ALL: &str = "all";
const BACKLOG: &str = "backlog at the end";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let options = &options.lasting(SECONDS);
    world::run(options, (NAME, &[]), async |world, report| {
        let contacts = if options.quick { 200 } else { 5_000 };
        let tenants = world.hoopoe.register(1).await?;
        let connections = usize::from(options.connections).div_ceil(2);
        let audience = |first| Audience { tenants: tenants.clone(), first, contacts, connections };
        let fact = format!("2 x {connections} connections, one number, 2 x {contacts} contacts, statuses in batches");
        report.fact("load", fact);
        let mut number = Number {
            world,
            webhooks: Webhooks::new(audience(0)),
            sends: Sends::new(audience(WRITTEN_TO)),
            inbound: 0,
            outbound: 0,
        };
        if number.rounds(options, report).await? {
            let Number { world, inbound, outbound, .. } = number;
            world.check_database(report, inbound, outbound).await?;
        }
        for (case, figure) in [(WEBHOOKS, "ack, p99"), (REQUESTS, "answer, p99"), (STATUSES, "ack, p99")] {
            report.aim((case, figure), Aim::AtMost(100.0));
        }
        // What comes within 100 ms is not a backlog.
        report.aim((ALL, BACKLOG), Aim::AtMost((INBOUND + OUTBOUND) / 10.0));
        report.plot(Plot::quantiles("Time to the answer"));
        Ok(())
    })
}

struct Number<'a, 'b> {
    world: &'a mut World<'b>,
    webhooks: Webhooks,
    sends: Sends,
    /// Webhooks so far.
    inbound: u64,
    /// Messages that must have gone out so far.
    outbound: u64,
}

impl Number<'_, '_> {
    /// Gives whether nothing was lost; else it ends early.
    async fn rounds(&mut self, options: &Options, report: &mut Report) -> Result<bool> {
        // Until every contact has had its turn, so that no round meets more new contacts than another.
        let warm_up = Duration::from_secs_f64(self.webhooks.audience.contacts as f64 / INBOUND);
        if !self.phase(report, "warm-up, ", false, warm_up).await? {
            return Ok(false);
        }
        for round in 1..=options.rounds() {
            eprintln!("{NAME}, round {round}");
            if !self.phase(report, "", true, options.phase()).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives whether nothing was lost. Figures are added when they are wanted, checks always.
    async fn phase(&mut self, report: &mut Report, prefix: &str, figures: bool, time: Duration) -> Result<bool> {
        let count = |rate: f64| (rate * time.as_secs_f64()).ceil() as usize;
        let (webhooks, sends) = (self.webhooks.write(count(INBOUND)), self.sends.write(count(OUTBOUND)));
        database::checkpoint(&mut self.world.db).await;
        let loads = vec![
            self.world.load(webhooks, Pace::Open { rate: INBOUND }, time, REPLIES.status),
            self.world.load(sends, Pace::Open { rate: OUTBOUND }, time, SENDS.status),
        ];
        let mut phase = self.world.phase(figures.then_some(ALL), loads).await?;
        let sent = phase.posted.pop().context("sends without a result")?;
        let received = phase.posted.pop().context("webhooks without a result")?;
        self.inbound += received.count() as u64;
        self.outbound += (received.count() + sent.count()) as u64;
        let replies = Stream::of(REPLIES, &self.webhooks.audience, received, &phase.accepted);
        let sends = Stream::of(SENDS, &self.sends.audience, sent, &phase.accepted);
        if figures {
            let statuses = Times::new(self.world.sim.status_times());
            replies.report(report, WEBHOOKS);
            sends.report(report, REQUESTS);
            report.add((STATUSES, "acks"), "1/s", statuses.count() as f64 / sends.posted.elapsed.as_secs_f64());
            report.add((STATUSES, "ack, p50"), "ms", statuses.ms(0.5));
            report.add((STATUSES, "ack, p99"), "ms", statuses.ms(0.99));
            report.add((ALL, BACKLOG), "messages", phase.backlog as f64);
            let messages = replies.matched.times.count() + sends.matched.times.count();
            report.add_usage(ALL, &phase.usage, messages as u64);
            report.add_counters(ALL, &phase.counters, messages as u64);
            report.add_memory(ALL, phase.memory);
            report.curve(WEBHOOKS, &replies.posted.answers());
            report.curve(REQUESTS, &sends.posted.answers());
            report.curve(STATUSES, &statuses);
        }
        let unsettled = &phase.unsettled;
        let replied = replies.judge(report, &format!("{prefix}{WEBHOOKS}"), unsettled);
        let delivered = sends.judge(report, &format!("{prefix}{REQUESTS}"), unsettled);
        Ok(replied && delivered)
    }
}
