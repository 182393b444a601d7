//! The real binary as a process of its own: for what only a process can do, such as dying.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

pub use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::{Client, PATIENCE, eventually};

/// A running `hoopoe serve`. It is killed when this is dropped.
pub struct Process {
    /// Calls it.
    pub api: Client,
    address: SocketAddr,
    child: Child,
    log: Log,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it wrote, to both streams.
    pub log: String,
}

impl Process {
    /// Starts the binary with exactly this environment (see [`crate::settings`]) and waits until `/ready` says so.
    /// Tests of the package that has the binary know its path as `env!("CARGO_BIN_EXE_hoopoe")`.
    pub async fn start(binary: &str, environment: &HashMap<String, String>) -> Self {
        Self::start_with(binary, &["serve"], environment).await
    }

    /// As [`Process::start`], with other arguments than `serve` alone.
    pub async fn start_with(binary: &str, arguments: &[&str], environment: &HashMap<String, String>) -> Self {
        let (mut child, log) = spawn(binary, arguments, environment);
        eventually("the process says where it listens or ends", async || {
            log.address().is_some() || child.try_wait().unwrap().is_some()
        })
        .await;
        let Some(address) = log.address() else {
            let Ended { status, log } = ended(child, log).await;
            panic!("the process ended before it was ready, {status}:\n{log}");
        };
        let address = address.parse().unwrap();
        let process = Self { api: Client::new(address), address, child, log };
        eventually("the process is ready", async || process.api.get("/ready", "").await.0 == 200).await;
        process
    }

    /// Runs `hoopoe serve` until it ends by itself.
    pub async fn run(binary: &str, environment: &HashMap<String, String>) -> Ended {
        let (child, log) = spawn(binary, &["serve"], environment);
        ended(child, log).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it ends by itself.
    pub async fn wait(self) -> Ended {
        ended(self.child, self.log).await
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub async fn terminate(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.wait().await
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(self) -> Ended {
        self.signal(Signal::SIGKILL);
        self.wait().await
    }

    /// Sends a signal and does not wait.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it was not waited for yet");
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }
}

fn spawn(binary: &str, arguments: &[&str], environment: &HashMap<String, String>) -> (Child, Log) {
    let mut child = Command::new(binary)
        .args(arguments)
        .env_clear()
        .envs(environment)
        // Plain text is easier to read back.
        .env("NO_COLOR", "1")
        // A folder without .env.
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{binary}: {error}"));
    let mut log = Log::default();
    log.follow(child.stdout.take().unwrap());
    log.follow(child.stderr.take().unwrap());
    (child, log)
}

async fn ended(mut child: Child, log: Log) -> Ended {
    let Ok(status) = tokio::time::timeout(PATIENCE, child.wait()).await else {
        panic!("the process did not end within {PATIENCE:?}:\n{}", log.text());
    };
    Ended { status: status.unwrap(), log: log.whole().await }
}

/// Both streams, line by line as they come.
#[derive(Default)]
struct Log {
    text: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Log {
    fn follow(&mut self, stream: impl AsyncRead + Unpin + Send + 'static) {
        let text = self.text.clone();
        self.readers.push(tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = text.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        }));
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// What was written up to the end of both streams.
    async fn whole(self) -> String {
        for reader in self.readers {
            reader.await.unwrap();
        }
        self.text.lock().unwrap().clone()
    }

    fn address(&self) -> Option<String> {
        let text = self.text();
        let line = text.lines().find(|line| line.contains("hoopoe is up"))?;
        // As people read it, or as JSON in production.
        let (_, address) = line.split_once("address=").or(line.split_once(r#""address":""#))?;
        address.split([' ', '"']).next().map(str::to_owned)
    }
}
