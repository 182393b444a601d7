//! Where the processor time of a phase goes, in the runtime and in Postgres: sampled by `perf`, drawn as a flame graph.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;
use inferno::flamegraph;
use rustix::process::{Pid, Signal, kill_process};

use crate::options::Options;

/// Samples per second and processor: no round number, so that it does not keep step with timers.
const FREQUENCY: &str = "199";
/// Callers are found by the debug information, in so many bytes of the stack.
const STACKS: &str = "dwarf,16384";
/// What takes less, in percent, is not drawn.
const NARROWEST: f64 = 0.1;

/// The flame graphs of a scenario.
pub struct Flames {
    out: PathBuf,
    scenario: &'static str,
}

/// One that is being sampled.
pub struct Recording {
    perf: Child,
    samples: PathBuf,
    graph: PathBuf,
    title: String,
}

impl Flames {
    /// None unless they are asked for.
    pub fn wanted(options: &Options, scenario: &'static str) -> Option<Self> {
        options.flame.then(|| Self { out: options.out.clone(), scenario })
    }

    /// Samples these processes until it is finished.
    pub fn record(&self, case: &str, processes: &[u32]) -> Result<Recording> {
        let name = format!("{}.{}", self.scenario, file_name(case));
        let samples = self.out.join(format!("{name}.perf"));
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        let mut command = Command::new("perf");
        // The clock is everywhere, a virtual machine's processor seldom tells its cycles.
        command.args(["record", "--quiet", "--event", "cpu-clock", "--freq", FREQUENCY, "--call-graph", STACKS]);
        command.args(["--pid", &processes.join(",")]);
        command.arg("--output").arg(&samples).stdin(Stdio::null());
        let perf = command.spawn().context("cannot start `perf`, which --flame needs (Debian: package linux-perf)")?;
        let graph = self.out.join(format!("{name}.flame.svg"));
        Ok(Recording { perf, samples, graph, title: format!("{}, {case}", self.scenario) })
    }
}

impl Recording {
    /// Ends it and draws `<scenario>.<case>.flame.svg`.
    pub fn finish(mut self) -> Result<()> {
        if let Some(status) = self.perf.try_wait().context("`perf record`")? {
            bail!("`perf record` ended by itself ({status}); what it says stands above");
        }
        let pid = i32::try_from(self.perf.id()).ok().and_then(Pid::from_raw).context("the process of `perf`")?;
        kill_process(pid, Signal::INT).context("`perf record` cannot be ended")?;
        // It ends as whoever is interrupted.
        self.perf.wait().context("`perf record`")?;
        let mut command = Command::new("perf");
        // Without the functions that were inlined: to look those up takes minutes.
        command.args(["script", "--no-inline", "--input"]).arg(&self.samples);
        let mut script = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("cannot start `perf`")?;
        let told = script.stdout.take().context("`perf script` has no output")?;
        let mut stacks = Vec::new();
        Folder::default().collapse(BufReader::new(told), &mut stacks).context("what `perf script` tells")?;
        ensure!(
            script.wait().context("`perf script`")?.success(),
            "`perf script` cannot read {}",
            self.samples.display()
        );
        let mut style = flamegraph::Options::default();
        style.title.clone_from(&self.title);
        style.count_name = "ns".to_owned();
        style.min_width = NARROWEST;
        let graph = File::create(&self.graph).with_context(|| format!("cannot write {}", self.graph.display()))?;
        flamegraph::from_reader(&mut style, stacks.as_slice(), graph).context("the flame graph")?;
        eprintln!("{}", self.graph.display());
        Ok(())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Both are gone when it was finished.
        let _ = self.perf.kill();
        let _ = self.perf.wait();
        let _ = fs::remove_file(&self.samples);
    }
}

/// A case as a part of a file's name.
fn file_name(case: &str) -> String {
    let words = case.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_becomes_a_name() {
        assert_eq!(file_name("simulator 0 ms, half load"), "simulator-0-ms-half-load");
    }
}
