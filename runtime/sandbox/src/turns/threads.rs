//! The threads that give turns.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;

use super::cpu;
use super::rounds::Rounds;
use crate::Owner;

/// How much the threads yield to the rest of the process, from 0 to 19: one of these gets about a tenth of what any
/// other thread gets that wants the same processor. It is never nothing.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Something that computes in turns.
pub(super) trait Job: Send {
    /// Go on until the turn is over. Ready when nothing is left to do.
    fn turn(&mut self) -> Poll<()>;

    /// Whether anybody waits for the end.
    fn is_wanted(&self) -> bool;
}

/// The threads. They end when this is dropped.
pub(crate) struct Turns {
    shared: Arc<Shared>,
}

struct Shared {
    jobs: Mutex<Jobs>,
    more: Condvar,
}

struct Jobs {
    rounds: Rounds<Box<dyn Job>>,
    stopped: bool,
    #[cfg(test)]
    given: u64,
}

impl Turns {
    /// So many threads, at least one.
    pub(crate) fn start(threads: usize) -> io::Result<Turns> {
        let jobs = Jobs {
            rounds: Rounds::new(),
            stopped: false,
            #[cfg(test)]
            given: 0,
        };
        // Should one of the threads fail to start, the others end with this.
        let turns = Turns { shared: Arc::new(Shared { jobs: Mutex::new(jobs), more: Condvar::new() }) };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&turns.shared);
            thread::Builder::new().name(format!("hoopoe-guest-{number}")).spawn(move || {
                yield_to_others();
                shared.work();
            })?;
        }
        Ok(turns)
    }

    pub(super) fn add(&self, owner: Owner, job: Box<dyn Job>) {
        self.shared.jobs().rounds.push(owner, job);
        self.shared.more.notify_one();
    }

    /// Drop the owner's jobs that nobody wants. One that has its turn is dropped after it.
    pub(super) fn sweep(&self, owner: Owner) {
        let gone = self.shared.jobs().rounds.remove(owner, |job| !job.is_wanted());
        // What dropping them takes need not keep others from the lock.
        drop(gone);
    }

    #[cfg(test)]
    pub(super) fn counter(&self) -> Counter {
        Counter(Arc::clone(&self.shared))
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        // Not joined: a job may hold the last reference, and then this is one of the threads.
        self.shared.jobs().stopped = true;
        self.shared.more.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        while let Some((owner, mut job)) = self.next() {
            if !job.is_wanted() {
                continue;
            }
            cpu::begin();
            // A panic is one job's; whoever waits for it learns that it is gone.
            let turn = catch_unwind(AssertUnwindSafe(|| job.turn()));
            if turn.is_ok_and(|turn| turn.is_pending()) {
                // This thread looks for the next itself, so nobody needs to be woken.
                self.jobs().rounds.push(owner, job);
            }
        }
    }

    fn next(&self) -> Option<(Owner, Box<dyn Job>)> {
        let mut jobs = self.jobs();
        loop {
            if jobs.stopped {
                return None;
            }
            if let Some(next) = jobs.rounds.pop() {
                #[cfg(test)]
                {
                    jobs.given += 1;
                }
                return Some(next);
            }
            jobs = self.more.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts turns.
#[cfg(test)]
pub(super) struct Counter(Arc<Shared>);

#[cfg(test)]
impl Counter {
    /// How many were given so far, with those that last.
    pub(super) fn given(&self) -> u64 {
        self.0.jobs().given
    }
}

#[cfg(target_os = "linux")]
fn yield_to_others() {
    // On Linux this is about the calling thread alone. Where it is refused, long runs compete as equals.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the threads of long runs keep the usual priority");
    }
}

/// Elsewhere priorities are the whole process'.
#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const NOISY: Owner = Owner(1);
    const QUIET: Owner = Owner(2);

    /// Takes so many turns, and tells of each.
    struct Steps(u32, char, mpsc::Sender<char>);

    impl Job for Steps {
        fn turn(&mut self) -> Poll<()> {
            self.0 -= 1;
            self.2.send(self.1).expect("somebody listens");
            if self.0 == 0 { Poll::Ready(()) } else { Poll::Pending }
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }

    /// Waits for a word before it goes on.
    struct Gate(mpsc::Receiver<()>);

    impl Job for Gate {
        fn turn(&mut self) -> Poll<()> {
            self.0.recv().map_or(Poll::Ready(()), |()| Poll::Ready(()))
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }

    struct Panics;

    impl Job for Panics {
        fn turn(&mut self) -> Poll<()> {
            panic!("on purpose")
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }

    struct Unwanted;

    impl Job for Unwanted {
        fn turn(&mut self) -> Poll<()> {
            panic!("it gets no turn")
        }

        fn is_wanted(&self) -> bool {
            false
        }
    }

    #[test]
    fn turns_go_round_between_owners() {
        let turns = Turns::start(1).expect("there is a thread");
        let (open, gate) = mpsc::channel();
        let (told, steps) = mpsc::channel();
        // The thread is kept busy until all are there.
        turns.add(Owner(9), Box::new(Gate(gate)));
        for _ in 0..40 {
            turns.add(NOISY, Box::new(Steps(3, 'n', told.clone())));
        }
        turns.add(QUIET, Box::new(Steps(4, 'q', told)));
        open.send(()).expect("it waits");
        let order: String = steps.iter().collect();
        assert_eq!(order.len(), 124);
        assert_eq!(&order[..9], "nqnqnqnqn");
    }

    #[test]
    fn a_panic_ends_one_job_and_what_nobody_wants_gets_no_turn() {
        let turns = Turns::start(1).expect("there is a thread");
        let (told, steps) = mpsc::channel();
        turns.add(NOISY, Box::new(Panics));
        turns.add(NOISY, Box::new(Unwanted));
        turns.add(NOISY, Box::new(Steps(2, 'n', told)));
        assert_eq!(steps.iter().collect::<String>(), "nn");
    }

    #[test]
    fn the_threads_end_with_what_started_them() {
        let turns = Turns::start(2).expect("there are threads");
        let shared = Arc::downgrade(&turns.shared);
        drop(turns);
        // Only the threads hold on to it, until they end.
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
