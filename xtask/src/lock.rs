//! Locks that tell whether the xtask that took them still lives.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

/// A lock that ends with this process, however that ends.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Take the lock, once its holder gives it back.
    pub fn wait(path: &Path) -> Result<Self> {
        let file = open(path)?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _file: file })
    }

    /// Take the lock, or `None` when a living process has it.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let options = File::options().create(true).truncate(false).write(true).open(path);
    options.with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once() {
        let path = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let held = Lock::take(&path).expect("a lock file");
        assert!(held.is_some());
        assert!(Lock::take(&path).expect("a lock file").is_none());
        drop(held);
        assert!(Lock::take(&path).expect("a lock file").is_some());
        std::fs::remove_file(path).expect("removed");
    }
}
