//! `cold`: the first event of a plugin that is not in memory, for many distinct plugins, from the folder of compiled
//! ones; and what the plugins of tenants without events cost in memory.

mod plugins;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hoopoe_sandbox::{Digest, GetError, Owner, Plugin, Sandbox, Settings};
use tokio::runtime::{Builder, Runtime};

use self::plugins::Plugins;
use crate::flow::subject::{context, event};
use crate::options::Options;
use crate::report::{Aim, Plot, Report};
use crate::stats::Times;
use crate::{machine, meter};

const FIRST: &str = "first event";
const READ: &str = "reading the same bytes";
const LATER: &str = "later event";
const MEMORY: &str = "memory, default settings";
const KEPT: &str = "memory, every plugin kept";
const P50: &str = "time, p50";
const P99: &str = "time, p99";
const EACH: &str = "of one tenant";
const MANY: &str = "with 10,000 tenants";

/// Measures it.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("cold", machine::facts(options));
    let runtime = Builder::new_multi_thread().enable_all().build().context("no threads for the sandbox")?;
    let count = if options.quick { 50 } else { 1000 };
    let plugins = runtime.block_on(Plugins::compile(&options.out, count))?;
    report.fact("plugins", format!("{count}, {} bytes of compiled code each", plugins.bytes()? / count as u64));
    for round in 1..=options.rounds() {
        plugins.forget()?;
        let read = Times::new(plugins.read()?);
        add(&mut report, READ, &read);

        plugins.forget()?;
        let (first, later, growth) = first_events(&runtime, &plugins, Settings::default())?;
        eprintln!("cold, round {round}: {FIRST}: {:.2} ms", first.ms(0.5));
        add(&mut report, FIRST, &first);
        add(&mut report, LATER, &later);
        // What the second half adds is what any further tenant adds.
        let further = growth.further * (10_000.0 / count as f64 - 1.0) * 2.0;
        report.add((MEMORY, EACH), "kB", growth.whole * 1024.0 / count as f64);
        report.add((MEMORY, MANY), "MB", growth.before + growth.whole + further.max(0.0));

        let all = Settings { cached_plugins: count, cached_bytes: usize::MAX, ..Settings::default() };
        let (_, _, growth) = first_events(&runtime, &plugins, all)?;
        report.add((KEPT, EACH), "kB", growth.whole * 1024.0 / count as f64);
    }
    for figure in [P50, P99] {
        report.compare((FIRST, figure), (READ, figure));
    }
    report.aim((FIRST, P50), Aim::AtMost(5.0));
    report.plot(Plot::bars("Milliseconds, p50", [FIRST, READ, LATER].map(|case| (case, P50))));
    report.aim((MEMORY, MANY), Aim::AtMost(2048.0));
    Ok(report)
}

fn add(report: &mut Report, case: &str, times: &Times) {
    report.add((case, P50), "ms", times.ms(0.5));
    report.add((case, P99), "ms", times.ms(0.99));
}

/// Resident memory of this process, in MB.
struct Growth {
    before: f64,
    /// By all plugins.
    whole: f64,
    /// By the second half of them.
    further: f64,
}

/// An event for each plugin, in a sandbox that knows none yet; and one more, while the plugin is in memory.
fn first_events(runtime: &Runtime, plugins: &Plugins, settings: Settings) -> Result<(Times, Times, Growth)> {
    let sandbox = Sandbox::new(plugins.cached(settings))?;
    let resident = || meter::memory(std::process::id(), "VmRSS:").context("the memory of this process is not known");
    let before = resident()?;
    let (mut first, mut later, mut half) = (Vec::new(), Vec::new(), before);
    for (place, digest) in plugins.digests().iter().enumerate() {
        let begun = Instant::now();
        let plugin = runtime.block_on(get(&sandbox, *digest))?;
        runtime.block_on(answer(&plugin))?;
        first.push(begun.elapsed());
        let begun = Instant::now();
        runtime.block_on(answer(&plugin))?;
        later.push(begun.elapsed());
        if place + 1 == plugins.digests().len() / 2 {
            half = resident()?;
        }
    }
    let after = resident()?;
    let growth = Growth { before, whole: after - before, further: after - half };
    Ok((Times::new(first), Times::new(later), growth))
}

async fn get(sandbox: &Sandbox, digest: Digest) -> Result<Plugin> {
    let compiled_anew = async { Err::<Vec<u8>, _>("it is not in the folder of compiled plugins") };
    sandbox.get(digest, compiled_anew).await.map_err(|error| match error {
        GetError::Fetch(why) => anyhow::anyhow!("{digest}: {why}"),
        GetError::Load(error) => error.into(),
    })
}

async fn answer(plugin: &Plugin) -> Result<()> {
    let outcome = plugin.on_event(Owner(1), context(), event(), None).await.result?;
    if outcome.actions.len() != 1 {
        bail!("{plugin:?} decided {} actions", outcome.actions.len());
    }
    Ok(())
}

/// Times, in the order in which they were measured.
type Measured = Vec<Duration>;
