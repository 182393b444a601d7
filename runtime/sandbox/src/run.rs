//! One run of a plugin: the way in, the limits on the way, and what is kept of it.

use std::time::{Duration, Instant};

use tokio::sync::SemaphorePermit;
use wasmtime::{Store, UpdateDeadline};

use crate::contract::Outcome;
use crate::failure::{DeadlinePassed, classify};
use crate::guest::{Guest, LogLine, Moment};
use crate::sandbox::Core;
use crate::ticker::{Running, TICK};
use crate::{Failure, Limits};

/// What came of one run, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Run<T = Outcome> {
    /// The outcome, or why there is none.
    pub result: Result<T, Failure>,
    /// Fuel that was used; the same for the same input.
    pub fuel: u64,
    /// From the start of the instance to its end, other runs' turns included.
    pub elapsed: Duration,
    /// Most linear memory at once, in bytes.
    pub memory_bytes: usize,
    /// What the plugin logged, also when it failed.
    pub logs: Vec<LogLine>,
    /// Something was logged that is not in `logs`, or not whole.
    pub logs_cut: bool,
}

impl<T> Run<T> {
    /// A run that did not begin.
    pub(crate) fn without_start(failure: Failure) -> Self {
        let (fuel, elapsed, memory_bytes) = (0, Duration::ZERO, 0);
        Run { result: Err(failure), fuel, elapsed, memory_bytes, logs: Vec::new(), logs_cut: false }
    }

    /// Judge the result further.
    pub(crate) fn and_then<U>(self, judge: impl FnOnce(T) -> Result<U, Failure>) -> Run<U> {
        let Run { result, fuel, elapsed, memory_bytes, logs, logs_cut } = self;
        Run { result: result.and_then(judge), fuel, elapsed, memory_bytes, logs, logs_cut }
    }
}

/// A run that has begun.
pub(crate) struct Started<'a> {
    pub(crate) store: Store<Guest>,
    limits: &'a Limits,
    at: Instant,
    _running: Running<'a>,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Started<'a> {
    /// Wait for an instance, and set up the limits. A guest that asks for time or chance gets them from `moment`.
    pub(crate) async fn enter(core: &'a Core, moment: Moment) -> Result<Started<'a>, Failure> {
        let permit = match core.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(core.settings.wait, core.permits.acquire()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(Failure::Busy),
            },
        };
        let limits = &core.settings.limits;
        let at = Instant::now();
        let store = store(core, limits, moment).map_err(|error| Failure::Internal(format!("{error:#}")))?;
        Ok(Started { store, limits, at, _running: core.ticker.run(), _permit: permit })
    }

    /// Take what is left of the guest.
    pub(crate) fn leave<T>(self, result: wasmtime::Result<T>) -> Run<T> {
        // The field exists for every store of an engine that counts fuel.
        let fuel = self.limits.fuel - self.store.get_fuel().unwrap_or(0);
        let mut guest = self.store.into_data();
        guest.end_lines();
        Run {
            result: result.map_err(|error| classify(&error, &mut guest, self.limits)),
            fuel,
            elapsed: self.at.elapsed(),
            memory_bytes: guest.peak,
            logs: guest.logs,
            logs_cut: guest.logs_cut,
        }
    }
}

fn store(core: &Core, limits: &Limits, moment: Moment) -> wasmtime::Result<Store<Guest>> {
    let mut store = Store::try_new(&core.engine, Guest::new(limits.clone(), moment))?;
    store.limiter(|guest| guest);
    store.set_fuel(limits.fuel)?;
    // What the host copies out of the guest at once, counted by wasmtime before it allocates.
    store.set_hostcall_fuel(limits.output_bytes);
    store.set_max_component_handles(limits.handles);
    let allowed = limits.deadline.as_nanos().div_ceil(TICK.as_nanos());
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store| {
        let guest = store.data_mut();
        guest.ticks += 1;
        if u128::from(guest.ticks) >= allowed {
            return Err(DeadlinePassed.into());
        }
        // tokio's own yield lets timers and sockets be served too, before the guest goes on.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    Ok(store)
}
