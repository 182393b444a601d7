//! From a crate to its core module, and from there to a component.

use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

use crate::{Error, Toolchain, command};

/// Build the crate in `manifest_dir` with its release profile and return the path of its core module, which
/// lies under `target_dir`. Works inside a build script. When nothing has changed it takes what a `cargo build`
/// without work takes.
pub fn build(toolchain: &Toolchain, manifest_dir: &Path, target_dir: &Path) -> Result<PathBuf, Error> {
    let output = command::run(
        toolchain
            .cargo_build()
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(target_dir)
            .arg("--manifest-path")
            .arg(manifest_dir.join("Cargo.toml"))
            .current_dir(manifest_dir),
    )?;
    if !output.success {
        return Err(Error::Compile { manifest_dir: manifest_dir.to_owned(), output: output.stderr });
    }
    module(&output.stdout).ok_or_else(|| Error::NoModule { manifest_dir: manifest_dir.to_owned() })
}

/// The last Wasm file that cargo reports: the crate itself comes after what it depends on.
fn module(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let files = message["filenames"].as_array()?;
            files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
        })
        .next_back()
}

/// Turn a core module that carries its WIT into a component, and validate it.
pub fn componentize(core: &[u8]) -> Result<Vec<u8>, Error> {
    let encode = || ComponentEncoder::default().validate(true).module(core)?.encode();
    encode().map_err(|error: anyhow::Error| Error::Componentize(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib"]}
not json
{"reason":"compiler-artifact","filenames":["/t/auto_reply.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(module(messages), Some(PathBuf::from("/t/auto_reply.wasm")));
        assert_eq!(module(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let error = componentize(b"not wasm").expect_err("text is no module");
        assert!(matches!(error, Error::Componentize(_)), "{error}");
    }
}
