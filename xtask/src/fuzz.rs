//! A short run of the fuzz targets of `runtime/protocol`, from their kept corpus.
//!
//! It needs cargo-fuzz and a nightly compiler, and neither is installed for it: where one is missing it is said, and
//! the tests' replay of the corpus is all that is checked.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{process, workspace};

/// The targets of `runtime/protocol/fuzz`.
const TARGETS: [&str; 4] = ["envelope", "rules", "signature", "templates"];

/// Whatever comes first ends the run of a target: so many inputs, or seconds.
const BOUNDS: [&str; 2] = ["-runs=20000", "-max_total_time=20"];

/// The targets are compiled first.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Whether this machine can run them; says so when it cannot.
pub fn can_run() -> bool {
    let can = process::succeeds(nightly().arg("--version"));
    if !can {
        println!(
            "the fuzz targets are skipped: cargo-fuzz or a nightly compiler is missing; the tests replay their corpus"
        );
    }
    can
}

/// Run each target for a while.
pub fn short() -> Result<()> {
    TARGETS.iter().try_for_each(|target| process::run(target, &mut target_run(target), LIMIT))
}

fn target_run(target: &str) -> Command {
    let package = workspace::root().join("runtime/protocol");
    let mut run = nightly();
    run.args(["run", target]).arg(package.join("fuzz/corpus").join(target)).arg("--").args(BOUNDS);
    run.current_dir(package);
    run
}

/// By rustup's own cargo, which alone knows toolchains by name; it is not to install one.
fn nightly() -> Command {
    let mut cargo = process::command("cargo");
    cargo.args(["+nightly", "fuzz"]).env("RUSTUP_AUTO_INSTALL", "0");
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus_and_no_other_has() {
        let fuzz = workspace::root().join("runtime/protocol/fuzz");
        let names = |folder: &str| {
            let entries = std::fs::read_dir(fuzz.join(folder)).expect("a folder");
            let stem = |entry: std::io::Result<std::fs::DirEntry>| {
                Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned())
            };
            let mut names: Vec<String> = entries.filter_map(stem).collect();
            names.sort();
            names
        };
        assert_eq!(names("fuzz_targets"), TARGETS);
        assert_eq!(names("corpus"), TARGETS);
    }

    #[test]
    fn a_run_is_bounded() {
        let run = target_run("envelope");
        let words: Vec<_> = run.get_args().map(|word| word.to_string_lossy()).collect();
        assert_eq!(words[..4], ["+nightly", "fuzz", "run", "envelope"]);
        assert!(words[4].ends_with("runtime/protocol/fuzz/corpus/envelope"), "{words:?}");
        assert_eq!(words[5..], ["--", "-runs=20000", "-max_total_time=20"]);
    }
}
