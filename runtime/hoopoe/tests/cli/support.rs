//! Running the binary as a developer would.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use hoopoe_testing::{Tenant, World};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The demo customer of `hoopoe say`.
pub const CUSTOMER: &str = "15550001111";

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A developer: a folder, and the settings of a host or none.
#[derive(Clone)]
pub struct Developer {
    pub folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Developer {
    /// Somebody who knows no host.
    pub fn alone(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), settings: Vec::new() }
    }

    /// Somebody who works for this tenant.
    pub fn of(world: &World, tenant: &Tenant, folder: &Path) -> Self {
        let settings = vec![
            ("HOOPOE_URL", world.api.base.clone()),
            ("HOOPOE_TENANT", tenant.id.to_string()),
            ("HOOPOE_KEY", tenant.key.clone()),
            ("HOOPOE_SIM", world.sim.url()),
        ];
        Self { folder: folder.to_owned(), settings }
    }

    /// Somebody who knows the host by the file that a development host writes, as it is at the moment.
    pub fn with_file(folder: &Path, file: &Path) -> Self {
        Self::alone(folder).with("HOOPOE_DEV_FILE", &file.to_string_lossy())
    }

    /// In another folder.
    pub fn within(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    /// With another value of a setting.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoopoe"));
        for name in ["HOOPOE_URL", "HOOPOE_TENANT", "HOOPOE_KEY", "HOOPOE_SIM", "MASTER_KEY", "DATABASE_URL"] {
            command.env_remove(name);
        }
        command
            .args(arguments)
            // Not the development host that may run on this machine.
            .env("HOOPOE_DEV_FILE", "/nonexistent")
            .envs(self.settings.iter().cloned())
            // The dependencies of a plugin were compiled there for other tests.
            .env("CARGO_TARGET_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/target"))
            .current_dir(&self.folder)
            .kill_on_drop(true)
            .stdin(Stdio::null());
        command
    }

    /// Run a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Done {
        done(self.command(arguments).output().await.unwrap())
    }

    /// Run a command that reads standard input.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        use tokio::io::AsyncWriteExt;
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(input.as_bytes()).await.unwrap();
        drop(pipe);
        done(child.wait_with_output().await.unwrap())
    }

    /// Run a command that has to work.
    #[track_caller]
    pub fn works(&self, arguments: &[&str]) -> impl Future<Output = Done> {
        let (developer, arguments) = (self.clone(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let done = developer.run(&arguments).await;
            assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
            done
        }
    }

    /// What `hoopoe say` shows.
    pub async fn hears(&self, text: &str) -> String {
        let done = self.works(&["say", text]).await;
        done.out.trim_end().to_owned()
    }

    /// Start a command that goes on.
    pub fn start(&self, arguments: &[&str]) -> Ongoing {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Ongoing { lines, child }
    }
}

fn done(output: Output) -> Done {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A command that goes on and prints a line of JSON now and then. It ends with this.
pub struct Ongoing {
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Ongoing {
    /// The next line.
    pub async fn next(&mut self) -> Value {
        // Builds share the processors with other tests; only a test that fails waits so long.
        let patience = std::time::Duration::from_secs(170);
        let line = tokio::time::timeout(patience, self.lines.next_line()).await.expect("a line in time");
        let line = line.unwrap().expect("the command goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Its exit code, once it has ended by itself.
    pub async fn code(mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }

    /// The next line that is about this; others are left out.
    pub async fn until(&mut self, event: &str) -> Value {
        loop {
            let line = self.next().await;
            if line["event"] == event {
                return line;
            }
        }
    }
}
