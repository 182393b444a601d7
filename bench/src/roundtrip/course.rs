//! One phase of `roundtrip`: load, then waiting until everything has come to rest, then the account.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use meta_sim::Sim;
use sqlx::PgConnection;

use super::replies::{self, Replies};
use crate::load::{self, Load, Pace, Posted};
use crate::meter::{Memory, Meter, Usage};
use crate::report::Report;
use crate::threads::Threads;
use crate::webhooks::{Requests, Webhooks};

/// How often it is looked whether all is at rest. Figures do not depend on it: replies carry their own times.
const LOOK: Duration = Duration::from_millis(20);

/// Everything that phases need.
pub struct Course<'a> {
    /// The load runs on its own thread.
    pub threads: &'a Threads,
    /// Meta.
    pub sim: Sim,
    /// The runtime.
    pub address: SocketAddr,
    /// Of the runtime and Postgres.
    pub meter: Meter,
    /// To look into the runtime's database.
    pub db: PgConnection,
    /// The contacts' messages.
    pub webhooks: Webhooks,
    /// How long a phase may take to come to rest.
    pub patience: Duration,
    /// Webhooks so far.
    pub total: u64,
}

/// What a phase gave.
pub struct Outcome {
    /// The webhooks.
    pub posted: Posted,
    /// What was accepted by the simulator.
    pub replies: Replies,
    /// From the first webhook until everything was at rest.
    usage: Usage,
    /// From the last acknowledgement to the last acceptance.
    drained: Duration,
    /// The rest that remained: empty when all is well.
    unsettled: Vec<String>,
    /// At the end.
    pub memory: Memory,
}

impl Course<'_> {
    /// Posts, and waits until every reply was accepted and every status is stored.
    pub async fn run(&mut self, requests: Arc<Vec<Requests>>, pace: Pace, time: Duration) -> Result<Outcome> {
        self.sim.reset();
        let before = self.meter.read();
        let load = Load { address: self.address, requests, pace, time, again: false };
        let posted = self.threads.load.spawn(load::run(load)).await.context("the load generator")??;
        self.total += posted.count() as u64;
        let unsettled = self.settle(posted.count() as u64).await?;
        let usage = self.meter.read().since(&before);
        let memory = self.meter.memory();
        let replies = replies::account(&self.webhooks.audience, &posted, &self.sim.accepted());
        let drained =
            replies.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(posted.start + posted.elapsed));
        Ok(Outcome { posted, replies, usage, drained, unsettled, memory })
    }

    /// Gives what does not come to rest in time.
    async fn settle(&mut self, expected: u64) -> Result<Vec<String>> {
        let end = Instant::now() + self.patience;
        loop {
            let stats = self.sim.stats();
            let accepted = stats.accepted >= expected && stats.is_idle();
            let late = Instant::now() > end;
            // Postgres is not asked while it still has work to do.
            let waiting = if accepted || late { self.waiting().await? } else { 0 };
            let all = accepted && waiting == 0;
            if all || late {
                let mut unsettled = Vec::new();
                if !all {
                    unsettled.push(format!(
                        "after {:?} {} of {expected} replies were accepted, {} of {} statuses acknowledged, and {waiting} rows wait in lanes and outbox",
                        self.patience, stats.accepted, stats.statuses_acknowledged, stats.statuses_queued
                    ));
                }
                if stats.statuses_lost > 0 {
                    unsettled.push(format!("{} statuses were not acknowledged", stats.statuses_lost));
                }
                if stats.refused > 0 {
                    unsettled.push(format!("the simulator refused {} sends", stats.refused));
                }
                return Ok(unsettled);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Rows in lanes and outbox: work that somebody still has to do.
    async fn waiting(&mut self) -> Result<i64> {
        let count = sqlx::query_scalar("select (select count(*) from outbox) + (select count(*) from lanes)");
        count.fetch_one(&mut self.db).await.context("looking at the lanes")
    }

    /// Every message of the whole run is there once, and every reply has gone all its way.
    pub async fn check_database(&mut self, report: &mut Report) -> Result<()> {
        let (inbound, outbound, read): (i64, i64, i64) = sqlx::query_as(
            "select count(*) filter (where direction = 'IN'), count(*) filter (where direction = 'OUT'),
                    count(*) filter (where direction = 'OUT' and status = 'read')
             from messages",
        )
        .fetch_one(&mut self.db)
        .await?;
        let total = self.total;
        let what = format!(
            "the database has {inbound} messages and {outbound} replies, {read} of them read, for {total} webhooks"
        );
        report.check([inbound, outbound, read].iter().all(|count| u64::try_from(*count) == Ok(total)), what);
        Ok(())
    }
}

impl Outcome {
    /// Replies per second, from the first webhook to the last acceptance.
    pub fn rate(&self) -> f64 {
        let elapsed = self.replies.last.map_or(Duration::ZERO, |last| last - self.posted.start);
        self.replies.times.count() as f64 / elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Adds the figures.
    pub fn report(&self, report: &mut Report, case: &str) {
        let (acks, replies) = (self.posted.answers(), &self.replies.times);
        report.add((case, "replies"), "1/s", self.rate());
        report.add((case, "end-to-end, p50"), "ms", replies.ms(0.5));
        report.add((case, "end-to-end, p99"), "ms", replies.ms(0.99));
        report.add((case, "acks"), "1/s", self.posted.rate());
        report.add((case, "ack, p50"), "ms", acks.ms(0.5));
        report.add((case, "ack, p99"), "ms", acks.ms(0.99));
        report.add((case, "backlog, time to clear"), "s", self.drained.as_secs_f64());
        report.add_usage(case, &self.usage, replies.count() as u64);
    }

    /// Adds the checks, and gives whether they held.
    pub fn judge(&self, report: &mut Report, case: &str) -> bool {
        let Replies { lost, repeated, strange, .. } = self.replies;
        let posted = self.posted.count();
        let held = [lost, repeated, strange] == [0; 3] && self.unsettled.is_empty();
        let mut what =
            format!("{case}: {posted} webhooks, {lost} replies lost, {repeated} repeated, {strange} strange");
        for unsettled in &self.unsettled {
            what = format!("{what}; {unsettled}");
        }
        report.check(held, what);
        held
    }
}
