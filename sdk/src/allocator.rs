//! Memory of a plugin: first what is there from the start, then what has to be asked for.
//!
//! An instance handles one event, and most events need some kilobytes. To ask for more memory costs the host two
//! system calls and page faults in every run. So what fits comes from a part of the initial memory, one piece behind
//! the other. Of what is given back only the last piece is used again; a plugin
//! that needs much soon leaves this part behind, and goes on with the standard library's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Bytes of the initial memory. What is not touched costs nothing.
#[cfg(target_arch = "wasm32")]
const BYTES: usize = 64 << 10;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Arena<BYTES> = Arena::new();

/// Gives out its own bytes first.
#[repr(C, align(16))]
struct Arena<const BYTES: usize> {
    memory: UnsafeCell<[u8; BYTES]>,
    /// Bytes that are given out, from the beginning.
    used: Cell<usize>,
}

/// What the beginning of an arena is aligned to.
const ALIGN: usize = 16;

// SAFETY: a plugin has one thread; a component without threads can have no other.
#[cfg(target_arch = "wasm32")]
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

impl<const BYTES: usize> Arena<BYTES> {
    const fn new() -> Self {
        Arena { memory: UnsafeCell::new([0; BYTES]), used: Cell::new(0) }
    }

    fn start(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    /// Where a block of the arena lies in it.
    fn place(&self, block: *mut u8) -> Option<usize> {
        let place = block.addr().checked_sub(self.start().addr())?;
        (place < BYTES).then_some(place)
    }

    /// The end of a block at this place, when it fits.
    fn end(place: usize, size: usize) -> Option<usize> {
        place.checked_add(size).filter(|end| *end <= BYTES)
    }

    /// A place for a block, and its end, when it fits. A block without bytes would have no place of its own.
    fn find(&self, layout: Layout) -> Option<(usize, usize)> {
        if layout.align() > ALIGN || layout.size() == 0 {
            return None;
        }
        let place = self.used.get().next_multiple_of(layout.align());
        Some((place, Self::end(place, layout.size())?))
    }

    fn is_last(&self, place: usize, layout: Layout) -> bool {
        place + layout.size() == self.used.get()
    }
}

// SAFETY: blocks of the arena lie behind `used` when they are given out, aligned as asked, and `used` then lies behind
// them until the last of them is given back: they do not overlap. All others are the system's, in whose hands their
// layouts come back unchanged. Nothing here panics.
unsafe impl<const BYTES: usize> GlobalAlloc for Arena<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.find(layout) {
            Some((place, end)) => {
                self.used.set(end);
                // SAFETY: `place` is within the arena.
                unsafe { self.start().add(place) }
            }
            // SAFETY: as the caller promises.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.place(block) {
            Some(place) if self.is_last(place, layout) => self.used.set(place),
            Some(_) => {}
            // SAFETY: it is the system's.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.find(layout).is_none() {
            // SAFETY: as the caller promises. Fresh memory of the system is zero without being written.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as the caller promises; the block has as many bytes.
        unsafe {
            let block = self.alloc(layout);
            block.write_bytes(0, layout.size());
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(block) else {
            // SAFETY: it is the system's.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.is_last(place, layout)
            && let Some(end) = Self::end(place, size)
        {
            self.used.set(end);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises that the size fits with the alignment, and that the block has the layout.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size());
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that is filled with its number.
    struct Block {
        at: *mut u8,
        layout: Layout,
        number: u8,
    }

    impl Block {
        fn check(&self) {
            assert_eq!(self.at.addr() % self.layout.align(), 0);
            // SAFETY: the block has so many bytes, and they were written.
            let bytes = unsafe { std::slice::from_raw_parts(self.at, self.layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == self.number), "block {} was written by another", self.number);
        }
    }

    fn layout_of(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("it is a layout")
    }

    /// Pseudo-random numbers, the same every time.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }
    }

    #[test]
    fn blocks_keep_what_was_written_whatever_comes_and_goes() {
        for seed in 0..50 {
            let (arena, mut numbers, mut blocks) = (Arena::<2048>::new(), Numbers(seed), Vec::<Block>::new());
            for number in 0..200 {
                let choice = if blocks.is_empty() { 0 } else { numbers.below(5) };
                let size = 1 + numbers.below(300);
                match choice {
                    0 | 1 => {
                        let layout = layout_of(size, 1 << numbers.below(7));
                        // SAFETY: the layout has bytes; those of the block are written.
                        let at = unsafe {
                            let at = if choice == 0 { arena.alloc(layout) } else { arena.alloc_zeroed(layout) };
                            assert!(choice == 0 || std::slice::from_raw_parts(at, size).iter().all(|byte| *byte == 0));
                            at.write_bytes(number, size);
                            at
                        };
                        blocks.push(Block { at, layout, number });
                    }
                    2 => {
                        let block = blocks.pop().expect("there are some");
                        block.check();
                        // SAFETY: the block has this layout.
                        unsafe { arena.dealloc(block.at, block.layout) };
                    }
                    3 => {
                        let block = blocks.swap_remove(numbers.below(blocks.len()));
                        block.check();
                        // SAFETY: the block has this layout.
                        unsafe { arena.dealloc(block.at, block.layout) };
                    }
                    _ => {
                        let block = numbers.below(blocks.len());
                        let block = &mut blocks[block];
                        let layout = layout_of(size, block.layout.align());
                        // SAFETY: the block has this layout; what is kept is as it was, what is new is written.
                        unsafe {
                            block.at = arena.realloc(block.at, block.layout, size);
                            let kept = block.layout.size().min(size);
                            Block { at: block.at, layout: layout_of(kept, 1), ..*block }.check();
                            block.at.write_bytes(block.number, size);
                        }
                        block.layout = layout;
                    }
                }
                blocks.iter().for_each(Block::check);
            }
            // SAFETY: the blocks have these layouts.
            blocks.iter().for_each(|block| unsafe { arena.dealloc(block.at, block.layout) });
        }
    }

    #[test]
    fn small_blocks_lie_in_the_arena_and_the_last_one_grows_in_place() {
        let arena = Arena::<256>::new();
        let layout = layout_of(100, 8);
        // SAFETY: layouts have bytes, and blocks come back with theirs.
        unsafe {
            let first = arena.alloc(layout);
            assert_eq!(arena.place(first), Some(0));
            assert_eq!(arena.realloc(first, layout, 200), first);
            let other = arena.alloc(layout);
            assert_eq!(arena.place(other), None, "it does not fit");
            arena.dealloc(other, layout);
            arena.dealloc(first, layout_of(200, 8));
            assert_eq!(arena.used.get(), 0);
            let aligned = layout_of(8, 64);
            let block = arena.alloc(aligned);
            assert_eq!((arena.place(block), block.addr() % 64), (None, 0));
            arena.dealloc(block, aligned);
        }
    }
}
