//! What the host knows of one running guest: what it uses, what it logs, how it ended itself.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::Limits;
pub use crate::contract::Level;
use crate::wasi::Wasi;

/// What counts as "now", in milliseconds, and the seed of pseudo-random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    pub(crate) now: u64,
    pub(crate) seed: u64,
}

/// A line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is, by the plugin.
    pub level: Level,
    /// The text, cut at the limit for a line.
    pub message: String,
}

/// A limit that the guest ran into. It may have gone on for a while, until its own code gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    Memory,
    Table,
}

/// The data of a store.
pub(crate) struct Guest {
    limits: Limits,
    memory: usize,
    table: usize,
    /// Most memory at once, in bytes.
    pub(crate) peak: usize,
    pub(crate) hit: Option<Hit>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) logs_cut: bool,
    log_bytes: usize,
    /// The guest ended itself with this message.
    pub(crate) abort: Option<String>,
    /// Time on a processor, as of the last tick.
    pub(crate) used: Duration,
    /// For guests that import WASI.
    pub(crate) wasi: Wasi,
}

impl Guest {
    pub(crate) fn new(limits: Limits, moment: Moment) -> Self {
        Guest {
            limits,
            memory: 0,
            table: 0,
            peak: 0,
            hit: None,
            logs: Vec::new(),
            logs_cut: false,
            log_bytes: 0,
            abort: None,
            used: Duration::ZERO,
            wasi: Wasi::new(moment),
        }
    }

    pub(crate) fn log(&mut self, level: Level, message: String) {
        let room = self.limits.log_line_bytes.min(self.limits.log_bytes.saturating_sub(self.log_bytes));
        if self.logs.len() >= self.limits.log_lines || room == 0 {
            self.logs_cut = true;
            return;
        }
        self.logs_cut |= message.len() > room;
        let message = cut(message, room);
        self.log_bytes += message.len();
        self.logs.push(LogLine { level, message });
    }

    /// Write to standard output or error: each line becomes one of the log.
    pub(crate) fn print(&mut self, level: Level, bytes: &[u8]) {
        let room = self.limits.log_line_bytes;
        for (place, part) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if place > 0 {
                self.end_line(level);
            }
            let line = self.wasi.line(level);
            // One byte more than is kept, so that the cut is noticed.
            let part = &part[..part.len().min((room + 1).saturating_sub(line.len()))];
            line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, level: Level) {
        let line = std::mem::take(self.wasi.line(level));
        self.log(level, String::from_utf8_lossy(&line).into_owned());
    }

    /// Log what was printed without an end of line.
    pub(crate) fn end_lines(&mut self) {
        for level in [Level::Info, Level::Warn] {
            if !self.wasi.line(level).is_empty() {
                self.end_line(level);
            }
        }
    }

    pub(crate) fn abort(&mut self, message: String) {
        self.abort = Some(cut(message, self.limits.log_line_bytes));
    }
}

/// At most `bytes` of a text, whole characters.
pub(crate) fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// Sums over all memories and tables of the guest. A refused growth is an ordinary answer to the guest, which may
/// cope; if it ends badly after that, the failure is named after the limit.
impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired - current);
        if total > self.limits.memory_bytes {
            self.hit = Some(Hit::Memory);
            return Ok(false);
        }
        self.memory = total;
        self.peak = self.peak.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table.saturating_add(desired - current);
        if total > self.limits.table_elements {
            self.hit = Some(Hit::Table);
            return Ok(false);
        }
        self.table = total;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(log_lines: usize, log_line_bytes: usize, log_bytes: usize) -> Guest {
        let limits = Limits { log_lines, log_line_bytes, log_bytes, ..Limits::default() };
        Guest::new(limits, Moment::default())
    }

    fn lines(guest: &Guest) -> Vec<&str> {
        guest.logs.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn logs_are_cut_by_line_by_number_and_in_all() {
        let cases = [
            (guest(2, 10, 100), vec!["a", "b"], true),
            (guest(9, 1, 100), vec!["a", "b", "c"], false),
            (guest(9, 10, 2), vec!["a", "b"], true),
        ];
        for (mut guest, expected, cut) in cases {
            ["a", "b", "c"].into_iter().for_each(|line| guest.log(Level::Info, line.to_owned()));
            assert_eq!((lines(&guest), guest.logs_cut), (expected, cut));
        }
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let mut guest = guest(9, 4, 100);
        guest.log(Level::Warn, "ab\u{2615}".to_owned());
        assert_eq!((lines(&guest), guest.logs_cut), (vec!["ab"], true));
    }

    #[test]
    fn what_is_printed_is_logged_by_line() {
        let mut guest = guest(9, 5, 100);
        guest.print(Level::Info, b"one\ntw");
        guest.print(Level::Warn, b"oops");
        guest.print(Level::Info, b"o\n\n");
        guest.print(Level::Info, b"\xff");
        assert_eq!(lines(&guest), ["one", "two", ""]);
        assert!(!guest.logs_cut);
        guest.end_lines();
        assert_eq!(lines(&guest)[3..], ["\u{fffd}", "oops"]);
        guest.print(Level::Info, &b"x".repeat(1_000_000));
        guest.print(Level::Info, b"\n");
        assert_eq!((lines(&guest)[5], guest.logs_cut), ("xxxxx", true));
    }
}
