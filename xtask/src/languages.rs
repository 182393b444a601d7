//! `cargo xtask languages`: the example flows in other languages than Rust, each built by its own script, which
//! installs the language's compiler of components from the language's registry.
//!
//! Out: for each a component below `plugins/target/languages`. What can fail: a script fails or hangs. That a machine
//! lacks a language, or cannot install packages, is no failure of the scripts: they say what is missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, Running, describe};
use crate::step::step;
use crate::workspace;

/// For a script that installs packages and compiles.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The exit code of a script that says what is missing.
const MISSING: i32 = 3;

/// All of them, or say what is missing and fail.
pub fn command() -> Result<()> {
    match build()?.as_slice() {
        [] => Ok(()),
        missing => bail!("not built, for what is said above: {}", missing.join(", ")),
    }
}

/// Build those that can be built on this machine; the names of the others.
pub fn build() -> Result<Vec<String>> {
    let examples = workspace::root().join("plugins/examples");
    let mut missing = Vec::new();
    for folder in scripted(&examples)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = workspace::root().join("plugins/target/languages").join(&name);
        if step(&format!("building {name}"), || script(&name, &folder, &target))? {
            println!("{}", target.join("flow.wasm").display());
        } else {
            println!("{name} is skipped");
            missing.push(name);
        }
    }
    Ok(missing)
}

/// Whether it was built.
fn script(name: &str, folder: &Path, target: &Path) -> Result<bool> {
    let mut script = process::command("sh");
    let status = Running::start(name, script.arg(folder.join("build.sh")).arg(target))?.wait(LIMIT)?;
    match status.code() {
        Some(0) => Ok(true),
        Some(MISSING) => Ok(false),
        _ => bail!("{name} failed ({})", describe(status)),
    }
}

/// The examples that are built by a script, by name.
fn scripted(examples: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(examples).with_context(|| format!("cannot read {}", examples.display()))?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join("build.sh").is_file());
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_with_a_script_are_found() {
        let found = scripted(&workspace::root().join("plugins/examples")).expect("there are examples");
        let names: Vec<_> = found.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
        assert_eq!(names, ["feedback-javascript", "reminders-python"]);
    }

    #[test]
    fn what_is_missing_is_told_from_what_is_broken() {
        for (code, built) in [(0, Some(true)), (MISSING, Some(false)), (1, None)] {
            // Nothing cleans up after a test that fails: the folder lies below the target folder.
            let folder = workspace::root().join(format!("target/tmp/xtask-languages-{code}"));
            std::fs::create_dir_all(&folder).expect("it can be made");
            std::fs::write(folder.join("build.sh"), format!("exit {code}")).expect("it can be written");
            assert_eq!(script("a script", &folder, &folder).ok(), built, "exit code {code}");
        }
    }
}
