//! Advances the engine's epoch while guests run, and sleeps without a wake-up while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// How long a guest computes before others get a turn.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Ticks without a new run before the thread sleeps. Under a steady load of short runs it stays awake, which is
/// cheaper than to be woken by each of them.
const IDLE_TICKS: u32 = 2;

/// The thread that ticks. It ends when this is dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    /// Guests that run now.
    running: AtomicUsize,
    /// Guests that ever ran.
    started: AtomicU64,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let handle = thread::Builder::new().name("hoopoe-ticker".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.tick(|| engine.increment_epoch())
        })?;
        Ok(Ticker { shared, thread: handle.thread().clone() })
    }

    /// A guest starts to run: tick until it has [ended](Ticker::ended).
    pub(crate) fn started(&self) {
        self.shared.running.fetch_add(1, SeqCst);
        self.shared.started.fetch_add(1, SeqCst);
        // The ticker says that it is asleep before it looks for runs, and we count ours before we look whether it
        // is: one of us sees the other.
        if self.shared.asleep.load(SeqCst) && self.shared.asleep.swap(false, SeqCst) {
            self.thread.unpark();
        }
    }

    /// A guest that has started is gone.
    pub(crate) fn ended(&self) {
        self.shared.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn tick(&self, increment: impl Fn()) {
        let (mut seen, mut idle) = (0, 0);
        while !self.stopped.load(SeqCst) {
            if idle == IDLE_TICKS {
                self.sleep(seen);
                idle = 0;
            }
            thread::sleep(TICK);
            increment();
            let started = self.started.load(SeqCst);
            idle = if started == seen && self.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
            seen = started;
        }
    }

    /// Sleep until a run starts that is not among the `seen`.
    fn sleep(&self, seen: u64) {
        self.asleep.store(true, SeqCst);
        while self.started.load(SeqCst) == seen && self.asleep.load(SeqCst) && !self.stopped.load(SeqCst) {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}
