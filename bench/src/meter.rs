//! CPU time and memory of everything that runs, from `/proc`. Where there is none, or a process belongs to another
//! machine, the figures are absent.

use std::fs;

use crate::threads;

/// Ticks per second of the times in `/proc/<pid>/stat`: `USER_HZ`, which is 100 on every common Linux.
const TICKS: f64 = 100.0;

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    /// The runtime's process.
    pub runtime: u32,
    /// Postgres's first process; absent when Postgres runs elsewhere.
    pub postmaster: Option<u32>,
}

/// CPU seconds, user and system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// The runtime.
    pub runtime: Option<f64>,
    /// All processes of Postgres, also those that have ended.
    pub postgres: Option<f64>,
    /// The load generator's thread.
    pub load: Option<f64>,
    /// The simulator's threads.
    pub server: Option<f64>,
}

/// Resident memory, in MB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// The runtime.
    pub runtime: Option<f64>,
    /// All processes of Postgres: what each has for itself, and once what they share.
    pub postgres: Option<f64>,
}

impl Meter {
    /// CPU seconds so far.
    pub fn read(&self) -> Usage {
        Usage {
            runtime: Stat::of(self.runtime).map(|stat| stat.own),
            postgres: self.postmaster.and_then(postgres),
            load: threads_named(threads::LOAD),
            server: threads_named(threads::SERVER),
        }
    }

    /// All that is running now.
    pub fn processes(&self) -> Vec<u32> {
        let postgres =
            self.postmaster.into_iter().flat_map(|postmaster| children(postmaster).into_iter().chain([postmaster]));
        [self.runtime].into_iter().chain(postgres).collect()
    }

    /// Resident memory now.
    pub fn memory(&self) -> Memory {
        let postgres = self.postmaster.map(|postmaster| {
            let processes = || children(postmaster).into_iter().chain([postmaster]);
            let own: f64 = processes().filter_map(|pid| memory(pid, "RssAnon:")).sum();
            own + processes().filter_map(|pid| memory(pid, "RssShmem:")).fold(0.0, f64::max)
        });
        Memory { runtime: memory(self.runtime, "VmRSS:"), postgres }
    }
}

impl Usage {
    /// What was used since then.
    pub fn since(&self, earlier: &Usage) -> Usage {
        let difference = |now: Option<f64>, then: Option<f64>| Some(now? - then?);
        Usage {
            runtime: difference(self.runtime, earlier.runtime),
            postgres: difference(self.postgres, earlier.postgres),
            load: difference(self.load, earlier.load),
            server: difference(self.server, earlier.server),
        }
    }

    /// What the product uses: runtime and Postgres.
    pub fn product(&self) -> Option<f64> {
        Some(self.runtime? + self.postgres?)
    }
}

/// The process whose child serves a connection, if it is a Postgres of this machine.
pub fn postmaster(backend: u32) -> Option<u32> {
    let parent = Stat::of(backend)?.parent;
    let name = |pid| fs::read_to_string(format!("/proc/{pid}/comm"));
    // A backend elsewhere has a number that means something else here.
    let is_postgres = |pid| name(pid).is_ok_and(|name| name.starts_with("postgres"));
    (is_postgres(backend) && is_postgres(parent)).then_some(parent)
}

/// A line of `/proc/<pid>/stat`.
struct Stat {
    parent: u32,
    /// CPU seconds of the process itself.
    own: f64,
    /// CPU seconds of its children that have ended.
    ended: f64,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// See proc_pid_stat(5). The second field is a name in parentheses, which may contain anything.
    fn parse(line: &str) -> Option<Stat> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds = |place: usize| Some(fields.get(place)?.parse::<f64>().ok()? / TICKS);
        Some(Stat {
            parent: fields.get(1)?.parse().ok()?,
            own: seconds(11)? + seconds(12)?,
            ended: seconds(13)? + seconds(14)?,
        })
    }
}

fn postgres(postmaster: u32) -> Option<f64> {
    loop {
        let first = Stat::of(postmaster)?;
        let running: f64 = children(postmaster).into_iter().filter_map(Stat::of).map(|stat| stat.own).sum();
        let second = Stat::of(postmaster)?;
        // Otherwise a process ended in between, and may be in neither sum or in both.
        if first.ended.total_cmp(&second.ended).is_eq() {
            return Some(second.own + second.ended + running);
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let pids = numbers_in("/proc").into_iter();
    pids.filter(|pid| Stat::of(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

fn threads_named(name: &str) -> Option<f64> {
    let threads = numbers_in("/proc/self/task").into_iter().map(|thread| format!("/proc/self/task/{thread}"));
    let named = threads.filter(|path| fs::read_to_string(format!("{path}/comm")).is_ok_and(|comm| comm.trim() == name));
    let times: Vec<f64> = named
        .filter_map(|path| Stat::parse(&fs::read_to_string(format!("{path}/stat")).ok()?))
        .map(|s| s.own)
        .collect();
    (!times.is_empty()).then(|| times.iter().sum())
}

fn numbers_in(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A field of `/proc/<pid>/status` that is given in kB, in MB.
pub fn memory(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 30 20 20 0 1 0 1 1 1";
        let stat = Stat::parse(line).expect("it is one");
        assert_eq!((stat.parent, stat.own, stat.ended), (7, 2.0, 0.5));
        assert!(Stat::parse("42 (a S 7").is_none());
    }
}
