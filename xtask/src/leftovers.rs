//! Programs that an xtask before this one started and could not stop, because it was killed.
//!
//! A runtime that lives on would come back to the same database and work beside the new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{interrupt, process, workspace};

/// A runtime finishes what it works on.
const PATIENCE: Duration = Duration::from_secs(15);

/// The list of what runs, in a file, one `<process id> <program>` per line.
pub struct Started {
    path: PathBuf,
    lines: String,
}

impl Started {
    /// End what the list of an earlier run names, and begin a new one.
    pub fn over() -> Result<Self> {
        let path = workspace::state_dir()?.join("dev.pids");
        let old = fs::read_to_string(&path).unwrap_or_default();
        for (pid, program) in entries(&old) {
            end(pid, program)?;
        }
        let started = Self { path, lines: String::new() };
        started.write()?;
        Ok(started)
    }

    /// Add a program that runs now.
    pub fn add(&mut self, pid: u32, program: &Path) -> Result<()> {
        self.lines.push_str(&format!("{pid} {}\n", program.display()));
        self.write()
    }

    fn write(&self) -> Result<()> {
        fs::write(&self.path, &self.lines).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn entries(list: &str) -> impl Iterator<Item = (u32, &str)> {
    list.lines().filter_map(|line| {
        let (pid, program) = line.split_once(' ')?;
        Some((pid.parse().ok()?, program))
    })
}

/// The number may belong to another program by now: the command line tells.
fn runs(pid: u32, program: &str) -> bool {
    process::command_line(pid).is_some_and(|line| line.starts_with(program))
}

/// End a program, unless its number belongs to another one by now.
pub fn end(pid: u32, program: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut signal = Signal::SIGTERM;
    while runs(pid, program) {
        if signal == Signal::SIGTERM {
            eprintln!("==> stopping {program} of an earlier run");
        }
        // Gone already is as good.
        let _ = killpg(Pid::from_raw(pid.cast_signed()), signal);
        while runs(pid, program) && Instant::now() < end {
            interrupt::tick()?;
        }
        signal = Signal::SIGKILL;
        interrupt::tick()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::shell;

    #[test]
    fn what_still_runs_is_ended_and_strangers_are_not() {
        let mut shell = shell("true");
        end(shell.id(), "/target/debug/hoopoe").expect("nothing to do");
        assert!(shell.ended().expect("a status").is_none());
        assert!(runs(shell.id(), "sh -c true;"));
        let waiting_id = shell.id();
        // Its parent has to notice that it ended: that is this process here, and no xtask in real life.
        let waiting = std::thread::spawn(move || shell.wait(PATIENCE));
        end(waiting_id, "sh -c true;").expect("it is stopped");
        waiting.join().expect("no panic").expect("it ended");
    }

    #[test]
    fn the_list_is_read_and_broken_lines_are_left_out() {
        let list = "12 /a b/hoopoe\nnonsense\n13 /a b/meta-sim\n";
        assert_eq!(entries(list).collect::<Vec<_>>(), [(12, "/a b/hoopoe"), (13, "/a b/meta-sim")]);
    }
}
