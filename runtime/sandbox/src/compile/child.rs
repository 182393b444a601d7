//! The process that compiles one plugin.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};

use super::CompileLimits;
use super::frame::{Answer, Question, Task, seconds};
use crate::code::Code;
use crate::{engine, load};

/// Files that the process may have: its three pipes, and what the system's libraries open for a moment.
const FILES: u64 = 16;

/// The main function of the process: compile one plugin from standard input to standard output. What it cannot
/// say to its parent is written to standard error.
pub fn child() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> Result<(), String> {
    let mut input = stdin().lock();
    let question = Question::read(&mut input).map_err(|error| error.to_string())?;
    limit(&question.limits).map_err(|error| format!("the limits cannot be set: {error}"))?;
    let mut wasm = Vec::new();
    input.read_to_end(&mut wasm).map_err(|error| format!("the plugin cannot be read: {error}"))?;
    let answer = match work(question.task, &wasm) {
        Ok(bytes) => Answer::Done(bytes),
        Err(wrong) => Answer::Wrong(wrong),
    };
    let mut output = stdout().lock();
    let sent = output.write_all(&answer.seal(&question.key)).and_then(|()| output.flush());
    sent.map_err(|error| format!("the answer cannot be sent: {error}"))
}

fn limit(limits: &CompileLimits) -> nix::Result<()> {
    let set = |resource, value| setrlimit(resource, value, value);
    set(Resource::RLIMIT_CORE, 0)?;
    set(Resource::RLIMIT_FSIZE, 0)?;
    set(Resource::RLIMIT_NOFILE, FILES)?;
    // The first signal can be told from the kill of an impatient parent; the second cannot be caught.
    let cpu = seconds(limits.cpu);
    setrlimit(Resource::RLIMIT_CPU, cpu, cpu.saturating_add(1))?;
    set(Resource::RLIMIT_AS, limits.memory_bytes)
}

fn work(task: Task, wasm: &[u8]) -> Result<Vec<u8>, String> {
    match task {
        Task::Componentize => load::module::componentize(wasm),
        Task::Compile => {
            let engine = engine::compiler().map_err(|error| format!("{error:#}"))?;
            Code::machine_code(&engine, wasm).map_err(|error| format!("{error:#}"))
        }
    }
}
