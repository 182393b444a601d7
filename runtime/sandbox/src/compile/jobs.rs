//! What is compiled where, and when it is its turn.

use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Engine;

use super::frame::Task;
use super::turns::{Owner, Turn, Turns};
use super::{Compiler, process};
use crate::code::Code;
use crate::load::{self, Error};

/// For what something is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Somebody wants to know what is in an upload.
    Inspect,
    /// Something is to run.
    Run,
    /// The component is the operator's own: compiled in this process.
    Trusted,
}

/// Compiles, a few plugins at a time.
pub(crate) struct Jobs {
    compiler: Compiler,
    turns: Arc<Turns>,
}

impl Jobs {
    pub(crate) fn new(compiler: Compiler) -> Self {
        let at_once = match &compiler {
            Compiler::InProcess => std::thread::available_parallelism().map_or(1, NonZero::get),
            Compiler::Process(process) => process.concurrency.max(1),
        };
        Jobs { compiler, turns: Turns::new(at_once) }
    }

    /// Make a component of a core module that carries its WIT.
    pub(crate) async fn componentize(&self, module: &[u8], owner: Option<Owner>) -> Result<Vec<u8>, Error> {
        let _turn = self.turn(How::Inspect, owner).await?;
        let made = match &self.compiler {
            Compiler::Process(with) => process::ask(with, Task::Componentize, module).await,
            Compiler::InProcess => {
                let module = module.to_vec();
                blocking(move || load::module::componentize(&module).map_err(Error::Compile)).await
            }
        };
        made.map_err(|error| match error {
            Error::Compile(reason) => Error::Componentize(reason),
            other => other,
        })
    }

    /// Wait until something may be compiled. Nobody should wait with a turn in hand for another of the same owner.
    pub(crate) async fn turn(&self, how: How, owner: Option<Owner>) -> Result<Option<Turn>, Error> {
        match how {
            // Built-in plugins are few, and everything waits for them.
            How::Trusted => Ok(None),
            How::Run | How::Inspect => self.turns.turn(how, owner).await.map(Some),
        }
    }

    /// Compile a component, in its turn. Also says how long it took.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        wasm: &[u8],
        how: How,
        _turn: Option<Turn>,
    ) -> Result<(Code, Duration), Error> {
        let start = Instant::now();
        let code = match &self.compiler {
            Compiler::Process(with) if how != How::Trusted => {
                Code::of_child(process::ask(with, Task::Compile, wasm).await?)
            }
            _ => {
                let (engine, wasm) = (engine.clone(), wasm.to_vec());
                blocking(move || Code::compile(&engine, &wasm).map_err(|error| Error::Compile(format!("{error:#}"))))
                    .await?
            }
        };
        Ok((code, start.elapsed()))
    }
}

/// Run on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // What can go wrong here is a panic in the work.
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::CompilerCrashed(error.to_string()))?
}
