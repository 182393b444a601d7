//! What is watched, and whose file a changed file is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::project::{Package, name_of_file};

/// Something that makes a plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A crate, by its place in [`Sources::packages`].
    Package(usize),
    /// A Wasm file that was dropped into the folder.
    File(PathBuf),
}

/// The plugins of a watched folder.
#[derive(Debug)]
pub struct Sources {
    /// The folder.
    pub folder: PathBuf,
    /// Its crates.
    pub packages: Vec<Package>,
}

impl Sources {
    /// The plugins of this folder.
    pub fn find(folder: &Path) -> Result<Self, Error> {
        // As the watcher names changed files.
        let folder = folder.canonicalize().map_err(|error| Error::file(folder, &error))?;
        let mut packages = Package::all(&folder)?;
        for package in &mut packages {
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            package.folder = real(&package.folder);
            package.beside = package.beside.iter().map(|path| real(path)).collect();
        }
        Ok(Self { folder, packages })
    }

    /// All that there is now: every crate, and every Wasm file in the folder itself.
    pub fn all(&self) -> BTreeSet<Source> {
        let entries =
            std::fs::read_dir(&self.folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let files = entries.filter(|path| self.is_dropped(path)).map(Source::File);
        (0..self.packages.len()).map(Source::Package).chain(files).collect()
    }

    /// The name of the plugin that a source makes.
    pub fn name(&self, source: &Source) -> Result<String, Error> {
        match source {
            Source::Package(place) => Ok(self.packages[*place].name.clone()),
            Source::File(path) => name_of_file(path),
        }
    }

    /// What has to be built or loaded again after a change of this file; nothing for files that make no difference.
    pub fn of(&self, path: &Path) -> BTreeSet<Source> {
        if self.is_dropped(path) {
            return [Source::File(path.to_owned())].into();
        }
        let concerns = |package: &Package| {
            let folders = std::iter::once(&package.folder).chain(&package.beside);
            !path.starts_with(&package.target) && folders.clone().any(|folder| is_source(folder, path))
        };
        let packages = self.packages.iter().enumerate().filter(|(_, package)| concerns(package));
        let found: BTreeSet<Source> = packages.map(|(place, _)| Source::Package(place)).collect();
        // The manifest of a workspace concerns all its members.
        if found.is_empty() && path == self.folder.join("Cargo.toml") {
            return (0..self.packages.len()).map(Source::Package).collect();
        }
        found
    }

    fn is_dropped(&self, path: &Path) -> bool {
        path.parent() == Some(&self.folder) && path.extension().is_some_and(|kind| kind == "wasm") && !is_passing(path)
    }

    /// Folders to watch, with whether that includes what is below. Folders of builds are left out: their files are
    /// many, and change with every build.
    pub fn folders(&self) -> Vec<(PathBuf, bool)> {
        let mut folders = vec![(self.folder.clone(), false)];
        for package in &self.packages {
            for root in std::iter::once(&package.folder).chain(&package.beside) {
                folders.push((root.clone(), false));
                let below = std::fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
                folders.extend(below.filter(|path| self.is_watched_below(path)).map(|path| (path, true)));
            }
        }
        folders.sort();
        folders.dedup_by(|one, other| one.0 == other.0);
        folders
    }

    /// Whether this is a folder right below a crate's, with sources in it.
    pub fn is_watched_below(&self, path: &Path) -> bool {
        let roots = self.packages.iter().flat_map(|package| std::iter::once(&package.folder).chain(&package.beside));
        let below = roots.into_iter().any(|root| path.parent() == Some(root.as_path()));
        let built =
            self.packages.iter().any(|package| package.target.starts_with(path) || path.starts_with(&package.target));
        below && !built && path.is_dir() && !is_hidden(path) && path.file_name().is_some_and(|name| name != "target")
    }
}

/// Whether a file below a crate's folder can change what is built.
fn is_source(folder: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(folder) else { return false };
    let mut parts = below.components().map(|part| Path::new(part.as_os_str()));
    // Cargo writes its lock file with every build of a new project.
    let first = below.components().next().map(|part| part.as_os_str().to_owned());
    let known = first.is_some_and(|first| first != "target" && first != "Cargo.lock" && first != "README.md");
    known && !parts.any(is_hidden) && !is_passing(path)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'))
}

/// Files that editors keep for a moment.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    is_hidden(path)
        || name.ends_with('~')
        || (name.starts_with('#') && name.ends_with('#'))
        || ["swp", "swx", "swo", "tmp", "part", "crdownload"].iter().any(|kind| path.extension().is_some_and(|x| x == *kind))
        // Vim writes it to see whether it may.
        || name == "4913"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Package {
        Package {
            name: name.to_owned(),
            folder: format!("/w/{name}").into(),
            target: "/w/target".into(),
            beside: vec!["/sdk".into()],
        }
    }

    #[test]
    fn a_change_concerns_the_crates_that_it_is_built_into() {
        let sources = Sources { folder: "/w".into(), packages: vec![package("a"), package("b")] };
        let packages = |places: &[usize]| places.iter().map(|place| Source::Package(*place)).collect::<BTreeSet<_>>();
        let cases = [
            ("/w/a/src/lib.rs", packages(&[0])),
            ("/w/b/src/deep/er.rs", packages(&[1])),
            ("/w/a/Cargo.toml", packages(&[0])),
            ("/w/a/texts/hello.txt", packages(&[0])),
            ("/sdk/src/lib.rs", packages(&[0, 1])),
            ("/w/Cargo.toml", packages(&[0, 1])),
            ("/w/x.wasm", [Source::File("/w/x.wasm".into())].into()),
            ("/w/.x.wasm", packages(&[])),
            ("/w/x.wasm.part", packages(&[])),
            ("/w/a/Cargo.lock", packages(&[])),
            ("/w/a/target/x.rs", packages(&[])),
            ("/w/target/x.wasm", packages(&[])),
            ("/w/a/src/.lib.rs.swp", packages(&[])),
            ("/w/a/src/lib.rs~", packages(&[])),
            ("/w/a/src/4913", packages(&[])),
            ("/w/a/.git/index", packages(&[])),
            ("/elsewhere/lib.rs", packages(&[])),
        ];
        for (path, expected) in cases {
            assert_eq!(sources.of(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn folders_of_builds_are_not_watched() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("it is there");
        for folder in ["bot/src", "bot/target/debug", "bot/.git"] {
            std::fs::create_dir_all(root.join(folder)).expect("folders");
        }
        let bot = root.join("bot");
        let package =
            Package { name: "bot".to_owned(), folder: bot.clone(), target: bot.join("target"), beside: Vec::new() };
        let sources = Sources { folder: bot.clone(), packages: vec![package] };
        assert_eq!(sources.folders(), [(bot.clone(), false), (bot.join("src"), true)]);
        std::fs::write(bot.join("my_bot.wasm"), "").expect("written");
        let dropped = Source::File(bot.join("my_bot.wasm"));
        assert_eq!(sources.name(&dropped).as_deref(), Ok("my-bot"));
        assert_eq!(sources.all(), [Source::Package(0), dropped].into());
    }
}
