//! From a crate to the component that is uploaded, with the time it took.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hoopoe_plugin_build::{Output, Toolchain, build_with, componentize};

use crate::Error;
use crate::project::Package;

/// A component that was just built.
pub struct Artifact {
    /// Its bytes.
    pub component: Vec<u8>,
    /// Where they lie.
    pub path: PathBuf,
    /// How long cargo took.
    pub build: Duration,
    /// How long it took to make a component of cargo's module.
    pub pack: Duration,
}

/// Build the package. Cargo's words go to standard error as they come, on a terminal with colours and progress.
pub fn build(toolchain: &Toolchain, package: &Package) -> Result<Artifact, Error> {
    let start = Instant::now();
    let core = build_with(toolchain, &package.folder, &package.target, Output::Inherit)?;
    let build = start.elapsed();
    let start = Instant::now();
    let component = componentize(&read(&core)?)?;
    let path = core.with_extension("component.wasm");
    fs::write(&path, &component).map_err(|error| Error::file(&path, &error))?;
    Ok(Artifact { component, path, build, pack: start.elapsed() })
}

/// The compiler on this machine, or how to get one.
pub fn toolchain() -> Result<Toolchain, Error> {
    Toolchain::detect().map_err(|missing| Error::failed(missing.to_string()))
}

/// A Wasm file, as it is.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::file(path, &error))
}
