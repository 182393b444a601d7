//! Finding Postgres's programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Account;
use crate::process;

/// The oldest major version that the schema is made for.
const OLDEST: u32 = 15;

/// The programs that the commands call.
const PROGRAMS: [&str; 4] = ["initdb", "pg_ctl", "postgres", "psql"];

/// Folders that hold a folder per version, the part of its name before the version, and where in it the
/// programs lie: Debian, RHEL, Homebrew on Apple silicon and on Intel, Postgres.app.
const VERSIONED: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// A folder with Postgres's programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
    /// 15 of 15.4.
    pub major: u32,
}

impl Binaries {
    /// What is on this machine and the account can run: what PATH leads to first, then the newest.
    pub fn find(account: &Account) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for dir in candidates() {
            if found.iter().all(|binaries| binaries.dir != dir)
                && let Some(binaries) = Self::at(dir, account)
            {
                found.push(binaries);
            }
        }
        found
    }

    fn at(dir: PathBuf, account: &Account) -> Option<Self> {
        if !PROGRAMS.iter().all(|program| dir.join(program).is_file()) {
            return None;
        }
        let mut version = Command::new(dir.join("postgres"));
        let version = process::output(account.take_on(version.arg("--version"), Path::new("/")))?;
        let major = major(&version)?;
        (major >= OLDEST).then_some(Self { dir, major })
    }

    /// One of the programs, without the caller's own settings for Postgres.
    pub fn command(&self, program: &str) -> Command {
        let mut command = process::command(self.dir.join(program));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Whether the server can load the library `name`. Without `pg_config`, which knows where libraries lie, it is said
    /// that it cannot.
    pub fn has_library(&self, name: &str) -> bool {
        let Some(dir) = process::output(self.command("pg_config").arg("--pkglibdir")) else { return false };
        // On macOS the ending depends on the version.
        ["so", "dylib"].iter().any(|ending| Path::new(&dir).join(format!("{name}.{ending}")).is_file())
    }

    /// Where the programs lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// `postgres (PostgreSQL) 15.4 (Debian 15.4-1)` is 15; so are `15beta1` and `15devel`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Folders that may hold the programs. Links are followed: /usr/bin or /usr/local/bin may link to some of them.
fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path)
        .filter_map(|dir| fs::canonicalize(dir.join("initdb")).ok())
        .filter_map(|initdb| Some(initdb.parent()?.to_owned()))
        .collect();
    dirs.extend(process::output(Command::new("pg_config").arg("--bindir")).map(PathBuf::from));
    dirs.extend(VERSIONED.iter().flat_map(|(parent, prefix, bin)| versions(Path::new(parent), prefix, bin)));
    dirs.extend(["/opt/homebrew/opt/postgresql/bin", "/usr/local/opt/postgresql/bin"].map(PathBuf::from));
    dirs.iter().filter_map(|dir| fs::canonicalize(dir).ok()).collect()
}

/// The `bin` folders of the versions that lie in `parent`, newest first.
fn versions(parent: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            Some((major(version)?, entry.path().join(bin)))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        for (text, expected) in [
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 17devel", Some(17)),
            ("17", Some(17)),
            ("postgres (PostgreSQL)", None),
            ("", None),
        ] {
            assert_eq!(major(text), expected, "{text}");
        }
    }

    #[test]
    fn versions_are_newest_first_and_other_folders_are_left_out() {
        let parent = std::env::temp_dir().join(format!("xtask-versions-{}", std::process::id()));
        for name in ["postgresql@9", "postgresql@17", "postgresql@14", "postgresql@x", "redis@7"] {
            fs::create_dir_all(parent.join(name)).expect("a folder");
        }
        let found = versions(&parent, "postgresql@", "bin");
        let expected: Vec<PathBuf> = [17, 14, 9].map(|v| parent.join(format!("postgresql@{v}/bin"))).into();
        fs::remove_dir_all(&parent).expect("removed");
        assert_eq!(found, expected);
        assert_eq!(versions(&parent, "", "bin"), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_folder_without_all_programs_does_not_count() {
        assert_eq!(Binaries::at("/nonexistent".into(), &Account::Own), None);
    }
}
