#![doc = include_str!("../README.md")]

mod from_guest;
mod play;
mod to_guest;
mod wasm;

use std::path::{Path, PathBuf};

use hoopoe_plugin_build::Toolchain;
use hoopoe_sdk::testing::Chat;

pub use hoopoe_sdk::testing::compiled::{COMMAND, COMPONENT, HOST};
pub use play::play;
pub use wasm::Wasm;

/// A conversation with a compiled plugin.
pub type WasmHarness = Chat<Wasm>;

/// Why there is nobody to talk to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The crate does not build.
    #[error(transparent)]
    Build(#[from] hoopoe_plugin_build::Error),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sandbox cannot be set up.
    #[error(transparent)]
    Sandbox(#[from] hoopoe_sandbox::Error),
    /// The component is no plugin of this host.
    #[error(transparent)]
    Load(#[from] hoopoe_sandbox::load::Error),
    /// There is no thread to run it on.
    #[error("there is no runtime for the sandbox: {0}")]
    Runtime(std::io::Error),
}

/// A conversation with the plugin of the crate in this folder, which is built when it is not up to date.
pub fn build(manifest_dir: impl AsRef<Path>) -> Result<WasmHarness, Error> {
    let manifest_dir = manifest_dir.as_ref();
    let toolchain = Toolchain::detect().map_err(hoopoe_plugin_build::Error::from)?;
    let target_dir = hoopoe_plugin_build::target_dir(&toolchain, manifest_dir)?;
    let core = hoopoe_plugin_build::build(&toolchain, manifest_dir, &target_dir)?;
    let module = std::fs::read(&core).map_err(|source| Error::File { path: core, source })?;
    open(&hoopoe_plugin_build::componentize(&module)?)
}

/// A conversation with the plugin of this component.
pub fn open(component: &[u8]) -> Result<WasmHarness, Error> {
    Ok(Chat::with(Wasm::load(component)?))
}
