//! Compiled plugins in memory.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use tokio::sync::OnceCell;

use crate::loaded::Loaded;
use crate::{Digest, Settings};

/// A plugin that is or will be compiled. Who asks meanwhile waits for the same result.
pub(crate) type Cell = Arc<OnceCell<Loaded>>;

/// The plugins that are kept, bounded by number and by bytes of code; the least recently asked for goes first. A
/// plugin that somebody holds stays usable.
pub(crate) struct Memory {
    plugins: LruCache<Digest, Kept>,
    /// Of all that is counted.
    bytes: usize,
    most: usize,
}

struct Kept {
    cell: Cell,
    /// Bytes of code, once it is known.
    counted: usize,
}

impl Memory {
    pub(crate) fn new(settings: &Settings) -> Self {
        let count = NonZeroUsize::new(settings.cached_plugins).unwrap_or(NonZeroUsize::MIN);
        Memory { plugins: LruCache::new(count), bytes: 0, most: settings.cached_bytes }
    }

    /// The place of a plugin, made when there is none.
    pub(crate) fn cell(&mut self, digest: Digest) -> Cell {
        if let Some(kept) = self.plugins.get(&digest) {
            return Arc::clone(&kept.cell);
        }
        let cell = Cell::default();
        let kept = Kept { cell: Arc::clone(&cell), counted: 0 };
        if let Some((_, gone)) = self.plugins.push(digest, kept) {
            self.bytes -= gone.counted;
        }
        cell
    }

    /// A plugin is loaded: count it, and let others go when it is too much. The newest stays, however large.
    pub(crate) fn loaded(&mut self, digest: &Digest, cell: &Cell) {
        let code = cell.get().map_or(0, Loaded::code_bytes);
        match self.plugins.peek_mut(digest) {
            Some(kept) if Arc::ptr_eq(&kept.cell, cell) && kept.counted == 0 => kept.counted = code,
            _ => return,
        }
        self.bytes += code;
        self.plugins.promote(digest);
        while self.bytes > self.most && self.plugins.len() > 1 {
            let Some((_, gone)) = self.plugins.pop_lru() else { return };
            self.bytes -= gone.counted;
        }
    }

    /// Keep nothing of what could not be loaded, unless somebody else has loaded it meanwhile.
    pub(crate) fn failed(&mut self, digest: &Digest, cell: &Cell) {
        if !cell.initialized() && self.plugins.peek(digest).is_some_and(|kept| Arc::ptr_eq(&kept.cell, cell)) {
            self.plugins.pop(digest);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.plugins.len()
    }
}
