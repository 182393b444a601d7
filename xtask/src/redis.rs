//! A Redis for one command, or the one that `REDIS_URL` names.
//!
//! In: nothing. Out: a URL, or nothing when there is no Redis to be had: the runtime works without. It keeps nothing on
//! disk, listens on this machine only and wants a password. It is stopped when its value is dropped.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt::{self, Interrupted};
use crate::packages::{self, Package};
use crate::process::{self, Running};
use crate::step::step;
use crate::workspace::{self, free_port, random_hex, write_secret};
use crate::{leftovers, process::command_line};

const REDIS: Package = Package { name: "Redis", apt: "redis-server", dnf: "redis", pacman: "valkey", brew: "redis" };
/// Valkey is Redis under another name.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

const START_LIMIT: Duration = Duration::from_secs(20);
/// How often another port is tried when another program was faster.
const PORT_ATTEMPTS: usize = 3;

/// The Redis that a command works with.
pub enum Redis {
    /// Named by `REDIS_URL`: used, never started or stopped.
    External(String),
    /// Started here, stopped when dropped.
    Embedded(Server),
    /// There is none.
    None,
}

impl Redis {
    /// The server of `REDIS_URL`, else one that is started now, else none, and then it says why.
    pub fn start(given: Option<String>) -> Result<Self> {
        if let Some(url) = given {
            eprintln!("==> using the Redis of REDIS_URL");
            return Ok(Self::External(url));
        }
        let Some(program) = find_or_install()? else { return Ok(Self::None) };
        match step("starting Redis (nothing is kept)", || Server::start(&program)) {
            Ok(server) => Ok(Self::Embedded(server)),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(error) => {
                eprintln!("    {error:#}\n    going on without Redis");
                Ok(Self::None)
            }
        }
    }

    /// Its URL.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::External(url) => Some(url),
            Self::Embedded(server) => Some(&server.url),
            Self::None => None,
        }
    }
}

/// `REDIS_URL` of the environment, when it is set and not empty.
pub fn given() -> Option<String> {
    std::env::var("REDIS_URL").ok().filter(|url| !url.trim().is_empty())
}

/// Redis's program, installed when there is none. `None` when that would need a question, or fails: it says so.
pub fn find_or_install() -> Result<Option<PathBuf>> {
    if let Some(program) = find() {
        return Ok(Some(program));
    }
    packages::install(&REDIS)?;
    let found = find();
    if found.is_none() {
        eprintln!(
            "==> no redis-server was found in PATH: going on without Redis. Install it with\n    {}\n    \
             or set REDIS_URL.",
            packages::advice(&REDIS)
        );
    }
    Ok(found)
}

/// Redis's program, where there is one.
pub fn find() -> Option<PathBuf> {
    PROGRAMS.into_iter().find_map(packages::in_path)
}

/// A server of this xtask. The fields are dropped, and so the server stopped, in this order.
pub struct Server {
    _running: Running,
    _note: Note,
    url: String,
}

impl Server {
    fn start(program: &Path) -> Result<Self> {
        let home = workspace::state_dir()?.join("redis");
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        Note::end_leftovers(&home)?;
        for _ in 0..PORT_ATTEMPTS {
            if let Some(server) = Self::try_port(program, &home, free_port()?)? {
                return Ok(server);
            }
        }
        bail!("Redis ended at its start, {PORT_ATTEMPTS} times: see {}", home.join("redis.log").display())
    }

    /// `None` when it ended by itself, most likely since the port was taken.
    fn try_port(program: &Path, home: &Path, port: u16) -> Result<Option<Self>> {
        let password = random_hex(24)?;
        let name = std::process::id();
        let configuration = home.join(format!("{name}.conf"));
        let settings = format!("bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly no\n");
        // A command line could be read by everybody.
        write_secret(&configuration, &settings)?;
        let log = fs::File::create(home.join("redis.log")).context("cannot write Redis's log")?;
        let mut command = process::command(program);
        command.arg(&configuration).current_dir(home).stdout(log.try_clone()?).stderr(log);
        let mut running = Running::start("Redis", &mut command)?;
        let note = Note::write(home.join(format!("{name}.pid")), running.id(), program)?;
        let end = Instant::now() + START_LIMIT;
        let outcome = loop {
            if running.ended()?.is_some() {
                break Ok(None);
            }
            if answers(port, &password) {
                break Ok(Some(Self {
                    _running: running,
                    _note: note,
                    url: format!("redis://:{password}@127.0.0.1:{port}"),
                }));
            }
            if Instant::now() > end {
                break Err(anyhow::anyhow!("Redis does not answer"));
            }
            interrupt::tick()?;
        };
        fs::remove_file(&configuration).context("cannot remove Redis's configuration")?;
        outcome
    }
}

fn answers(port: u16, password: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(format!("AUTH {password}\r\nPING\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains("+PONG"))
    };
    ask().unwrap_or(false)
}

/// A file that names a server while it runs, under the id of the xtask that started it: should that be killed, the
/// next one ends the server.
struct Note(PathBuf);

impl Note {
    fn write(path: PathBuf, pid: u32, program: &Path) -> Result<Self> {
        fs::write(&path, format!("{pid} {}", program.display()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    fn end_leftovers(home: &Path) -> Result<()> {
        for entry in fs::read_dir(home).with_context(|| format!("cannot read {}", home.display()))?.flatten() {
            let path = entry.path();
            let xtask = path.file_stem().and_then(|name| name.to_str()?.parse().ok());
            let Some(xtask) = xtask.filter(|_| path.extension().is_some_and(|end| end == "pid")) else { continue };
            if command_line(xtask).is_some_and(|line| line.contains("xtask")) {
                continue;
            }
            let note = fs::read_to_string(&path).unwrap_or_default();
            if let Some((Ok(pid), program)) = note.split_once(' ').map(|(pid, program)| (pid.parse(), program)) {
                leftovers::end(pid, program)?;
            }
            // Another xtask may have been here too.
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(path.with_extension("conf"));
        }
        Ok(())
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // What stays behind is removed by the next start.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_to_who_knows_the_password_and_leaves_nothing() {
        let Some(program) = find() else {
            eprintln!("no redis-server in PATH: nothing is tested");
            return;
        };
        let server = Server::start(&program).expect("it starts");
        let (start, port) = server.url.rsplit_once(':').expect("a port");
        let port: u16 = port.parse().expect("a port");
        let password = start.trim_start_matches("redis://:").split('@').next().expect("a password").to_owned();
        assert!(answers(port, &password) && !answers(port, "guess"));
        let note = server._note.0.clone();
        let pid: u32 =
            fs::read_to_string(&note).expect("a note").split(' ').next().expect("an id").parse().expect("it");
        assert!(command_line(pid).is_some() && !note.with_extension("conf").exists());
        drop(server);
        assert!(!note.exists() && !answers(port, &password));
        assert!(command_line(pid).is_none_or(|line| line.trim().is_empty()));
    }
}
