//! Who runs Postgres: its programs refuse to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::{User, geteuid};

/// Accounts that root starts Postgres as, best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// The user that Postgres runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The user that runs xtask.
    Own,
    /// xtask runs as root: an account without its rights.
    Other {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

impl Account {
    /// The user that runs xtask; for root the account `postgres`, else `nobody`.
    pub fn find() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Own);
        }
        for name in NAMES {
            if let Some(user) = User::from_name(name).with_context(|| format!("cannot look up the user {name}"))? {
                return Ok(Self::Other { uid: user.uid.as_raw(), gid: user.gid.as_raw() });
            }
        }
        bail!("Postgres does not run as root, and there is neither a user `postgres` nor `nobody` to run it as")
    }

    /// Run the command as this account, without root's groups, in a folder that it may enter.
    pub fn take_on<'a>(&self, command: &'a mut Command, dir: &Path) -> &'a mut Command {
        command.current_dir(dir);
        if let Self::Other { uid, gid } = self {
            command.uid(*uid).gid(*gid).env("HOME", dir);
        }
        command
    }

    /// Make the file or folder this account's.
    pub fn own(&self, path: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot hand {} to Postgres's user", path.display())),
        }
    }
}
