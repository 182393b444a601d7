//! One server process on one data folder: create the data, start, wait until it answers, end what was left over.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::{Account, Binaries};
use crate::interrupt;
use crate::process::{self, Running, describe};
use crate::workspace::write_secret;

/// The superuser of every cluster, which owns its databases.
pub const USER: &str = "hoopoe";

const INITDB_LIMIT: Duration = Duration::from_secs(120);
/// Recovery after a crash comes before the first answer.
const START_LIMIT: Duration = Duration::from_secs(120);
/// The checkpoint of a fast shutdown takes a while on a slow disk.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Create the data in `dir/data`, all of it or nothing.
pub fn initialise(binaries: &Binaries, account: &Account, dir: &Path, password: &str, durable: bool) -> Result<()> {
    let (data, unfinished) = (dir.join("data"), dir.join("data.new"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    let password_file = dir.join("initdb.password");
    write_secret(&password_file, password)?;
    account.own(&password_file)?;
    let mut command = binaries.command("initdb");
    command
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--username", USER])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("--pgdata")
        .arg(&unfinished);
    if !durable {
        command.arg("--no-sync");
    }
    let log = dir.join("initdb.log");
    let outcome = log_to(account.take_on(&mut command, dir), &log)
        .and_then(|command| process::run("initdb", command, INITDB_LIMIT));
    fs::remove_file(&password_file).context("cannot remove initdb's password file")?;
    outcome.with_context(|| shown(&log))?;
    fs::rename(&unfinished, &data).context("cannot rename the new data folder")
}

/// Why a server is not there.
pub enum Failure {
    /// Another program took the port first.
    PortTaken,
    /// Something else, with the log.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Start the server on `dir/data` and wait until it answers.
pub fn start(
    binaries: &Binaries,
    account: &Account,
    dir: &Path,
    port: u16,
    settings: &[&str],
) -> Result<Running, Failure> {
    let data = dir.join("data");
    let mut command = binaries.command("postgres");
    command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    let fixed = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"];
    for setting in fixed.iter().chain(settings) {
        command.args(["-c", setting]);
    }
    let log = dir.join("postgres.log");
    let command = log_to(account.take_on(&mut command, dir), &log)?;
    let mut server = Running::start("Postgres", command)?.stopped_by(Signal::SIGINT, STOP_PATIENCE);
    let end = Instant::now() + START_LIMIT;
    while !is_ready(&data, server.id()) {
        if let Some(status) = server.ended()? {
            let log_text = fs::read_to_string(&log).unwrap_or_default();
            if log_text.contains("could not bind") {
                return Err(Failure::PortTaken);
            }
            let error = anyhow::anyhow!("Postgres ended with {} at its start", describe(status));
            return Err(Failure::Other(error.context(shown(&log))));
        }
        if Instant::now() > end {
            return Err(Failure::Other(anyhow::anyhow!("Postgres does not become ready").context(shown(&log))));
        }
        interrupt::tick()?;
    }
    Ok(server)
}

/// The server writes its state into the eighth line of `postmaster.pid`, which is also what `pg_ctl` waits for.
fn is_ready(data: &Path, pid: u32) -> bool {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = file.lines();
    lines.next().is_some_and(|first| first.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

/// End a server that an xtask before this one could not stop, and remove a stale pid file.
pub fn stop_leftover(binaries: &Binaries, account: &Account, dir: &Path) -> Result<()> {
    let data = dir.join("data");
    let pid_file = data.join("postmaster.pid");
    let Ok(content) = fs::read_to_string(&pid_file) else { return Ok(()) };
    let pid = content.lines().next().and_then(|line| line.trim().parse::<u32>().ok());
    // The number may belong to another program by now.
    let command_line = pid.and_then(process::command_line).unwrap_or_default();
    if !command_line.contains("postgres") || !command_line.contains(&*data.to_string_lossy()) {
        return match fs::remove_file(&pid_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("a stale pid file"),
            _ => Ok(()),
        };
    }
    eprintln!("    a Postgres of an earlier run is still up and is stopped");
    for mode in ["fast", "immediate"] {
        let mut command = binaries.command("pg_ctl");
        command.args(["stop", "-w", "-t", "30", "-m", mode, "-D"]).arg(&data);
        if process::succeeds(account.take_on(&mut command, dir)) {
            return Ok(());
        }
    }
    bail!("the Postgres of an earlier run (process {}) cannot be stopped", pid.unwrap_or_default())
}

fn log_to<'a>(command: &'a mut std::process::Command, path: &Path) -> Result<&'a mut std::process::Command> {
    let log = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let copy = log.try_clone().context("cannot share the log file")?;
    Ok(command.stdout(log).stderr(copy))
}

/// The end of a log, for an error.
fn shown(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(30);
    format!("the log {} ends with\n{}\n", log.display(), lines[from..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_read_from_the_pid_file() {
        let dir = std::env::temp_dir().join(format!("xtask-ready-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        let mut verdicts = Vec::new();
        for content in
            ["", "7\n/d\n1\n5432\n\n127.0.0.1\n 1 2\nstarting\n", "7\n/d\n1\n5432\n\n127.0.0.1\n 1 2\nready   \n"]
        {
            fs::write(dir.join("postmaster.pid"), content).expect("written");
            verdicts.push((is_ready(&dir, 7), is_ready(&dir, 8)));
        }
        fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(verdicts, [(false, false), (false, false), (true, false)]);
    }
}
