//! The compiled plugin in place of the native flow: the same tests, played once more by `hoopoe test`.
//!
//! The sandbox is a large program, which the tests of a flow shall not have to compile. So they talk to a process that
//! has it, over its standard input and output: a line of JSON for each call, a line for each answer.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::Run;
use crate::log::Level;
use crate::{Context, Event, FlowResult, Manifest};

/// The program that runs the plugin, as an absolute path. Without it flows run natively.
pub const HOST: &str = "HOOPOE_TEST_HOST";
/// The plugin's component, as an absolute path.
pub const COMPONENT: &str = "HOOPOE_TEST_COMPONENT";
/// The program's command; the component follows it.
pub const COMMAND: &str = "play-plugin";

/// What the plugin is asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    /// What it is.
    Describe,
    /// To handle an event.
    Handle {
        /// With this context,
        context: Box<Context>,
        /// this event
        event: Box<Event>,
        /// and the state that the last run left.
        state: Option<Vec<u8>>,
    },
    /// To take over state.
    Migrate {
        /// The version that left it.
        from_version: String,
        /// As that left it.
        state: Vec<u8>,
    },
}

/// What comes of a call.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// What it is.
    Described(Manifest),
    /// It handled the event.
    Handled {
        /// So.
        result: FlowResult,
        /// And wrote this.
        logs: Vec<(Level, String)>,
    },
    /// It took over the state, or says why it cannot.
    Migrated(Result<Vec<u8>, String>),
    /// The sandbox stopped it.
    Stopped(String),
}

/// The process with the compiled plugin.
pub(super) struct Compiled {
    manifest: Manifest,
    pipes: Mutex<Pipes>,
}

struct Pipes {
    calls: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// The compiled plugin, when these tests are to be played with it and it is this flow. A crate's tests may have further
/// flows, which run natively.
pub(super) fn of(manifest: &Manifest) -> Option<&'static Compiled> {
    static COMPILED: OnceLock<Option<Compiled>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| Compiled::start().unwrap_or_else(|error| panic!("{HOST}: {error}")));
    compiled.as_ref().filter(|compiled| compiled.manifest == *manifest)
}

impl Compiled {
    fn start() -> io::Result<Option<Self>> {
        let (Some(host), Some(component)) = (std::env::var_os(HOST), std::env::var_os(COMPONENT)) else {
            return Ok(None);
        };
        let mut process = Command::new(host);
        process.arg(COMMAND).arg(component).stdin(Stdio::piped()).stdout(Stdio::piped());
        // It ends with the tests: when their end of its input is gone.
        let mut process = process.spawn()?;
        let (Some(calls), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("the process has no pipes"));
        };
        let mut pipes = Pipes { calls, answers: BufReader::new(answers) };
        match pipes.ask(&Call::Describe)? {
            Answer::Described(manifest) => Ok(Some(Self { manifest, pipes: Mutex::new(pipes) })),
            other => Err(io::Error::other(format!("{other:?} is no answer to the question what it is"))),
        }
    }

    #[track_caller]
    pub(super) fn on_event(&self, context: &Context, event: &Event, state: Option<&[u8]>) -> Run {
        let (context, event) = (Box::new(context.clone()), Box::new(event.clone()));
        match self.ask(&Call::Handle { context, event, state: state.map(<[u8]>::to_vec) }) {
            Answer::Handled { result, logs } => Run { result, logs },
            other => stopped(other),
        }
    }

    #[track_caller]
    pub(super) fn migrate(&self, from_version: &str, state: &[u8]) -> Result<Vec<u8>, String> {
        match self.ask(&Call::Migrate { from_version: from_version.to_owned(), state: state.to_vec() }) {
            Answer::Migrated(result) => result,
            other => stopped(other),
        }
    }

    #[track_caller]
    fn ask(&self, call: &Call) -> Answer {
        let asked = self.pipes.lock().unwrap_or_else(PoisonError::into_inner).ask(call);
        match asked {
            Ok(answer) => answer,
            Err(error) => panic!("the process with the compiled plugin does not answer: {error}"),
        }
    }
}

impl Pipes {
    fn ask(&mut self, call: &Call) -> io::Result<Answer> {
        let mut line = serde_json::to_vec(call)?;
        line.push(b'\n');
        self.calls.write_all(&line)?;
        self.calls.flush()?;
        let mut answer = String::new();
        match self.answers.read_line(&mut answer)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has ended")),
            _ => Ok(serde_json::from_str(&answer)?),
        }
    }
}

#[track_caller]
fn stopped(answer: Answer) -> ! {
    match answer {
        Answer::Stopped(reason) => panic!("{reason}"),
        other => panic!("the process with the compiled plugin answers something else: {other:?}"),
    }
}
