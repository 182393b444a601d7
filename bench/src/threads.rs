//! The benchmark's own threads, apart by name so that the CPU time of each part can be told.

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// Name of the thread that makes the load.
pub const LOAD: &str = "load";
/// Name of the threads on which Meta's simulator runs, or the floor's HTTP server.
pub const SERVER: &str = "server";

/// One tokio runtime for each part. They end when this is dropped, outside of all of them.
pub struct Threads {
    /// On the calling thread: the course of the benchmark, and the floors in Postgres.
    pub control: Runtime,
    /// One thread: it is enough for the load and cannot take more than one core from what is measured.
    pub load: Runtime,
    /// Two threads.
    pub server: Runtime,
}

impl Threads {
    /// Starts them.
    pub fn start() -> Result<Self> {
        let many = |name: &str, count| {
            Builder::new_multi_thread().worker_threads(count).thread_name(name).enable_all().build()
        };
        let control = Builder::new_current_thread().enable_all().build();
        Ok(Threads {
            control: control.context("no thread for the benchmark")?,
            load: many(LOAD, 1).context("no thread for the load")?,
            server: many(SERVER, 2).context("no threads for the server")?,
        })
    }
}
