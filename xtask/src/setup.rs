//! Set-up: what the project needs beside a Rust toolchain. Fast when nothing is missing.
//!
//! What can fail: something is missing and cannot be installed without a question. The error is the command.

use anyhow::{Context, Result};
use hoopoe_plugin_build::Toolchain;

use crate::step::step;
use crate::{interrupt, postgres, redis, workspace};

/// `cargo xtask setup`: all of it, and say what is there.
pub fn command() -> Result<()> {
    wasm()?;
    let found = postgres::find_or_install()?;
    let redis = redis::find_or_install()?;
    println!("plugins can be built for {}", hoopoe_plugin_build::TARGET);
    for binaries in found {
        println!("Postgres {} in {}", binaries.major, binaries.dir().display());
    }
    if let Some(redis) = redis {
        println!("Redis is {}", redis.display());
    }
    Ok(())
}

/// What the other commands do first: without Postgres when `DATABASE_URL` names a database.
pub fn run() -> Result<()> {
    wasm()?;
    if workspace::database_url().is_none() {
        postgres::find_or_install()?;
    }
    Ok(())
}

fn wasm() -> Result<()> {
    if Toolchain::detect().is_ok() {
        return Ok(());
    }
    step("installing the Wasm target", || {
        let installed = hoopoe_plugin_build::install();
        interrupt::check()?;
        installed.map(drop).context("the Wasm target cannot be installed")
    })
}
