//! One run of a plugin: the way in, the limits on the way, and what is kept of it.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::InUse;
use wasmtime::{Store, UpdateDeadline};

use crate::contract::Outcome;
use crate::failure::{DeadlinePassed, classify};
use crate::guest::{Guest, LogLine, Moment};
use crate::sandbox::Core;
use crate::ticker::TICK;
use crate::{Failure, Owner, turns};

/// Ticks of a run on its caller's thread: the first comes at any moment, the second a whole one later. So what takes
/// less than a tick is never long.
const SHORT: u64 = 2;
/// Ticks of a turn.
const TURN: u64 = 1;

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

/// Run a plugin: here if it is short, and in turns with other long runs when it is not.
///
/// `call` is called once more when a run has become long and has to wait for a place: it is ended, and begun again
/// when there is one. That changes nothing but the time, since a run depends on its input alone.
pub(crate) async fn run<T, F>(core: &Arc<Core>, owner: Owner, moment: Moment, call: impl Fn(Started) -> F) -> Run<T>
where
    T: Send + 'static,
    F: Future<Output = Run<T>> + Send + 'static,
{
    let ran = async {
        // An owner with a long run is likely to make one more.
        if !core.places.are_used_by(owner) {
            let mut begun = Box::pin(call(Started::enter(core, moment, SHORT).await?));
            if let Poll::Ready(run) = turns::turn(begun.as_mut()) {
                return Ok(run);
            }
            if let Some(place) = core.places.try_take(owner) {
                return Ok(core.turns.finish(owner, place, begun).await);
            }
        }
        let place = core.or_busy(core.places.take(owner)).await?;
        let begun = Box::pin(call(Started::enter(core, moment, TURN).await?));
        Ok(core.turns.finish(owner, place, begun).await)
    };
    ran.await.unwrap_or_else(Run::without_start)
}

impl Core {
    async fn or_busy<T>(&self, wait: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::time::timeout(self.settings.wait, wait).await.map_err(|_| Failure::Busy)
    }
}

/// A run that has an instance.
pub(crate) struct Started {
    pub(crate) store: Store<Guest>,
    at: Instant,
    // After the store: first the instance is free, then somebody else is let in.
    entry: Entry,
}

/// What a run takes from others until it ends.
struct Entry {
    core: Arc<Core>,
    _in_use: InUse,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.core.ticker.ended();
        self.core.permits.add_permits(1);
    }
}

impl Started {
    /// Wait for an instance, and set up the limits. A guest that asks for time or chance gets them from `moment`. Its
    /// first turn ends at the tick of this number.
    async fn enter(core: &Arc<Core>, moment: Moment, ticks: u64) -> Result<Started, Failure> {
        let permit = match core.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => core.or_busy(core.permits.acquire()).await?.map_err(|_| Failure::Busy)?,
        };
        permit.forget();
        core.ticker.started();
        let entry = Entry { core: Arc::clone(core), _in_use: InUse::of(&metrics().sandbox_instances) };
        let at = Instant::now();
        let store = store(core, moment, ticks).map_err(|error| Failure::Internal(format!("{error:#}")))?;
        Ok(Started { store, at, entry })
    }

    /// Take what is left of the guest.
    pub(crate) fn leave<T>(self, result: wasmtime::Result<T>) -> Run<T> {
        let limits = &self.entry.core.settings.limits;
        // The field exists for every store of an engine that counts fuel.
        let fuel = limits.fuel - self.store.get_fuel().unwrap_or(0);
        let mut guest = self.store.into_data();
        guest.end_lines();
        Run {
            result: result.map_err(|error| classify(&error, &mut guest, limits)),
            fuel,
            elapsed: self.at.elapsed(),
            memory_bytes: guest.peak,
            logs: guest.logs,
            logs_cut: guest.logs_cut,
        }
    }
}

fn store(core: &Core, moment: Moment, ticks: u64) -> wasmtime::Result<Store<Guest>> {
    let limits = &core.settings.limits;
    let mut store = Store::try_new(&core.engine, Guest::new(limits.clone(), moment))?;
    store.limiter(|guest| guest);
    store.set_fuel(limits.fuel)?;
    // What the host copies out of the guest at once, counted by wasmtime before it allocates.
    store.set_hostcall_fuel(limits.output_bytes);
    store.set_max_component_handles(limits.handles);
    let deadline = limits.deadline;
    store.set_epoch_deadline(ticks);
    store.epoch_deadline_callback(move |mut store| {
        let guest = store.data_mut();
        // On its caller's thread it has used a tick, and perhaps the beginning of another.
        guest.used += turns::used().unwrap_or(TICK);
        if guest.used >= deadline { Err(DeadlinePassed.into()) } else { Ok(UpdateDeadline::Yield(TURN)) }
    });
    Ok(store)
}
