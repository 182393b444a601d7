//! Ctrl-C, SIGTERM and SIGHUP: noticed at once, acted upon where a command waits.
//!
//! Every wait of xtask asks [`check`]. Its error unwinds the command, and what was started is stopped on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often a wait looks whether it is over.
pub const TICK: Duration = Duration::from_millis(10);

/// The user, or the system, asked for the end.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Notice signals from now on.
pub fn watch() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("cannot watch for Ctrl-C")
}

/// An [`Interrupted`] error once a signal came.
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(Interrupted.into()) } else { Ok(()) }
}

/// Sleep for a [`TICK`], or fail with [`Interrupted`].
pub fn tick() -> Result<()> {
    check()?;
    thread::sleep(TICK);
    check()
}
