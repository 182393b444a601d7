//! The plugins on this machine: crates that cargo knows, found from a folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Error;

/// A crate that makes a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The plugin's name: the crate's, with `-` for `_`.
    pub name: String,
    /// The crate's folder.
    pub folder: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Folders of the crates that it takes from this machine by path.
    pub beside: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    path: Option<PathBuf>,
}

impl Package {
    /// The plugin of this folder or of the nearest one above it.
    pub fn find(start: &Path) -> Result<Self, Error> {
        let advice = "change to a plugin's folder, or make one with `hoopoe new my-bot`";
        let folder = start
            .ancestors()
            .find(|folder| folder.join("Cargo.toml").is_file())
            .ok_or_else(|| Error::usage(format!("there is no Cargo.toml here or above; {advice}")))?;
        let found = members(folder)?.into_iter().find(|package| same(&package.folder, folder));
        found.ok_or_else(|| {
            let path = folder.join("Cargo.toml");
            Error::usage(format!("{} is no plugin: it has no library of type cdylib; {advice}", path.display()))
        })
    }

    /// [`Package::find`] from the current folder.
    pub fn here() -> Result<Self, Error> {
        Self::find(&current_dir()?)
    }

    /// The plugins of a folder: its own crate, else the members of its workspace, else the crates one level below.
    pub fn all(folder: &Path) -> Result<Vec<Self>, Error> {
        if folder.join("Cargo.toml").is_file() {
            let members = members(folder)?;
            let own = members.iter().find(|package| same(&package.folder, folder)).cloned();
            return Ok(own.map_or(members, |own| vec![own]));
        }
        let entries = std::fs::read_dir(folder).map_err(|error| Error::file(folder, &error))?;
        let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        folders.sort();
        let mut packages = Vec::new();
        for folder in folders.iter().filter(|folder| folder.join("Cargo.toml").is_file()) {
            packages.extend(members(folder)?.into_iter().filter(|package| same(&package.folder, folder)));
        }
        Ok(packages)
    }
}

/// The folder in which the command runs.
pub fn current_dir() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|error| Error::file(Path::new("."), &error))
}

/// The cargo in use.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.stdin(Stdio::null());
    command
}

/// The plugins of the workspace that this folder's manifest belongs to.
fn members(folder: &Path) -> Result<Vec<Package>, Error> {
    let manifest = folder.join("Cargo.toml");
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .current_dir(folder)
        .output()
        .map_err(|error| {
            Error::failed(format!("cargo cannot be started: {error}; install it from https://rustup.rs"))
        })?;
    if !output.status.success() {
        return Err(Error::failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::failed(format!("cargo describes {} strangely: {error}", manifest.display())))?;
    Ok(plugins(metadata))
}

fn plugins(metadata: Metadata) -> Vec<Package> {
    let Metadata { packages, target_directory } = metadata;
    let is_plugin = |package: &MetadataPackage| {
        package.targets.iter().any(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
    };
    let package = |package: MetadataPackage| Package {
        name: package.name.replace('_', "-").to_lowercase(),
        folder: package.manifest_path.parent().map(Path::to_owned).unwrap_or_default(),
        target: target_directory.clone(),
        beside: package.dependencies.into_iter().filter_map(|dependency| dependency.path).collect(),
    };
    packages.into_iter().filter(is_plugin).map(package).collect()
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Whether a plugin can be called so: 1 to 64 of `a-z`, `0-9`, `-`.
pub fn check_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Error::usage(format!("{name:?} is no name of a plugin: it has 1 to 64 of a-z, 0-9 and `-`")))
}

/// The name of a plugin in a file: the file's, without what comes after the first dot.
pub fn name_of_file(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default().replace('_', "-").to_lowercase();
    check_name(&name).map_err(|error| Error::usage(format!("{}: {error}; rename the file", path.display())))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_crates_that_make_a_module_are_plugins() {
        let metadata = json!({
            "target_directory": "/w/target",
            "packages": [
                {
                    "name": "My_Bot", "manifest_path": "/w/bot/Cargo.toml",
                    "targets": [{ "crate_types": ["cdylib", "rlib"] }],
                    "dependencies": [{ "path": "/hoopoe/sdk" }, { "path": null }, {}],
                },
                {
                    "name": "tool", "manifest_path": "/w/tool/Cargo.toml",
                    "targets": [{ "crate_types": ["bin"] }], "dependencies": [],
                },
            ],
        });
        let found = plugins(serde_json::from_value(metadata).expect("as cargo writes it"));
        let expected = Package {
            name: "my-bot".to_owned(),
            folder: "/w/bot".into(),
            target: "/w/target".into(),
            beside: vec!["/hoopoe/sdk".into()],
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_folder_without_plugin_says_how_to_make_one() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Package::all(folder.path()), Ok(Vec::new()));
        std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"x\"\n[workspace]\n").expect("written");
        std::fs::create_dir(folder.path().join("src")).expect("a folder");
        std::fs::write(folder.path().join("src/lib.rs"), "").expect("written");
        let error = Package::find(folder.path()).expect_err("a library, but of another type");
        assert!(error.to_string().contains("cdylib") && error.to_string().contains("hoopoe new"), "{error}");
        assert_eq!(error.code(), 2);
    }

    #[test]
    fn files_are_named_as_plugins_are() {
        for (file, name) in [("my_bot.wasm", Some("my-bot")), ("a.component.wasm", Some("a")), ("\u{e9}.wasm", None)] {
            assert_eq!(name_of_file(Path::new(file)).ok().as_deref(), name, "{file}");
        }
        assert!(check_name(&"x".repeat(65)).is_err() && check_name("").is_err() && check_name("a b").is_err());
    }
}
