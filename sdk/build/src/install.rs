//! Installing a compiler for the Wasm target, as far as that needs no question.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::{clean, succeeds_within};
use crate::{Missing, TARGET, Toolchain};

/// Debian's compiler with the sources of its standard library.
pub(crate) const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A download through rustup takes seconds; where the network swallows packets it would take for ever.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);
const APT_LIMIT: Duration = Duration::from_secs(900);

/// Find a compiler, or install one: through rustup, else through apt when that is possible without a question
/// (as root, or with a `sudo` that asks nothing). Shows the installers' output.
pub fn install() -> Result<Toolchain, Missing> {
    let mut missing = match Toolchain::detect() {
        Ok(toolchain) => return Ok(toolchain),
        Err(missing) => missing,
    };
    for (name, attempt) in [("rustup", rustup as fn() -> bool), ("apt-get", apt)] {
        if attempt() {
            match Toolchain::detect() {
                Ok(toolchain) => return Ok(toolchain),
                Err(still) => missing = still,
            }
        }
        missing.tried.push(format!("{name} could not install it"));
    }
    Err(missing)
}

fn rustup() -> bool {
    let mut command = clean(Path::new("rustup"));
    command.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "0");
    succeeds_within(&mut command, RUSTUP_LIMIT)
}

fn apt() -> bool {
    if !Path::new("/usr/bin/apt-get").is_file() {
        return false;
    }
    let Some(prefix) = privilege() else { return false };
    let apt = |arguments: &[&str]| {
        let mut words = prefix.iter().chain(&["/usr/bin/apt-get"]);
        let mut command = Command::new(words.next().copied().unwrap_or_default());
        command.args(words).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        succeeds_within(&mut command, APT_LIMIT)
    };
    // Never at the price of a package that the user has: Debian's own rustc and rustc-web exclude each other.
    let mut install = vec!["install", "-y", "--no-remove", "--no-install-recommends"];
    install.extend(PACKAGES);
    // The package lists of a fresh container are empty or old.
    apt(&install) || (apt(&["update"]) && apt(&install))
}

/// The words before a command that needs root: none as root, `sudo -n` when it works, else `None`.
fn privilege() -> Option<&'static [&'static str]> {
    let answers = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    if answers("id", &["-u"]).is_some_and(|id| id.trim_ascii() == b"0") {
        Some(&[])
    } else {
        answers("sudo", &["-n", "true"]).map(|_| ["sudo", "-n"].as_slice())
    }
}
