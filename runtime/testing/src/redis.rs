//! A Redis of a test's own, which it may stop, freeze, flush and start again.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::eventually;

/// Valkey is Redis under another name.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A `redis-server` on a Unix socket, which nobody else can take. It is killed when this is dropped.
pub struct RedisServer {
    program: &'static str,
    child: Option<Child>,
    dir: TempDir,
}

impl RedisServer {
    /// Starts one. `None`, and a line on standard error, where no Redis is installed: `cargo xtask setup` does that.
    pub async fn start() -> Option<Self> {
        let installed = |program: &&str| match std::process::Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
        {
            Ok(status) => {
                assert!(status.success(), "{program}: {status}");
                true
            }
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => panic!("{program}: {error}"),
        };
        let Some(program) = PROGRAMS.into_iter().find(installed) else {
            eprintln!("NOT TESTED: there is no redis-server in PATH; cargo xtask setup installs one");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("hoopoe-redis-").tempdir().unwrap();
        let mut server = Self { program, child: None, dir };
        server.restart().await;
        Some(server)
    }

    /// For `REDIS_URL`. It stays the same.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket())
    }

    /// Kills it (SIGKILL), if it runs: it keeps nothing, so that no other end would leave more behind.
    pub async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// Kills it, if it runs, and starts an empty one at the same address.
    pub async fn restart(&mut self) {
        self.stop().await;
        let child = Command::new(self.program)
            .args(["--port", "0", "--unixsocket", &self.socket(), "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
        eventually("Redis answers", async || self.try_ask("PING").is_ok_and(|answer| answer.starts_with("+PONG")))
            .await;
    }

    /// Stops it where it stands (SIGSTOP): connections stay, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Forgets everything.
    pub fn flush(&self) {
        assert!(self.ask("FLUSHALL").starts_with("+OK"));
    }

    /// The answer to a command, as it comes over the wire.
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).unwrap()
    }

    fn try_ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        // It answers what it has, and then ends the connection too.
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn socket(&self) -> String {
        self.dir.path().join("redis.sock").to_str().unwrap().to_owned()
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().and_then(Child::id).expect("it runs");
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }
}
