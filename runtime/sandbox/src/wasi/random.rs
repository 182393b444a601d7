//! `wasi:random`: numbers from the event's seed.

use wasmtime::Result;
use wasmtime::component::LinkerInstance;

use super::charge;
use crate::guest::Guest;

/// Bytes that a guest may ask for at once.
const MOST: u64 = 64 << 10;

/// SplitMix64: the same numbers for the same seed in every version of Hoopoe, which a replay needs.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
}

pub(super) fn random(to: &mut LinkerInstance<'_, Guest>, bytes: &str, number: &str) -> Result<()> {
    to.func_wrap(bytes, |mut store, (count,): (u64,)| {
        if count > MOST {
            wasmtime::bail!("it wants {count} random bytes at once; {MOST} are allowed");
        }
        // At most 64 KiB.
        let count = usize::try_from(count).unwrap_or(0);
        charge(&mut store, count)?;
        Ok((store.data_mut().wasi.random.bytes(count),))
    })?;
    to.func_wrap(number, |mut store, (): ()| Ok((store.data_mut().wasi.random.next(),)))
}

pub(super) fn seed(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("insecure-seed", |mut store, (): ()| {
        let random = &mut store.data_mut().wasi.random;
        Ok(((random.next(), random.next()),))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_split_mix_64() {
        // The first of the reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
        let mut random = Random::new(1_234_567);
        let bytes = random.bytes(9);
        assert_eq!(bytes.len(), 9);
        assert_eq!(bytes[..8], 6_457_827_717_110_365_317_u64.to_le_bytes());
    }
}
