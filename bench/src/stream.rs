//! One kind of requests of a phase and the messages that came of them: its figures and its checks.

use std::time::Duration;

use meta_sim::Accepted;

use crate::load::Posted;
use crate::matched::{self, Matched};
use crate::report::Report;
use crate::requests::Audience;
use crate::runtime::Tenant;
use crate::sends;

/// What kind of requests.
#[derive(Clone, Copy)]
pub struct Kind {
    /// How the figure of messages that reached the simulator is called.
    pub done: &'static str,
    /// That of answered requests.
    pub answers: &'static str,
    /// That of an answer's time.
    pub answer: &'static str,
    /// Status of a good answer.
    pub status: u16,
    /// What the message must say.
    pub text: fn(&Tenant) -> String,
}

/// Webhooks that the auto-reply answers.
pub const REPLIES: Kind =
    Kind { done: "replies", answers: "acks", answer: "ack", status: 200, text: matched::auto_reply };
/// Sends by the API.
pub const SENDS: Kind =
    Kind { done: "delivered", answers: "accepted", answer: "answer", status: 202, text: sends::text };

/// Requests and what came of them.
pub struct Stream {
    kind: Kind,
    /// The requests.
    pub posted: Posted,
    /// What was accepted by the simulator.
    pub matched: Matched,
}

impl Stream {
    /// Matches an audience's requests with what was accepted for it.
    pub fn of(kind: Kind, audience: &Audience, posted: Posted, accepted: &[Accepted]) -> Self {
        let matched = matched::account(audience, &posted, accepted, kind.text);
        Stream { kind, posted, matched }
    }

    /// Messages per second, from the first request to the last acceptance.
    pub fn rate(&self) -> f64 {
        let elapsed = self.matched.last.map_or(Duration::ZERO, |last| last - self.posted.start);
        self.matched.times.count() as f64 / elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// From the last answer to the last acceptance.
    fn drained(&self) -> Duration {
        let end = self.posted.start + self.posted.elapsed;
        self.matched.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(end))
    }

    /// Adds the figures.
    pub fn report(&self, report: &mut Report, case: &str) {
        let (Kind { done, answers, answer, .. }, times) = (self.kind, self.posted.answers());
        report.add((case, done), "1/s", self.rate());
        report.add((case, "end-to-end, p50"), "ms", self.matched.times.ms(0.5));
        report.add((case, "end-to-end, p99"), "ms", self.matched.times.ms(0.99));
        report.add((case, answers), "1/s", self.posted.rate());
        report.add((case, &format!("{answer}, p50")), "ms", times.ms(0.5));
        report.add((case, &format!("{answer}, p99")), "ms", times.ms(0.99));
        report.add((case, "backlog, time to clear"), "s", self.drained().as_secs_f64());
        eprintln!(
            "{case}: {} {done}, {:.0}/s, end-to-end p99 {:.1} ms, {answer} p99 {:.1} ms",
            self.matched.times.count(),
            self.rate(),
            self.matched.times.ms(0.99),
            times.ms(0.99)
        );
    }

    /// Adds the checks, and gives whether they held.
    pub fn judge(&self, report: &mut Report, case: &str, unsettled: &[String]) -> bool {
        let Matched { lost, repeated, strange, .. } = self.matched;
        let held = [lost, repeated, strange] == [0; 3] && unsettled.is_empty();
        let (posted, done) = (self.posted.count(), self.kind.done);
        let mut what =
            format!("{case}: {posted} requests, {done}: {lost} lost, {repeated} repeated, {strange} strange");
        for unsettled in unsettled {
            what = format!("{what}; {unsettled}");
        }
        report.check(held, what);
        held
    }
}
