//! Installing Postgres through the package manager, as far as that needs no question.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use super::{Account, Binaries};
use crate::interrupt::{self, Interrupted};
use crate::process;
use crate::step::step;

/// A package manager that hangs on the network is given up.
const LIMIT: Duration = Duration::from_secs(900);

/// How a system installs its packages.
struct Manager {
    /// Its program, which tells that this is the system.
    program: &'static str,
    /// Brings old package lists up to date, where installing does not do that by itself.
    refresh: Option<&'static [&'static str]>,
    install: &'static [&'static str],
    as_root: bool,
}

const MANAGERS: [Manager; 4] = [
    Manager {
        program: "apt-get",
        refresh: Some(&["update"]),
        install: &["install", "-y", "--no-install-recommends", "postgresql"],
        as_root: true,
    },
    Manager { program: "dnf", refresh: None, install: &["install", "-y", "postgresql-server"], as_root: true },
    Manager {
        program: "pacman",
        refresh: None,
        install: &["-S", "--noconfirm", "--needed", "postgresql"],
        as_root: true,
    },
    Manager { program: "brew", refresh: None, install: &["install", "postgresql@17"], as_root: false },
];

impl Manager {
    fn line(&self) -> String {
        let sudo = if self.as_root && !geteuid().is_root() { "sudo " } else { "" };
        format!("{sudo}{} {}", self.program, self.install.join(" "))
    }

    /// Whether it installed Postgres. False also when that would need a question.
    fn install(&self) -> Result<bool> {
        if self.as_root && !geteuid().is_root() && !process::succeeds(Command::new("sudo").args(["-n", "true"])) {
            return Ok(false);
        }
        // The package lists of a fresh container are empty or old.
        Ok(self.call(self.install)?
            || match self.refresh {
                Some(refresh) => self.call(refresh)? && self.call(self.install)?,
                None => false,
            })
    }

    fn call(&self, arguments: &[&str]) -> Result<bool> {
        let mut command = if self.as_root && !geteuid().is_root() {
            let mut sudo = process::command("sudo");
            sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", self.program]);
            sudo
        } else {
            process::command(self.program)
        };
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
        match process::run(self.program, &mut command, LIMIT) {
            Ok(()) => Ok(true),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(error) => {
                eprintln!("    {error:#}");
                Ok(false)
            }
        }
    }
}

/// Postgres's programs, installed when there are none. The error names the command to run.
pub fn find_or_install() -> Result<Vec<Binaries>> {
    let found = Binaries::find(&Account::find()?);
    if !found.is_empty() {
        return Ok(found);
    }
    interrupt::check()?;
    let manager = MANAGERS.iter().find(|manager| in_path(manager.program));
    if let Some(manager) = manager {
        step(&format!("installing Postgres with {}", manager.program), || manager.install())?;
        // The package may have brought the account `postgres`.
        let found = Binaries::find(&Account::find()?);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let line = manager.map_or_else(|| "(the package manager of your system) postgresql".to_owned(), Manager::line);
    bail!(
        "no Postgres (15 or newer) was found in PATH, /usr/lib/postgresql or Homebrew. Install it with\n    {line}\n\
         or set DATABASE_URL to a server where databases may be created."
    )
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_up_in_path() {
        assert!(in_path("sh"));
        assert!(!in_path("hoopoe-no-such-program"));
    }
}
