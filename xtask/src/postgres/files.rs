//! Where clusters lie on disk.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Account;
use crate::workspace;

/// The folder of this checkout's clusters: `.hoopoe` in it, or for root a folder that Postgres's user can enter,
/// which a checkout below /root is not.
pub fn home(account: &Account) -> Result<PathBuf> {
    let home = match account {
        Account::Own => workspace::state_dir()?,
        Account::Other { .. } => Path::new("/var/lib/hoopoe").join(distinct_name(workspace::root())),
    };
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    Ok(home)
}

/// A file name for a path: its last part for people, and a hash (FNV-1a) that sets it apart.
fn distinct_name(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{name}-{hash:016x}")
}

/// A folder that only the account can enter.
pub fn create_private(dir: &Path, account: &Account) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot create {}", dir.display()))?;
    account.own(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_checkouts_apart_and_stay_the_same() {
        assert_eq!(distinct_name(Path::new("/a/hoopoe")), distinct_name(Path::new("/a/hoopoe")));
        assert_ne!(distinct_name(Path::new("/a/hoopoe")), distinct_name(Path::new("/b/hoopoe")));
        assert_eq!(distinct_name(Path::new("")), "-cbf29ce484222325");
    }
}
