//! Time on a processor: other threads' turns, which the system gives as it likes, are not counted.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

thread_local! {
    static BEGAN: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// A turn begins on this thread.
pub(super) fn begin() {
    BEGAN.set(Some(now()));
}

/// What this turn has used so far; `None` on a thread that gives no turns.
pub(crate) fn used() -> Option<Duration> {
    BEGAN.get().map(|began| now().saturating_sub(began))
}

fn now() -> Duration {
    // A thread has used neither less than nothing nor more than fits.
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_thread_computes_is_counted() {
        assert_eq!(used(), None);
        begin();
        let other = std::thread::spawn(|| {
            begin();
            loop {
                let used = used().expect("its turn has begun");
                if used > Duration::from_millis(50) {
                    return used;
                }
            }
        });
        let others = other.join().expect("it comes to its end");
        assert!(used().expect("its turn has begun") < others);
    }
}
