//! Installing Postgres.

use anyhow::{Result, bail};

use super::{Account, Binaries};
use crate::packages::{self, Package};

const POSTGRES: Package = Package {
    name: "Postgres",
    apt: "postgresql",
    dnf: "postgresql-server",
    pacman: "postgresql",
    brew: "postgresql@17",
};

/// Postgres's programs, installed when there are none. The error names the command to run.
pub fn find_or_install() -> Result<Vec<Binaries>> {
    let found = Binaries::find(&Account::find()?);
    if !found.is_empty() {
        return Ok(found);
    }
    packages::install(&POSTGRES)?;
    // The package may have brought the account `postgres`.
    let found = Binaries::find(&Account::find()?);
    if !found.is_empty() {
        return Ok(found);
    }
    bail!(
        "no Postgres (15 or newer) was found in PATH, /usr/lib/postgresql or Homebrew. Install it with\n    {}\n\
         or set DATABASE_URL to a server where databases may be created.",
        packages::advice(&POSTGRES)
    )
}
