//! Building the workspace's programs and finding where cargo put them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{self, Running, describe};
use crate::step::step;

/// The release profile takes many minutes on a small machine.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Build programs and return the path of each.
pub fn programs<const N: usize>(wanted: [&str; N], release: bool) -> Result<[PathBuf; N]> {
    let mut command = process::cargo();
    // With the features that the whole workspace needs, as the tests have them: nothing is compiled twice.
    command.args(["build", "--workspace", "--message-format=json-render-diagnostics"]).stdout(Stdio::piped());
    for program in wanted {
        command.args(["--bin", program]);
    }
    if release {
        command.arg("--release");
    }
    let profile = if release { "release" } else { "dev" };
    let mut built = step(&format!("building {} ({profile})", wanted.join(", ")), || {
        let mut cargo = Running::start("cargo build", &mut command)?;
        let messages = cargo.child().stdout.take().context("cargo has no output")?;
        let reader = thread::spawn(move || executables(BufReader::new(messages).lines().map_while(Result::ok)));
        let status = cargo.wait(LIMIT)?;
        if !status.success() {
            bail!("cargo build failed ({})", describe(status));
        }
        reader.join().map_err(|_| anyhow::anyhow!("cargo's messages cannot be read"))
    })?;
    let mut paths = wanted.map(|_| PathBuf::new());
    for (path, program) in paths.iter_mut().zip(wanted) {
        *path = built.remove(program).with_context(|| format!("cargo built no program `{program}`"))?;
    }
    Ok(paths)
}

/// Program and path of what cargo reports as built or fresh.
fn executables(lines: impl Iterator<Item = String>) -> HashMap<String, PathBuf> {
    lines
        .filter_map(|line| {
            let message: Value = serde_json::from_str(&line).ok()?;
            let path = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let lines = [
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"hoopoe"},"executable":"/t/debug/hoopoe"}"#,
            "no json",
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let found = executables(lines.iter().map(|line| line.to_string()));
        assert_eq!(found, HashMap::from([("hoopoe".to_owned(), PathBuf::from("/t/debug/hoopoe"))]));
    }
}
