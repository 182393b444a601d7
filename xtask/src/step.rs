//! Steps: what a command is doing now and how long it took, on standard error.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Do `work` and say so before and after.
pub fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {what}");
    let start = Instant::now();
    let result = work();
    let word = if result.is_ok() { "done" } else { "failed" };
    eprintln!("    {what}: {word} after {}", seconds(start.elapsed()));
    result
}

/// A duration for people: `0.4 s`, `2 min 05 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        for (milliseconds, text) in [(40, "0.0 s"), (1_250, "1.2 s"), (60_000, "1 min 00 s"), (125_400, "2 min 05 s")] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
    }
}
