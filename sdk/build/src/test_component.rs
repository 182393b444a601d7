//! Components of this repository's own plugins, for tests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Toolchain, build, componentize};

/// The component of the plugin in `plugins/<name>` of this repository, built when it is not up to date.
///
/// Many test processes may ask at once: cargo's lock lets one of them compile, and the component's file is
/// replaced as a whole.
pub fn test_component(name: &str) -> Result<Vec<u8>, Error> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let core = build(&Toolchain::detect()?, &plugins.join(name), &plugins.join("target"))?;
    let component = core.with_extension("component.wasm");
    if is_newer(&component, &core) {
        return read(&component);
    }
    let bytes = componentize(&read(&core)?)?;
    write_whole(&component, &bytes)?;
    Ok(bytes)
}

fn is_newer(component: &Path, core: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    matches!((modified(component), modified(core)), (Some(component), Some(core)) if component > core)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source: std::io::Error| Error::File { path: path.to_owned(), source })
}
