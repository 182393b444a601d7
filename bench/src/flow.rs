//! `flow`: the sandbox alone. A fresh instance for each event, on one thread and on two; the auto-reply plugin beside
//! an empty component in the same engine.

mod empty;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hoopoe_sandbox::contract::{Channel, Contact, Content, Context, Conversation, Event, Message, Tenant, Text};
use hoopoe_sandbox::{Plugin, Sandbox, Settings};
use tokio::runtime::{Builder, Runtime};

use crate::options::Options;
use crate::report::{Aim, Report};
use crate::stats::Times;
use crate::{machine, webhooks};

const THREADS: [(usize, &str, &str); 2] = [
    (1, "auto-reply, 1 thread", "empty component, 1 thread"),
    (2, "auto-reply, 2 threads", "empty component, 2 threads"),
];
const RATE: &str = "events";
const P50: &str = "time of an event, p50";
const P99: &str = "time of an event, p99";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("flow", machine::facts(options));
    let runtime = single_thread()?;
    let sandbox = Sandbox::new(Settings::default())?;
    let auto_reply = runtime.block_on(sandbox.load(hoopoe_builtin::AUTO_REPLY.component))?;
    let empty = runtime.block_on(sandbox.load(&empty::component()?))?;
    for (plugin, actions) in [(&auto_reply, 1), (&empty, 0)] {
        let outcome = runtime.block_on(plugin.on_event(&context(), &event(), None)).result?;
        report.check(outcome.actions.len() == actions, format!("{plugin:?} decides on {actions} actions"));
        measure(plugin, 1, options.warm_up())?;
    }
    for round in 1..=options.rounds() {
        for (threads, own, floor) in THREADS {
            for (case, plugin) in [(floor, &empty), (own, &auto_reply)] {
                let (times, elapsed) = measure(plugin, threads, options.phase())?;
                let rate = times.count() as f64 / elapsed.as_secs_f64();
                eprintln!("flow, round {round}: {case}: {rate:.0} events/s");
                report.add((case, RATE), "1/s", rate);
                report.add((case, P50), "us", times.us(0.5));
                report.add((case, P99), "us", times.us(0.99));
            }
        }
    }
    for (_, own, floor) in THREADS {
        for name in [RATE, P50, P99] {
            report.compare((own, name), (floor, name));
        }
        report.aim((own, P50), Aim::RatioAtMost(2.0));
    }
    Ok(report)
}

/// Runs one event after the other on each thread.
fn measure(plugin: &Plugin, threads: usize, time: Duration) -> Result<(Times, Duration)> {
    let together = Barrier::new(threads);
    let start = Instant::now();
    let results: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| on_this_thread(plugin, &together, time))).collect();
        let joined = running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")));
        joined.collect()
    });
    let elapsed = start.elapsed();
    let times: Vec<Vec<Duration>> = results.into_iter().collect::<Result<_>>()?;
    Ok((Times::new(times.concat()), elapsed))
}

fn on_this_thread(plugin: &Plugin, together: &Barrier, time: Duration) -> Result<Vec<Duration>> {
    let runtime = single_thread();
    let (context, event) = (context(), event());
    let mut times = Vec::new();
    together.wait();
    runtime?.block_on(async {
        let start = Instant::now();
        while start.elapsed() < time {
            let begun = Instant::now();
            let run = plugin.on_event(&context, &event, None).await;
            times.push(begun.elapsed());
            run.result?;
        }
        Ok(times)
    })
}

fn single_thread() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("no thread for the sandbox")
}

/// As the runtime makes it of a short text message.
fn context() -> Context {
    Context {
        tenant: Tenant { id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d10".into(), name: "Bench 0".into() },
        conversation: Conversation {
            id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d11".into(),
            channel: Channel {
                id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d12".into(),
                phone_number_id: "106000000000000".into(),
                display_phone_number: None,
            },
            contact: Contact {
                id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d13".into(),
                wa_id: Some("15550000000".into()),
                user_id: None,
                name: Some("Contact 0".into()),
                username: None,
                tags: Vec::new(),
            },
        },
        event_id: "1".into(),
        now: 1_767_225_600_000,
        seed: 7,
        attempt: 1,
        config: "{}".into(),
        attributes: Vec::new(),
    }
}

fn event() -> Event {
    let id = "wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQz0000000000000001";
    Event::Message(Message {
        id: id.into(),
        timestamp: 1_767_225_600_000,
        content: Content::Text(Text { body: webhooks::TEXT.into() }),
        reply_to: None,
        referral: None,
        raw: webhooks::item("15550000000", id, 1_767_225_600),
    })
}
