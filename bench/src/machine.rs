//! Facts without which a figure means nothing: the machine, the build, Postgres.

use std::fs;

use crate::options::Options;

/// Name and value, in the order in which they are shown.
pub type Facts = Vec<(String, String)>;

/// Settings of the runtime that change its figures; shown when they are not the defaults.
const SETTINGS: [&str; 5] =
    ["DATABASE_CONNECTIONS", "FLOW_CONCURRENCY", "DELIVERY_CONCURRENCY", "POLL_INTERVAL", "TOKIO_WORKER_THREADS"];

/// What is known without a database.
pub fn facts(options: &Options) -> Facts {
    let mut facts = Facts::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    add("date", chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string());
    let build = if cfg!(debug_assertions) { "debug: for trying only" } else { "release" };
    add("build of the benchmark", build.to_owned());
    add("cores", std::thread::available_parallelism().map_or("unknown".to_owned(), |cores| cores.to_string()));
    if let Some(model) = value_in("/proc/cpuinfo", "model name") {
        add("processor", model);
    }
    if let Some(memory) = value_in("/proc/meminfo", "MemTotal") {
        add("memory", memory);
    }
    if let Ok(release) = fs::read_to_string("/proc/sys/kernel/osrelease") {
        add("system", format!("{} {}", std::env::consts::OS, release.trim()));
    }
    let fdatasync = options.fdatasync_us.map_or("not measured".to_owned(), |time| format!("{time:.0} us"));
    add("fdatasync", fdatasync);
    add("phases", format!("{} s, {} rounds", options.phase().as_secs(), options.rounds()));
    for name in SETTINGS {
        if let Ok(value) = std::env::var(name) {
            add(name, value);
        }
    }
    facts
}

/// Of `name : value`.
fn value_in(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
