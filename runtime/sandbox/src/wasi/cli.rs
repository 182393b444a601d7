//! `wasi:cli`: no arguments, variables and terminals, an empty input, and outputs that lead to the log.

use wasmtime::Result;
use wasmtime::component::{LinkerInstance, Resource};

use super::Nothing;
use super::io::{ERROR, InputStream, OUTPUT, OutputStream};
use crate::guest::Guest;

pub(super) fn environment(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("get-environment", |_, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    to.func_wrap("get-arguments", |_, (): ()| Ok((Vec::<String>::new(),)))?;
    to.func_wrap("initial-cwd", |_, (): ()| Ok((None::<String>,)))
}

/// A plugin ends by returning: who exits ends the run.
pub(super) fn exit(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("exit", |mut store, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
        store.data_mut().abort(format!("it exited with {}", if status.is_ok() { "success" } else { "failure" }));
        wasmtime::bail!("the guest ended itself")
    })?;
    to.func_wrap("exit-with-code", |mut store, (code,): (u8,)| -> Result<()> {
        store.data_mut().abort(format!("it exited with the code {code}"));
        wasmtime::bail!("the guest ended itself")
    })
}

pub(super) fn stdin(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("get-stdin", |_, (): ()| Ok((Resource::<InputStream>::new_own(0),)))
}

pub(super) fn stdout(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("get-stdout", |_, (): ()| Ok((Resource::<OutputStream>::new_own(OUTPUT),)))
}

pub(super) fn stderr(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("get-stderr", |_, (): ()| Ok((Resource::<OutputStream>::new_own(ERROR),)))
}

pub(super) fn no_terminal(to: &mut LinkerInstance<'_, Guest>, name: &str) -> Result<()> {
    to.func_wrap(name, |_, (): ()| Ok((None::<Resource<Nothing>>,)))
}

/// `wasi:filesystem/preopens`: without a folder to begin with, no file can be opened.
pub(super) fn preopens(to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    to.func_wrap("get-directories", |_, (): ()| Ok((Vec::<(Resource<Nothing>, String)>::new(),)))
}
