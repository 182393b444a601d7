//! When to act on changes: an editor writes a file in several steps, and a tool writes many files.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Collects changes until none has come for a while, at the longest for a bound.
#[derive(Debug)]
pub struct Debounce {
    quiet: Duration,
    longest: Duration,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    first: Instant,
    last: Instant,
    paths: BTreeSet<PathBuf>,
}

/// What changed together.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    /// When the last of the changes came: the moment of the save.
    pub saved: Instant,
    /// The files.
    pub paths: BTreeSet<PathBuf>,
}

impl Debounce {
    /// Waits for this much quiet, but no longer than this in all.
    pub fn new(quiet: Duration, longest: Duration) -> Self {
        Self { quiet, longest, pending: None }
    }

    /// A file changed.
    pub fn changed(&mut self, path: PathBuf, at: Instant) {
        let pending = self.pending.get_or_insert_with(|| Pending { first: at, last: at, paths: BTreeSet::new() });
        pending.last = pending.last.max(at);
        pending.paths.insert(path);
    }

    /// When it is time to act, if nothing more changes.
    pub fn due(&self) -> Option<Instant> {
        let pending = self.pending.as_ref()?;
        Some((pending.last + self.quiet).min(pending.first + self.longest))
    }

    /// The changes, when it is time.
    pub fn take(&mut self, now: Instant) -> Option<Changes> {
        if self.due()? > now {
            return None;
        }
        let Pending { last, paths, .. } = self.pending.take()?;
        Some(Changes { saved: last, paths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_together_once_it_is_quiet() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut debounce = Debounce::new(Duration::from_millis(40), Duration::from_millis(100));
        assert_eq!((debounce.due(), debounce.take(ms(0))), (None, None));

        debounce.changed("a".into(), ms(0));
        debounce.changed("b".into(), ms(30));
        debounce.changed("a".into(), ms(30));
        assert_eq!((debounce.due(), debounce.take(ms(69))), (Some(ms(70)), None));
        let expected = Changes { saved: ms(30), paths: ["a".into(), "b".into()].into() };
        assert_eq!(debounce.take(ms(70)), Some(expected));
        assert_eq!(debounce.take(ms(1000)), None, "they are taken once");
    }

    #[test]
    fn a_file_that_never_rests_is_taken_at_the_bound() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut debounce = Debounce::new(Duration::from_millis(40), Duration::from_millis(100));
        for at in [0, 30, 60, 90] {
            debounce.changed("a".into(), ms(at));
            assert_eq!(debounce.take(ms(at)), None);
        }
        assert_eq!(debounce.due(), Some(ms(100)));
        assert_eq!(debounce.take(ms(100)).map(|changes| changes.saved), Some(ms(90)));
    }
}
