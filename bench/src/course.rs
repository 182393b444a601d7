//! Phases of one kind of requests, one after the other: what `roundtrip`, `send`, `idle` and `history` consist of.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::database;
use crate::load::Pace;
use crate::options::Options;
use crate::report::Report;
use crate::requests::{Audience, Requests};
use crate::stream::{Kind, Stream};
use crate::world::World;

/// Tenants, unless a scenario has its own.
const TENANTS: usize = 10;
/// Requests that are written for one phase, at the most.
const MOST: usize = 300_000;

/// Writes requests of one kind.
pub trait Writer {
    /// Which.
    const KIND: Kind;

    /// To or from whom.
    fn audience(&self) -> &Audience;

    /// `count` requests in all, none of which repeats another.
    fn write(&mut self, count: usize) -> Arc<Vec<Requests>>;
}

/// The phases so far.
pub struct Course<'a, 'b, W> {
    /// Where they take place.
    pub world: &'a mut World<'b>,
    /// Writes their requests.
    pub writer: W,
    /// Requests so far.
    pub total: u64,
}

impl<'a, 'b, W> Course<'a, 'b, W> {
    /// With new tenants that have so many contacts each, few when it is only a trial; `writer` writes their requests.
    pub async fn prepare(
        options: &Options,
        world: &'a mut World<'b>,
        report: &mut Report,
        contacts: usize,
        writer: impl FnOnce(Audience) -> W,
    ) -> Result<Self> {
        let contacts = TENANTS * if options.quick { 20 } else { contacts };
        let tenants = world.hoopoe.register(TENANTS).await?;
        let audience = Audience { tenants, first: 0, contacts, connections: options.connections.into() };
        report.fact("load", format!("{} connections, {TENANTS} tenants, {contacts} contacts", options.connections));
        Ok(Self { world, writer: writer(audience), total: 0 })
    }
}

impl<W: Writer> Course<'_, '_, W> {
    /// One request of every contact, then the warm-up; gives the latter. As all phases, `None` when something was lost.
    pub async fn begin(&mut self, options: &Options, report: &mut Report, pace: Pace) -> Result<Option<Stream>> {
        let (contacts, minute) = (self.writer.audience().contacts, Duration::from_secs(60));
        if self.phase((report, "introduction", false), contacts, Pace::Closed, minute).await?.is_none() {
            return Ok(None);
        }
        let rate = if let Pace::Open { rate } = pace { rate } else { 10_000.0 };
        let count = (options.warm_up().as_secs_f64() * rate).ceil() as usize;
        self.phase((report, "warm-up", false), count, pace, options.warm_up()).await
    }

    /// A closed loop for a phase's time, or until the requests are used up: 1.5 times what `rate` per second would need.
    pub async fn closed(
        &mut self,
        options: &Options,
        report: &mut Report,
        case: &str,
        rate: f64,
    ) -> Result<Option<Stream>> {
        let count = ((rate * options.phase().as_secs_f64() * 1.5) as usize).min(MOST);
        self.phase((report, case, true), count, Pace::Closed, options.phase()).await
    }

    /// An open loop of `rate` requests per second for a phase's time.
    pub async fn open(
        &mut self,
        options: &Options,
        report: &mut Report,
        case: &str,
        rate: f64,
    ) -> Result<Option<Stream>> {
        let count = (rate * options.phase().as_secs_f64()).ceil() as usize;
        self.phase((report, case, true), count, Pace::Open { rate }, options.phase()).await
    }

    /// Figures are added when they are wanted, checks always.
    async fn phase(
        &mut self,
        (report, case, figures): (&mut Report, &str, bool),
        count: usize,
        pace: Pace,
        time: Duration,
    ) -> Result<Option<Stream>> {
        let requests = self.writer.write(count);
        database::checkpoint(&mut self.world.db).await;
        let load = self.world.load(requests, pace, time, W::KIND.status);
        let mut phase = self.world.phase(figures.then_some(case), vec![load]).await?;
        let posted = phase.posted.pop().context("a load without a result")?;
        self.total += posted.count() as u64;
        let stream = Stream::of(W::KIND, self.writer.audience(), posted, &phase.accepted);
        if figures {
            stream.report(report, case);
            let count = stream.matched.times.count() as u64;
            report.add_usage(case, &phase.usage, count);
            report.add_counters(case, &phase.counters, count);
            if matches!(pace, Pace::Closed) {
                report.add_memory(case, phase.memory);
            }
        }
        Ok(stream.judge(report, case, &phase.unsettled).then_some(stream))
    }
}
