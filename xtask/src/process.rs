//! Other programs: started in a process group of their own, so that Ctrl-C in the terminal reaches xtask alone
//! and xtask ends them in order; never outliving the value that stands for them.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt::{self, TICK};
use crate::step::seconds;
use crate::workspace;

/// What a program gets to end by itself, unless it is said otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program, run in the root of the checkout, without what cargo tells xtask about xtask itself: build scripts
/// that watch such variables would run again each time.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_outer_cargo) {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace::root()).stdin(Stdio::null()).process_group(0);
    command
}

/// The cargo that runs xtask.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn is_of_outer_cargo(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_BIN_")
        || ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"]
            .contains(&name)
}

/// A program that runs. Stopped when dropped.
pub struct Running {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    signal: Signal,
    patience: Duration,
}

impl Running {
    /// Start `command`; `name` is for messages.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.get_program().to_string_lossy()))?;
        Ok(Self { name: name.to_owned(), child, ended: None, signal: Signal::SIGTERM, patience: PATIENCE })
    }

    /// Stop it with another signal than SIGTERM, and kill it only after `patience`.
    pub fn stopped_by(mut self, signal: Signal, patience: Duration) -> Self {
        (self.signal, self.patience) = (signal, patience);
        self
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
        }
        Ok(self.ended)
    }

    /// Wait for its end. After `limit`, or when xtask is interrupted, it is stopped and this is an error.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if let Err(interrupted) = interrupt::tick() {
                self.stop();
                return Err(interrupted);
            }
            if Instant::now() > end {
                self.stop();
                bail!("{} did not end within {} and was stopped", self.name, seconds(limit));
            }
        }
    }

    /// Ask it to end, wait for that, and kill it when it does not.
    pub fn stop(&mut self) {
        if !matches!(self.ended(), Ok(None)) {
            return;
        }
        // It may just have ended: then there is nobody to signal, and nothing to do.
        let group = Pid::from_raw(self.id().cast_signed());
        let _ = killpg(group, self.signal);
        let end = Instant::now() + self.patience;
        while matches!(self.ended(), Ok(None)) {
            if Instant::now() > end {
                eprintln!("{} did not stop within {} and is killed", self.name, seconds(self.patience));
                let _ = self.child.kill();
                self.ended = self.child.wait().ok();
                break;
            }
            thread::sleep(TICK);
        }
        // What it had started and not ended.
        let _ = killpg(group, Signal::SIGKILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Run to the end and fail unless it succeeds.
pub fn run(name: &str, command: &mut Command, limit: Duration) -> Result<()> {
    let status = Running::start(name, command)?.wait(limit)?;
    if status.success() { Ok(()) } else { bail!("{name} failed ({})", describe(status)) }
}

/// Whether the program is there, starts and succeeds; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What a short-lived program prints, without surrounding space; `None` when it fails or does not exist.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command line of a process, `None` when there is no such process.
pub fn command_line(pid: u32) -> Option<String> {
    match std::fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(words) => Some(String::from_utf8_lossy(&words).replace('\0', " ")),
        // Systems without /proc.
        Err(_) => output(Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()])),
    }
}

/// `exit code 101`, `signal 9`.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A shell that waits for ever, once it has run `script`. It has its command line only after its start.
    pub fn shell(script: &str) -> Running {
        let mut shell = command("sh");
        shell.args(["-c", &format!("{script}; echo ready; while :; do sleep 600; done")]).stdout(Stdio::piped());
        let mut shell = Running::start("shell", &mut shell).expect("sh exists");
        let pipe = shell.child().stdout.as_mut().expect("a pipe");
        std::io::Read::read_exact(pipe, &mut [0; 6]).expect("it is ready");
        shell
    }

    #[test]
    fn a_program_that_hangs_is_stopped_at_its_limit() {
        let mut sleeping = Running::start("sleep", command("sleep").arg("600")).expect("sleep exists");
        let error = sleeping.wait(Duration::from_millis(1)).expect_err("it cannot end so soon");
        assert!(error.to_string().starts_with("sleep did not end within"), "{error}");
        assert_eq!(sleeping.ended().expect("a status").and_then(|status| status.signal()), Some(15));
    }

    #[test]
    fn what_ignores_the_signal_is_killed() {
        let mut deaf = shell("trap '' TERM").stopped_by(Signal::SIGTERM, Duration::from_millis(1));
        deaf.stop();
        assert_eq!(deaf.ended().expect("a status").and_then(|status| status.signal()), Some(9));
    }

    #[test]
    fn failures_say_what_failed() {
        let minute = Duration::from_secs(60);
        let error = run("the check", command("sh").args(["-c", "exit 3"]), minute).expect_err("it fails");
        assert_eq!(error.to_string(), "the check failed (exit code 3)");
        assert!(run("nothing", &mut command("hoopoe-no-such-program"), minute).is_err());
        assert!(run("true", &mut command("true"), minute).is_ok());
    }

    #[test]
    fn a_process_is_known_by_its_command_line() {
        let shell = shell("true");
        assert!(command_line(shell.id()).expect("it runs").starts_with("sh -c true;"));
        assert_eq!(command_line(u32::MAX), None);
    }

    #[test]
    fn what_cargo_says_about_xtask_is_forgotten() {
        for name in ["CARGO", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(is_of_outer_cargo(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "PATH", "RUSTFLAGS"] {
            assert!(!is_of_outer_cargo(name), "{name}");
        }
    }
}
