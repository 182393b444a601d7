//! The queue before the compiler.

use std::num::NonZero;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Engine;

use super::frame::Task;
use super::{Compiler, process};
use crate::code::Code;
use crate::load::{self, Error};

/// For whom something is compiled.
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
    permits: Semaphore,
    /// Uploads leave one of the permits to plugins that are to run.
    uploads: Semaphore,
}

impl Jobs {
    pub(crate) fn new(compiler: Compiler) -> Self {
        let at_once = match &compiler {
            Compiler::InProcess => std::thread::available_parallelism().map_or(1, NonZero::get),
            Compiler::Process(process) => process.concurrency.max(1),
        };
        Jobs { compiler, permits: Semaphore::new(at_once), uploads: Semaphore::new((at_once - 1).max(1)) }
    }

    /// Make a component of a core module that carries its WIT.
    pub(crate) async fn componentize(&self, module: &[u8]) -> Result<Vec<u8>, Error> {
        let _turn = self.turn(How::Inspect).await?;
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

    /// Compile a component. Also says how long it took, without the wait for a turn.
    pub(crate) async fn compile(&self, engine: &Engine, wasm: &[u8], how: How) -> Result<(Code, Duration), Error> {
        let _turn = self.turn(how).await?;
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

    async fn turn(&self, how: How) -> Result<(Option<SemaphorePermit<'_>>, Option<SemaphorePermit<'_>>), Error> {
        let closed = |_| Error::Compiler("the sandbox is gone".to_owned());
        Ok(match how {
            // Built-in plugins are few, and everything waits for them.
            How::Trusted => (None, None),
            How::Run => (None, Some(self.permits.acquire().await.map_err(closed)?)),
            How::Inspect => {
                let upload = self.uploads.acquire().await.map_err(closed)?;
                (Some(upload), Some(self.permits.acquire().await.map_err(closed)?))
            }
        })
    }
}

/// Run on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // What can go wrong here is a panic in the work.
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::CompilerCrashed(error.to_string()))?
}
