//! `flow`: the sandbox alone. A fresh instance for each event, on one thread and on two; the built-in plugins beside
//! empty components in the same engine.

pub mod subject;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hoopoe_sandbox::{Sandbox, Settings};
use tokio::runtime::{Builder, Runtime};

use self::subject::Subject;
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::stats::Times;
use crate::{guests, machine};

const THREADS: [(usize, &str); 2] = [(1, "1 thread"), (2, "2 threads")];
const RATE: &str = "events";
const P50: &str = "time of an event, p50";
const P99: &str = "time of an event, p99";

/// A plugin, and the empty component that is given the same.
struct Case {
    name: &'static str,
    subject: Subject,
    floor: &'static str,
    /// Actions, or bytes of text, of a run.
    result: usize,
}

const EMPTY_FLOW: &str = "empty flow";
const EMPTY_TEMPLATE: &str = "empty renderer";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("flow", machine::facts(options));
    let runtime = single_thread()?;
    let cases = runtime.block_on(cases(&Sandbox::new(Settings::default())?))?;
    for case in &cases {
        let result = runtime.block_on(case.subject.result())?;
        report.check(result == case.result, format!("{} decides {} (actions, or bytes)", case.name, case.result));
        measure(&case.subject, 1, options.warm_up())?;
    }
    for round in 1..=options.rounds() {
        for (threads, on) in THREADS {
            for case in &cases {
                let (times, elapsed) = measure(&case.subject, threads, options.phase())?;
                let rate = times.count() as f64 / elapsed.as_secs_f64();
                let name = name(case.name, on);
                eprintln!("flow, round {round}: {name}: {rate:.0} events/s");
                report.add((&name, RATE), "1/s", rate);
                report.add((&name, P50), "us", times.us(0.5));
                report.add((&name, P99), "us", times.us(0.99));
            }
        }
    }
    for (_, on) in THREADS {
        for case in cases.iter().filter(|case| case.name != case.floor) {
            for figure in [RATE, P50, P99] {
                report.compare((&name(case.name, on), figure), (&name(case.floor, on), figure));
            }
        }
        report.aim((&name(AUTO_REPLY, on), P50), Aim::RatioAtMost(2.0));
    }
    for case in cases.iter() {
        report.compare((&name(case.name, THREADS[1].1), RATE), (&name(case.name, THREADS[0].1), RATE));
    }
    let shown: Vec<String> = cases.iter().map(|case| name(case.name, THREADS[0].1)).collect();
    report
        .plot(Plot::bars("Microseconds per event, p50, on one thread", shown.iter().map(|case| (case.as_str(), P50))));
    Ok(report)
}

const AUTO_REPLY: &str = "auto-reply";

fn name(case: &str, on: &str) -> String {
    format!("{case}, {on}")
}

async fn cases(sandbox: &Sandbox) -> Result<[Case; 5]> {
    let flow = async |component: &[u8], config: String| {
        Ok::<_, anyhow::Error>(Subject::Flow(sandbox.load(component).await?, config))
    };
    let template =
        async |component: &[u8]| Ok::<_, anyhow::Error>(Subject::Template(sandbox.load_renderer(component).await?));
    let none = || "{}".to_owned();
    Ok([
        Case { name: EMPTY_FLOW, subject: flow(&guests::flow()?, none()).await?, floor: EMPTY_FLOW, result: 0 },
        Case {
            name: AUTO_REPLY,
            subject: flow(hoopoe_builtin::AUTO_REPLY.component, none()).await?,
            floor: EMPTY_FLOW,
            result: 1,
        },
        Case {
            name: "100 rules",
            subject: flow(hoopoe_builtin::RULES.component, subject::hundred_rules()?).await?,
            floor: EMPTY_FLOW,
            result: 1,
        },
        Case { name: EMPTY_TEMPLATE, subject: template(&guests::template()?).await?, floor: EMPTY_TEMPLATE, result: 0 },
        Case {
            name: "template",
            subject: template(hoopoe_builtin::TEMPLATES.component).await?,
            floor: EMPTY_TEMPLATE,
            result: 80,
        },
    ])
}

/// Runs one event after the other on each thread.
fn measure(subject: &Subject, threads: usize, time: Duration) -> Result<(Times, Duration)> {
    let together = Barrier::new(threads);
    let start = Instant::now();
    let results: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| on_this_thread(subject, &together, time))).collect();
        let joined = running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")));
        joined.collect()
    });
    let elapsed = start.elapsed();
    let times: Vec<Vec<Duration>> = results.into_iter().collect::<Result<_>>()?;
    Ok((Times::new(times.concat()), elapsed))
}

fn on_this_thread(subject: &Subject, together: &Barrier, time: Duration) -> Result<Vec<Duration>> {
    let runtime = single_thread();
    let mut times = Vec::new();
    together.wait();
    runtime?.block_on(async {
        let start = Instant::now();
        while start.elapsed() < time {
            times.push(subject.time().await?);
        }
        Ok(times)
    })
}

fn single_thread() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("no thread for the sandbox")
}
