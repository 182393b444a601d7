//! From a crate to its core module, and from there to a component.

use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

use crate::{Error, Output, Toolchain, command};

/// [`build_with`] with [`Output::Both`]. Works inside a build script.
pub fn build(toolchain: &Toolchain, manifest_dir: &Path, target_dir: &Path) -> Result<PathBuf, Error> {
    build_with(toolchain, manifest_dir, target_dir, Output::Both)
}

/// Build the crate in `manifest_dir` with its release profile and return the path of its core module, which
/// lies under `target_dir`. The crate can be anywhere, also outside this repository and in a workspace. When nothing
/// has changed it takes what a `cargo build` without work takes.
pub fn build_with(
    toolchain: &Toolchain,
    manifest_dir: &Path,
    target_dir: &Path,
    output: Output,
) -> Result<PathBuf, Error> {
    let whole = |path: &Path| std::path::absolute(path).map_err(|source| Error::File { path: path.to_owned(), source });
    // Cargo runs in the crate's folder, for the settings that lie there.
    let (manifest_dir, target_dir) = (&whole(manifest_dir)?, &whole(target_dir)?);
    let finished = command::run(
        toolchain
            .cargo_build()
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(target_dir)
            .arg("--manifest-path")
            .arg(manifest_dir.join("Cargo.toml"))
            .current_dir(manifest_dir),
        output,
    )?;
    if !finished.success {
        return Err(Error::Compile { manifest_dir: manifest_dir.to_owned(), output: finished.stderr });
    }
    module(&finished.stdout).ok_or_else(|| Error::NoModule { manifest_dir: manifest_dir.to_owned() })
}

/// The folder that cargo itself would build the crate in `manifest_dir` into: that of its workspace.
pub fn target_dir(toolchain: &Toolchain, manifest_dir: &Path) -> Result<PathBuf, Error> {
    let mut cargo = toolchain.cargo();
    let finished = command::run(
        cargo.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(manifest_dir),
        Output::Capture,
    )?;
    let metadata: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
    match metadata["target_directory"].as_str() {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Err(Error::Compile { manifest_dir: manifest_dir.to_owned(), output: finished.stderr }),
    }
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
    fn a_crate_anywhere_is_built_or_refused_with_the_compilers_words() {
        let folder = tempfile::tempdir().expect("there is room for a crate");
        let toolchain = Toolchain::detect().expect("there is a compiler for Wasm");
        let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).expect("it can be written");
        std::fs::create_dir(folder.path().join("src")).expect("it can be created");
        write(
            "Cargo.toml",
            "[package]\nname = \"bot\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]",
        );
        write("src/lib.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn seven() -> i32 { 7 }");
        let target = target_dir(&toolchain, folder.path()).expect("cargo knows the crate");
        assert!(target.ends_with("target"), "{}", target.display());
        let built = build_with(&toolchain, folder.path(), &target, Output::Capture);
        assert_eq!(built.expect("it compiles").file_name().and_then(|name| name.to_str()), Some("bot.wasm"));

        write("src/lib.rs", "fn seven() -> i32 { \"seven\" }");
        let failed = |output| {
            build_with(&toolchain, folder.path(), &folder.path().join("target"), output)
                .expect_err("it does not compile")
                .to_string()
        };
        assert!(failed(Output::Capture).contains("mismatched types"), "{}", failed(Output::Capture));
        assert!(failed(Output::Inherit).ends_with("does not compile"), "{}", failed(Output::Inherit));
    }

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
