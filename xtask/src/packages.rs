//! Installing programs through the system's package manager, as far as that needs no question.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use nix::unistd::geteuid;

use crate::interrupt::{self, Interrupted};
use crate::process;
use crate::step::step;

/// A package manager that hangs on the network is given up.
const LIMIT: Duration = Duration::from_secs(900);

/// What a program's package is called.
pub struct Package {
    /// For people.
    pub name: &'static str,
    /// Debian, Ubuntu.
    pub apt: &'static str,
    /// Fedora, RHEL.
    pub dnf: &'static str,
    /// Arch.
    pub pacman: &'static str,
    /// Homebrew.
    pub brew: &'static str,
}

/// How a system installs its packages.
struct Manager {
    /// Its program, which tells that this is the system.
    program: &'static str,
    /// Brings old package lists up to date, where installing does not do that by itself.
    refresh: Option<&'static [&'static str]>,
    /// What comes before the package.
    install: &'static [&'static str],
    package: fn(&Package) -> &'static str,
    as_root: bool,
}

const MANAGERS: [Manager; 4] = [
    Manager {
        program: "apt-get",
        refresh: Some(&["update"]),
        install: &["install", "-y", "--no-install-recommends"],
        package: |package| package.apt,
        as_root: true,
    },
    Manager {
        program: "dnf",
        refresh: None,
        install: &["install", "-y"],
        package: |package| package.dnf,
        as_root: true,
    },
    Manager {
        program: "pacman",
        refresh: None,
        install: &["-S", "--noconfirm", "--needed"],
        package: |package| package.pacman,
        as_root: true,
    },
    Manager { program: "brew", refresh: None, install: &["install"], package: |package| package.brew, as_root: false },
];

/// Install it; that it is there afterwards is for the caller to see. Nothing happens when there is no manager, or when
/// it would ask something.
pub fn install(package: &Package) -> Result<()> {
    interrupt::check()?;
    match manager() {
        Some(manager) => {
            step(&format!("installing {} with {}", package.name, manager.program), || manager.install(package))
        }
        None => Ok(()),
    }
}

/// The command to install it.
pub fn advice(package: &Package) -> String {
    match manager() {
        Some(manager) => manager.line(package),
        None => format!("(the package manager of your system) {}", package.apt),
    }
}

/// Where PATH leads to.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|program| program.is_file())
}

fn manager() -> Option<&'static Manager> {
    MANAGERS.iter().find(|manager| in_path(manager.program).is_some())
}

impl Manager {
    fn arguments(&self, package: &Package) -> Vec<&'static str> {
        self.install.iter().copied().chain([(self.package)(package)]).collect()
    }

    fn line(&self, package: &Package) -> String {
        let sudo = if self.as_root && !geteuid().is_root() { "sudo " } else { "" };
        format!("{sudo}{} {}", self.program, self.arguments(package).join(" "))
    }

    fn install(&self, package: &Package) -> Result<()> {
        if self.as_root && !geteuid().is_root() && !process::succeeds(Command::new("sudo").args(["-n", "true"])) {
            eprintln!("    that would ask for a password");
            return Ok(());
        }
        // The package lists of a fresh container are empty or old.
        if !self.call(&self.arguments(package))?
            && let Some(refresh) = self.refresh
            && self.call(refresh)?
        {
            self.call(&self.arguments(package))?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_up_in_path() {
        assert!(in_path("sh").is_some());
        assert!(in_path("hoopoe-no-such-program").is_none());
    }

    #[test]
    fn the_package_stands_at_the_end_of_the_line() {
        let package = Package { name: "It", apt: "a", dnf: "d", pacman: "p", brew: "b" };
        let lines: Vec<String> = MANAGERS.iter().map(|manager| manager.line(&package)).collect();
        for (line, end) in lines.iter().zip([" a", " d", " p", " b"]) {
            assert!(line.ends_with(end), "{line}");
        }
    }
}
