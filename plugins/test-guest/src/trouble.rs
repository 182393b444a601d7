//! Using up what a plugin gets, for tests of the limits.

use std::hint::black_box;

/// Never comes back.
pub(crate) fn run_for_ever() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Work in proportion to `rounds`.
pub(crate) fn burn(rounds: u32) -> u32 {
    (0..rounds).fold(1, |hash, n| black_box(hash ^ n).wrapping_mul(0x0100_0193))
}

/// Calls itself without end; the sum after the call keeps it from becoming a loop.
#[allow(unconditional_recursion)]
pub(crate) fn recurse(n: u64) -> u64 {
    black_box(n) + recurse(black_box(n) + 1)
}

/// Allocates until there is no more.
pub(crate) fn fill_memory() -> ! {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; 1 << 20]));
    }
}
