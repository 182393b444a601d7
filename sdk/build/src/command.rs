//! Running other programs: a clean environment, output shown and kept, an end even when they hang.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// Settings of the user's machine, which the inner cargo must know too.
const KEPT: &[&str] = &[
    "CARGO_BUILD_JOBS",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];

/// Variables without the prefix `CARGO_` by which an outer cargo steers its compiler.
const DROPPED: &[&str] =
    &["MAKEFLAGS", "MFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOC", "RUSTFLAGS"];

/// A command that sees nothing of the cargo or build script that this process may run in.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if is_of_outer_cargo(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_outer_cargo(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    let kept = KEPT.iter().any(|kept| name.starts_with(kept));
    (name.starts_with("CARGO") && !kept) || DROPPED.contains(&name)
}

/// What becomes of what cargo and the compiler write while they build: progress, warnings, errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// It goes to this process's standard error, as if cargo had been called there: with colours and a moving
    /// progress bar on a terminal. [`Error::Compile`] then has no words of its own.
    Inherit,
    /// It is kept for [`Error::Compile`] and not shown.
    Capture,
    /// It is kept, and shown line by line; for build scripts and tests.
    Both,
}

/// What a finished command wrote.
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    /// Empty when it was inherited.
    pub(crate) stderr: String,
}

/// Run to the end.
pub(crate) fn run(command: &mut Command, output: Output) -> Result<Finished, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |source| Error::Start { program: program.clone(), source };
    let stderr = if output == Output::Inherit { Stdio::inherit() } else { Stdio::piped() };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().map_err(start)?;
    let stderr = child.stderr.take().map(|pipe| {
        thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if output == Output::Both {
                    eprintln!("{line}");
                }
                text.push_str(&line);
                text.push('\n');
            }
            text
        })
    });
    let mut stdout = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut stdout).map_err(start)?;
    }
    let stderr = stderr.and_then(|reader| reader.join().ok()).unwrap_or_default();
    let success = child.wait().map_err(start)?.success();
    Ok(Finished { success, stdout, stderr })
}

/// Run to the end or to the limit, with output shown. False when the command failed, hung or does not exist.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    let Ok(mut child) = command.stdin(Stdio::null()).spawn() else { return false };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => {
                // Both only fail when the child is gone already.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_cargo_is_forgotten_and_the_users_settings_are_not() {
        for name in ["CARGO", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_CFG_UNIX", "RUSTC", "RUSTFLAGS"] {
            assert!(is_of_outer_cargo(&name.into()), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_TERM_COLOR", "RUSTUP_TOOLCHAIN", "PATH", "HOME"] {
            assert!(!is_of_outer_cargo(&name.into()), "{name}");
        }
    }

    #[test]
    fn what_is_not_inherited_is_kept() {
        for (output, kept) in [(Output::Inherit, ""), (Output::Capture, "oops\n"), (Output::Both, "oops\n")] {
            let finished = run(Command::new("sh").args(["-c", "echo made; echo oops >&2; exit 3"]), output);
            let finished = finished.expect("there is a shell");
            assert_eq!((finished.success, finished.stdout.as_str(), finished.stderr.as_str()), (false, "made\n", kept));
        }
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        assert!(!succeeds_within(Command::new("sleep").arg("600"), Duration::from_millis(1)));
        assert!(!succeeds_within(&mut Command::new("hoopoe-no-such-program"), Duration::from_secs(60)));
    }
}
