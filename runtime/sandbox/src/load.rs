//! From bytes to a plugin that can run: what is checked, and what can be wrong.

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::contract::{HANDLER, IMPORTS, Manifest, Prepared, VERSION};
use crate::guest::Guest;
use crate::{Failure, Limits};

/// Why a component cannot be used as a plugin. The texts are for whoever uploaded it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no WebAssembly.
    #[error("this is no WebAssembly: it does not begin with \\0asm")]
    NotWasm,
    /// There are too many bytes.
    #[error("the component has {size} bytes; {limit} are allowed")]
    TooLarge {
        /// Bytes of the component.
        size: usize,
        /// [`Limits::component_bytes`].
        limit: usize,
    },
    /// The bytes are a core module.
    #[error("this is a core WebAssembly module, not a component: make one of it with `wasm-tools component new`")]
    NotComponent,
    /// The component does not export what a plugin exports, or with other types.
    #[error("this component is no flow plugin: {missing}")]
    WrongWorld {
        /// What is missing or different.
        missing: String,
    },
    /// The component was made for a contract that this host does not know.
    #[error("the plugin was made for version {found} of the contract; this host has {VERSION}")]
    NewerContract {
        /// The plugin's version of the contract.
        found: String,
    },
    /// The component wants more of the host than plugins get.
    #[error("a plugin may import hoopoe:flow/host only; this one also imports {}", names.join(", "))]
    ForbiddenImport {
        /// The imports that are not there.
        names: Vec<String>,
    },
    /// The component is malformed, or uses what the sandbox does not have.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// The plugin failed when it was asked what it is.
    #[error("the plugin cannot describe itself: {0}")]
    Describe(Failure),
    /// What the plugin says of itself is malformed.
    #[error("the plugin's manifest is malformed: {0}")]
    Manifest(String),
}

/// Bytes before a component or module: magic number, version, layer.
const MAGIC: &[u8] = b"\0asm";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// What can be said before anything is compiled.
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<(), Error> {
    let (size, limit) = (bytes.len(), limits.component_bytes);
    if size > limit {
        Err(Error::TooLarge { size, limit })
    } else if bytes.starts_with(MODULE) {
        Err(Error::NotComponent)
    } else if bytes.starts_with(MAGIC) {
        Ok(())
    } else {
        Err(Error::NotWasm)
    }
}

/// Compile and link. Takes a while: for a thread that may block.
pub(crate) fn prepare(engine: &Engine, linker: &Linker<Guest>, bytes: &[u8]) -> Result<Prepared, Error> {
    let compile = |error: wasmtime::Error| Error::Compile(format!("{error:#}"));
    let wrong = |error: wasmtime::Error| Error::WrongWorld { missing: format!("{error:#}") };
    let component = Component::from_binary(engine, bytes).map_err(compile)?;
    check_world(engine, &component)?;
    Prepared::new(linker.instantiate_pre(&component).map_err(wrong)?).map_err(wrong)
}

fn check_world(engine: &Engine, component: &Component) -> Result<(), Error> {
    let world = component.component_type();
    let handlers: Vec<&str> = world.exports(engine).filter_map(|(name, _)| name.strip_prefix(HANDLER)).collect();
    if !handlers.contains(&VERSION) {
        return Err(match handlers.first() {
            Some(found) => Error::NewerContract { found: (*found).to_owned() },
            None => Error::WrongWorld { missing: format!("it does not export {HANDLER}{VERSION}") },
        });
    }
    let imports = world.imports(engine).map(|(name, _)| name);
    let names: Vec<String> = imports.filter(|name| !IMPORTS.contains(name)).map(str::to_owned).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::ForbiddenImport { names }) }
}

/// A manifest that others can rely on: see `manifest` in the contract.
pub(crate) fn check_manifest(manifest: &Manifest) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=64).contains(&manifest.name.len()) || !manifest.name.chars().all(fits) {
        return Err(Error::Manifest("the name has to be 1 to 64 of a-z, 0-9 and `-`".to_owned()));
    }
    if !is_version(&manifest.version) {
        return Err(Error::Manifest("the version has to be a semantic version such as 1.2.0".to_owned()));
    }
    Ok(())
}

/// Three numbers, and after `-` or `+` whatever the author likes, in 64 characters.
fn is_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && parts.len() == 3
        && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_needs_a_name_and_a_version() {
        let long = "x".repeat(65);
        let cases = [
            ("auto-reply", "1.2.0", true),
            ("a", "0.1.0-rc.1+5", true),
            ("", "1.0.0", false),
            ("Auto", "1.0.0", false),
            (long.as_str(), "1.0.0", false),
            ("a", "1.0", false),
            ("a", "1..0", false),
            ("a", "v1.0.0", false),
            ("a", "1.0.0- x", false),
        ];
        for (name, version, fits) in cases {
            let (name, version) = (name.to_owned(), version.to_owned());
            let manifest = Manifest { name, version, events: Vec::new(), config_schema: None };
            assert_eq!(check_manifest(&manifest).is_ok(), fits, "{manifest:?}");
        }
    }
}
