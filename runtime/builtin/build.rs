//! Builds the built-in plugins from their sources to components in `OUT_DIR`.
//!
//! A binary never carries a stale plugin: everything that goes into one is watched. It never lacks one: without
//! a compiler for Wasm the build fails, and says how to get one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hoopoe_plugin_build::{Error, Toolchain, build, componentize};

const PLUGINS: [&str; 3] = ["auto-reply", "rules", "templates"];

/// What goes into every plugin, from the repository's root.
const SOURCES: [&str; 12] = [
    "Cargo.toml",
    "plugins/Cargo.lock",
    "plugins/Cargo.toml",
    "runtime/rules/Cargo.toml",
    "runtime/rules/src",
    "runtime/templates/Cargo.toml",
    "runtime/templates/src",
    "sdk/Cargo.toml",
    "sdk/macros/Cargo.toml",
    "sdk/macros/src",
    "sdk/src",
    "wit",
];

fn main() -> ExitCode {
    let root = folder("CARGO_MANIFEST_DIR").join("../..");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    for plugin in PLUGINS {
        println!("cargo:rerun-if-changed={}", root.join("plugins").join(plugin).display());
        if let Err(error) = embed(&root.join("plugins"), plugin, &folder("OUT_DIR")) {
            eprintln!("the built-in plugin {plugin} cannot be embedded: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn embed(plugins: &Path, plugin: &str, out: &Path) -> Result<(), Error> {
    let core = build(&Toolchain::detect()?, &plugins.join(plugin), &plugins.join("target"))?;
    let file = |path: &Path, source| Error::File { path: path.to_owned(), source };
    let component = componentize(&fs::read(&core).map_err(|source| file(&core, source))?)?;
    let target = out.join(plugin).with_extension("wasm");
    fs::write(&target, component).map_err(|source| file(&target, source))
}

/// A folder that cargo names.
fn folder(variable: &str) -> PathBuf {
    PathBuf::from(env::var_os(variable).expect("cargo sets it for every build script"))
}
