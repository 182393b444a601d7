//! What messages cost: processor time, what Postgres does for them, memory.

use super::{PRODUCT, Report};
use crate::counters::Counters;
use crate::meter::{Memory, Usage};

impl Report {
    /// CPU time per 1,000 of what was counted, as far as it can be read.
    pub fn add_usage(&mut self, case: &str, usage: &Usage, count: u64) {
        let parts = [
            (PRODUCT, usage.product()),
            ("CPU, runtime", usage.runtime),
            ("CPU, Postgres", usage.postgres),
            ("CPU, simulator", usage.server),
            ("CPU, load generator", usage.load),
        ];
        for (name, seconds) in parts {
            if let Some(seconds) = seconds
                && count > 0
            {
                self.add((case, name), "s per 1,000", seconds * 1000.0 / count as f64);
            }
        }
    }

    /// What Postgres counted, for each of what was counted, as far as it can be read.
    pub fn add_counters(&mut self, case: &str, counters: &Counters, count: u64) {
        let parts = [
            ("commits", "per message", counters.commits),
            ("WAL", "bytes per message", counters.wal),
            ("statements", "per message", counters.statements),
        ];
        for (name, unit, counted) in parts {
            if let Some(counted) = counted
                && count > 0
            {
                self.add((case, name), unit, counted as f64 / count as f64);
            }
        }
    }

    /// Memory, as far as it can be read.
    pub fn add_memory(&mut self, case: &str, memory: Memory) {
        for (name, size) in [("memory, runtime", memory.runtime), ("memory, Postgres", memory.postgres)] {
            if let Some(size) = size {
                self.add((case, name), "MB", size);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Facts;

    #[test]
    fn what_cannot_be_read_has_no_row() {
        let mut report = Report::new("example", Facts::new());
        let usage = Usage { runtime: Some(3.0), ..Usage::default() };
        report.add_usage("load", &usage, 2_000);
        report.add_counters("load", &Counters { commits: Some(500), wal: Some(8_000_000), statements: None }, 2_000);
        report.add_counters("rest", &Counters { commits: Some(5), wal: Some(8), statements: Some(5) }, 0);
        let rows: Vec<_> = report.figures.iter().map(|figure| (figure.name.as_str(), figure.rounds[0])).collect();
        assert_eq!(rows, [("CPU, runtime", 1.5), ("commits", 0.25), ("WAL", 4_000.0)]);
    }
}
