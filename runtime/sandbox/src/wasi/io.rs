//! `wasi:io`: an input that is at its end, outputs that always have room, and waiting that takes no time.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

use super::{Nothing, Wasi, charge};
use crate::contract::Level;
use crate::guest::Guest;

/// Standard input: there is no other.
pub(super) struct InputStream;
/// Standard output or error.
pub(super) struct OutputStream;
/// Something to wait for.
pub(super) struct Pollable;

/// The representations of output streams.
pub(super) const OUTPUT: u32 = 1;
pub(super) const ERROR: u32 = 2;

/// What an output takes at once, in bytes; more is an error of the guest.
const ROOM: u64 = 64 << 10;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "the type has it, and nothing here fails")]
    Failed(Resource<Nothing>),
    #[component(name = "closed")]
    Closed,
}

type Streamed<T> = (std::result::Result<T, StreamError>,);

/// The instants that a guest waits for; as many as it has handles, which are limited.
#[derive(Default)]
pub(super) struct Pollables {
    slots: Vec<u64>,
    free: Vec<u32>,
}

impl Pollables {
    /// Something that is ready at this instant of the monotonic clock.
    pub(super) fn add(&mut self, instant: u64) -> Resource<Pollable> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(0);
            // Far fewer than 2^32: handles are limited.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[place as usize] = instant;
        Resource::new_own(place)
    }

    fn instant(&self, pollable: u32) -> u64 {
        self.slots.get(pollable as usize).copied().unwrap_or(0)
    }
}

impl Wasi {
    /// Places of those that are ready. When none is, the guest sleeps until the first of them.
    fn poll(&mut self, waited_for: &[u32]) -> Vec<u32> {
        let instants: Vec<u64> = waited_for.iter().map(|pollable| self.pollables.instant(*pollable)).collect();
        if let Some(first) = instants.iter().min() {
            self.sleep_until(*first);
        }
        let now = self.instant();
        (0..).zip(instants).filter(|(_, instant)| *instant <= now).map(|(place, _)| place).collect()
    }
}

pub(super) fn poll(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.resource("pollable", ResourceType::host::<Pollable>(), |mut store, place| {
        store.data_mut().wasi.pollables.free.push(place);
        Ok(())
    })?;
    to.func_wrap("[method]pollable.ready", |store, (pollable,): (Resource<Pollable>,)| {
        let wasi = &store.data().wasi;
        Ok((wasi.pollables.instant(pollable.rep()) <= wasi.instant(),))
    })?;
    to.func_wrap("[method]pollable.block", |mut store, (pollable,): (Resource<Pollable>,)| {
        charge(&mut store, 0)?;
        store.data_mut().wasi.poll(&[pollable.rep()]);
        Ok(())
    })?;
    to.func_wrap("poll", |mut store, (waited_for,): (Vec<Resource<Pollable>>,)| {
        if waited_for.is_empty() {
            wasmtime::bail!("it polls nothing, which would never end");
        }
        charge(&mut store, waited_for.len())?;
        let places: Vec<u32> = waited_for.iter().map(Resource::rep).collect();
        Ok((store.data_mut().wasi.poll(&places),))
    })
}

pub(super) fn streams(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.resource("input-stream", ResourceType::host::<InputStream>(), |_, _| Ok(()))?;
    to.resource("output-stream", ResourceType::host::<OutputStream>(), |_, _| Ok(()))?;
    input(to)?;
    output(to)
}

fn input(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    for name in ["read", "blocking-read"] {
        let name = format!("[method]input-stream.{name}");
        to.func_wrap(&name, |_, _: (Resource<InputStream>, u64)| {
            Ok::<Streamed<Vec<u8>>, _>((Err(StreamError::Closed),))
        })?;
    }
    for name in ["skip", "blocking-skip"] {
        let name = format!("[method]input-stream.{name}");
        to.func_wrap(&name, |_, _: (Resource<InputStream>, u64)| Ok::<Streamed<u64>, _>((Err(StreamError::Closed),)))?;
    }
    to.func_wrap("[method]input-stream.subscribe", |mut store, _: (Resource<InputStream>,)| {
        Ok((store.data_mut().wasi.pollables.add(0),))
    })
}

fn output(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("[method]output-stream.check-write", |_, _: (Resource<OutputStream>,)| {
        Ok::<Streamed<u64>, _>((Ok(ROOM),))
    })?;
    for name in ["write", "blocking-write-and-flush"] {
        let name = format!("[method]output-stream.{name}");
        to.func_wrap(&name, |mut store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
            print(&mut store, &stream, &bytes)
        })?;
    }
    for name in ["flush", "blocking-flush"] {
        let name = format!("[method]output-stream.{name}");
        to.func_wrap(&name, |_, _: (Resource<OutputStream>,)| Ok::<Streamed<()>, _>((Ok(()),)))?;
    }
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        let name = format!("[method]output-stream.{name}");
        to.func_wrap(&name, |mut store, (stream, len): (Resource<OutputStream>, u64)| {
            // One more than fits is refused below.
            let bytes = vec![0; usize::try_from(len.min(ROOM + 1)).unwrap_or(0)];
            print(&mut store, &stream, &bytes)
        })?;
    }
    for name in ["splice", "blocking-splice"] {
        let name = format!("[method]output-stream.{name}");
        to.func_wrap(&name, |_, _: (Resource<OutputStream>, Resource<InputStream>, u64)| {
            Ok::<Streamed<u64>, _>((Err(StreamError::Closed),))
        })?;
    }
    to.func_wrap("[method]output-stream.subscribe", |mut store, _: (Resource<OutputStream>,)| {
        Ok((store.data_mut().wasi.pollables.add(0),))
    })
}

fn print(
    store: &mut StoreContextMut<'_, Guest>,
    stream: &Resource<OutputStream>,
    bytes: &[u8],
) -> Result<Streamed<()>> {
    if bytes.len() as u64 > ROOM {
        wasmtime::bail!("it writes {} bytes at once to a stream that takes {ROOM}", bytes.len());
    }
    charge(store, bytes.len())?;
    let level = if stream.rep() == OUTPUT { Level::Info } else { Level::Warn };
    store.data_mut().print(level, bytes);
    Ok((Ok(()),))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::Moment;

    #[test]
    fn who_waits_sleeps_until_the_first_is_ready() {
        let mut wasi = Wasi::new(Moment::default());
        let places: Vec<u32> = [300, 100, 100].map(|instant| wasi.pollables.add(instant).rep()).to_vec();
        assert_eq!(wasi.poll(&places), [1, 2]);
        assert_eq!(wasi.instant(), 100);
        assert_eq!(wasi.poll(&places[..1]), [0]);
        assert_eq!(wasi.instant(), 300);
    }
}
