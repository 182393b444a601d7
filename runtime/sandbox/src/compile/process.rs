//! Starting the process that compiles, and judging how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::frame::{ANSWER_HEADER, Answer, Question, Task};
use super::{Exceeded, Process};
use crate::load::Error;

/// What is kept of the process' words.
const WORDS: u64 = 16 << 10;
const WORDS_SHOWN: usize = 300;

/// Have a process do this, and take its answer.
pub(super) async fn ask(process: &Process, task: Task, wasm: &[u8]) -> Result<Vec<u8>, Error> {
    let question = Question { task, limits: process.limits, key: rand::random() };
    match tokio::time::timeout(process.limits.wall, run(process, &question, wasm)).await {
        Ok(answer) => answer,
        // The process is killed as the future that held it is dropped.
        Err(_) => Err(Error::CompileLimit(Exceeded::Wall(process.limits.wall))),
    }
}

async fn run(process: &Process, question: &Question, wasm: &[u8]) -> Result<Vec<u8>, Error> {
    let limits = &process.limits;
    let broken = |error: std::io::Error| Error::Compiler(format!("{}: {error}", process.program.display()));
    let mut child = Command::new(&process.program)
        .args(&process.args)
        .env_clear()
        .envs(process.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    let (Some(mut input), Some(output), Some(words)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::Compiler("the process has no pipes".to_owned()));
    };
    let most = limits.output_bytes.saturating_add(ANSWER_HEADER);
    let (mut answer, mut said) = (Vec::new(), Vec::new());
    let (mut output, mut words) = (output.take(most as u64 + 1), words.take(WORDS));
    let give = async {
        // Who ends before it has read everything says why in its own way.
        let _ = input.write_all(&question.header()).await;
        let _ = input.write_all(wasm).await;
        drop(input);
    };
    // Who says more than is kept finds its pipe closed, and goes on or ends.
    let listen = async {
        let heard = words.read_to_end(&mut said).await;
        drop(words);
        heard
    };
    let take = async {
        let taken = output.read_to_end(&mut answer).await;
        drop(output);
        taken
    };
    let ((), heard, taken) = tokio::join!(give, listen, take);
    heard.and(taken).map_err(broken)?;
    if answer.len() > most {
        return Err(Error::CompileLimit(Exceeded::Output(limits.output_bytes)));
    }
    let status = child.wait().await.map_err(broken)?;
    if !status.success() {
        return Err(judge(process, status, &String::from_utf8_lossy(&said)));
    }
    match Answer::open(answer, &question.key) {
        Some(Answer::Done(bytes)) => Ok(bytes),
        Some(Answer::Wrong(text)) if is_out_of_memory(&text) => {
            Err(Error::CompileLimit(Exceeded::Memory(limits.memory_bytes)))
        }
        Some(Answer::Wrong(text)) => Err(Error::Compile(text)),
        None => Err(Error::Compiler("the answer is not whole, or not to this question".to_owned())),
    }
}

/// Name the reason why a process ended without an answer.
fn judge(process: &Process, status: ExitStatus, words: &str) -> Error {
    let limits = &process.limits;
    let signal = status.signal().and_then(|number| Signal::try_from(number).ok());
    if signal == Some(Signal::SIGXCPU) {
        let whole = Duration::from_secs(super::frame::seconds(limits.cpu));
        return Error::CompileLimit(Exceeded::Cpu(whole));
    }
    if is_out_of_memory(words) {
        return Error::CompileLimit(Exceeded::Memory(limits.memory_bytes));
    }
    let words: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = crate::guest::cut(words.join(" "), WORDS_SHOWN);
    match signal {
        Some(signal) => Error::CompilerCrashed(format!("{signal}: {words}")),
        // A panic of the compiler; every other ending with words is about the process.
        None if status.code() == Some(101) => Error::CompilerCrashed(words),
        None => Error::Compiler(format!("{status}: {words}")),
    }
}

/// Rust's and the system's words for memory that is not given.
fn is_out_of_memory(words: &str) -> bool {
    ["memory allocation of", "out of memory", "Cannot allocate memory", "failed to allocate"]
        .iter()
        .any(|sign| words.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_named_by_its_reason() {
        let process = Process::new("/bin/false", [""; 0]);
        let limits = process.limits;
        let (exit, signal) = (|code: i32| ExitStatus::from_raw(code << 8), ExitStatus::from_raw);
        let crashed = |words: &str| Error::CompilerCrashed(words.to_owned());
        let cases = [
            (signal(Signal::SIGXCPU as i32), "", Error::CompileLimit(Exceeded::Cpu(limits.cpu))),
            (
                signal(Signal::SIGABRT as i32),
                "memory allocation of 8 bytes failed\n",
                Error::CompileLimit(Exceeded::Memory(limits.memory_bytes)),
            ),
            (
                signal(Signal::SIGSEGV as i32),
                "\nthread 'main' has overflowed its stack\n",
                crashed("SIGSEGV: thread 'main' has overflowed its stack"),
            ),
            (exit(101), "thread 'main' panicked at x.rs:1\nno", crashed("thread 'main' panicked at x.rs:1 no")),
            (exit(1), "no such command", Error::Compiler("exit status: 1: no such command".to_owned())),
        ];
        for (status, words, expected) in cases {
            assert_eq!(judge(&process, status, words), expected, "{status} {words}");
        }
    }
}
