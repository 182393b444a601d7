//! `wasi:clocks`: the event's moment.

use wasmtime::Result;
use wasmtime::component::{ComponentType, LinkerInstance, Lower};

use super::Wasi;
use crate::guest::Guest;

const NANOS_PER_MILLI: u64 = 1_000_000;

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl Wasi {
    /// The monotonic clock, in nanoseconds.
    pub(super) fn instant(&self) -> u64 {
        self.moment.now.saturating_mul(NANOS_PER_MILLI).saturating_add(self.slept)
    }

    /// Sleep until this instant, which takes no time.
    pub(super) fn sleep_until(&mut self, instant: u64) {
        self.slept += instant.saturating_sub(self.instant());
    }
}

pub(super) fn monotonic(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("now", |store, (): ()| Ok((store.data().wasi.instant(),)))?;
    to.func_wrap("resolution", |_, (): ()| Ok((NANOS_PER_MILLI,)))?;
    to.func_wrap("subscribe-instant", |mut store, (when,): (u64,)| Ok((store.data_mut().wasi.pollables.add(when),)))?;
    to.func_wrap("subscribe-duration", |mut store, (duration,): (u64,)| {
        let wasi = &mut store.data_mut().wasi;
        let when = wasi.instant().saturating_add(duration);
        Ok((wasi.pollables.add(when),))
    })
}

pub(super) fn wall(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("now", |store, (): ()| {
        let now = store.data().wasi.moment.now;
        // Below 1,000 milliseconds in nanoseconds.
        let nanoseconds = u32::try_from(now % 1000 * NANOS_PER_MILLI).unwrap_or(0);
        Ok((Datetime { seconds: now / 1000, nanoseconds },))
    })?;
    to.func_wrap("resolution", |_, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::Moment;

    #[test]
    fn the_monotonic_clock_advances_by_sleep_only() {
        let mut wasi = Wasi::new(Moment { now: 5, seed: 0 });
        assert_eq!(wasi.instant(), 5_000_000);
        wasi.sleep_until(7_000_001);
        wasi.sleep_until(6_000_000);
        assert_eq!(wasi.instant(), 7_000_001);
        wasi.sleep_until(u64::MAX);
        wasi.sleep_until(u64::MAX);
        assert_eq!(wasi.instant(), u64::MAX);
    }
}
