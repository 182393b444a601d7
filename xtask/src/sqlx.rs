//! `cargo xtask sqlx`: describe every checked query against the real schema and keep the answers in `.sqlx`.
//!
//! Builds read them there and need no database. Descriptions of queries that are gone are removed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::postgres::{self, Binaries, Database, Kind};
use crate::step::step;
use crate::{process, setup, workspace};

const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The macros that sqlx checks; each ends in one of these.
const MACROS: [&str; 3] = ["query!(", "query_as!(", "query_scalar!("];

/// Run the command.
pub fn run() -> Result<()> {
    setup::run()?;
    let database = Database::start(Kind::Test)?;
    let binaries = match &database {
        Database::Embedded(cluster) => cluster.binaries().clone(),
        Database::External(_) => postgres::find_or_install()?.swap_remove(0),
    };
    let server = database.url("postgres");
    let name = format!("hoopoe_sqlx_{}", std::process::id());
    let url = postgres::with_database(&server, &name)?;
    postgres::create_database(&binaries, &server, &name)?;
    let outcome = describe(&binaries, &url);
    // The database of somebody else's server must not stay; its own goes with the cluster.
    let dropped = postgres::drop_database(&binaries, &server, &name);
    outcome.and(dropped)
}

fn describe(binaries: &Binaries, url: &str) -> Result<()> {
    step("applying the migrations", || {
        sorted(&workspace::root().join("migrations"), "sql")?
            .iter()
            .try_for_each(|file| postgres::run_file(binaries, url, file))
    })?;
    let fresh = workspace::state_dir()?.join("sqlx");
    empty(&fresh)?;
    let packages = packages_with_queries()?;
    step("checking every query against the schema", || {
        let mut command = process::cargo();
        command.args(["check", "--all-targets"]);
        for (name, sources) in &packages {
            command.args(["--package", name]);
            // The macros write their descriptions only where the compiler runs.
            for source in sources {
                touch(source)?;
            }
        }
        command.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &fresh).env("DATABASE_URL", url);
        process::run("cargo check", &mut command, LIMIT)
    })?;
    let kept = workspace::root().join(".sqlx");
    empty(&kept)?;
    let files = sorted(&fresh, "json")?;
    for file in &files {
        let name = file.file_name().context("a description without a name")?;
        fs::copy(file, kept.join(name)).with_context(|| format!("cannot keep {}", file.display()))?;
    }
    fs::remove_dir_all(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
    println!("{} queries are described in .sqlx", files.len());
    Ok(())
}

/// Packages of the workspace with checked queries, and the files that these stand in.
fn packages_with_queries() -> Result<Vec<(String, Vec<PathBuf>)>> {
    let metadata = process::output(process::cargo().args(["metadata", "--no-deps", "--format-version=1"]))
        .context("cargo metadata failed")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let uses_sqlx = package["dependencies"]
            .as_array()
            .is_some_and(|dependencies| dependencies.iter().any(|dependency| dependency["name"] == "sqlx"));
        let (Some(name), Some(manifest)) = (package["name"].as_str(), package["manifest_path"].as_str()) else {
            continue;
        };
        let mut sources = Vec::new();
        if let (true, Some(dir)) = (uses_sqlx, Path::new(manifest).parent()) {
            add_sources_with_queries(dir, &mut sources)?;
        }
        if !sources.is_empty() {
            packages.push((name.to_owned(), sources));
        }
    }
    Ok(packages)
}

fn add_sources_with_queries(dir: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            add_sources_with_queries(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if MACROS.iter().any(|name| text.contains(name)) {
                sources.push(path);
            }
        }
    }
    Ok(())
}

fn touch(path: &Path) -> Result<()> {
    File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("cannot touch {}", path.display()))
}

fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

/// The files with this extension, by name.
fn sorted(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_applied_in_the_order_of_their_names() {
        let dir = std::env::temp_dir().join(format!("xtask-sorted-{}", std::process::id()));
        empty(&dir).expect("a folder");
        for name in ["0002_b.sql", "0010_c.sql", "0001_a.sql", "README.md"] {
            fs::write(dir.join(name), "").expect("written");
        }
        let names: Vec<_> =
            sorted(&dir, "sql").expect("listed").iter().map(|path| path.file_name().map(ToOwned::to_owned)).collect();
        fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(names, ["0001_a.sql", "0002_b.sql", "0010_c.sql"].map(|name| Some(name.into())));
    }
}
