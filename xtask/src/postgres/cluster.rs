//! A cluster of this checkout: its folder, its password and port, its server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::files::{create_private, home};
use super::server::{self, Failure, USER};
use super::{Account, Binaries, find_or_install};
use crate::lock::Lock;
use crate::process::Running;
use crate::workspace::{free_port, is_free, random_hex, write_secret};

/// How often a throwaway server looks for another port when somebody was faster.
const PORT_ATTEMPTS: usize = 3;

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Kept from one start to the next, on the same port while that is free. Durable.
    Dev,
    /// Thrown away at the end, and fast: a crash of the machine may destroy it.
    Test,
    /// Thrown away at the end, with Postgres's own durability and room to write.
    Bench,
}

impl Kind {
    /// For people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Dev => "data is kept",
            Self::Test => "throwaway, not durable",
            Self::Bench => "throwaway, durable",
        }
    }

    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Test => &["fsync=off", "full_page_writes=off", "synchronous_commit=off"],
            Self::Bench => &["shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min"],
        }
    }

    /// The name of its folder. Throwaway ones of several processes lie beside each other.
    fn folder(self) -> String {
        match self {
            Self::Dev => "dev".to_owned(),
            Self::Test => format!("test-{}", std::process::id()),
            Self::Bench => format!("bench-{}", std::process::id()),
        }
    }
}

/// A running server and its data. Stopped when dropped; throwaway data is removed then.
pub struct Cluster {
    kind: Kind,
    dir: PathBuf,
    lock_file: PathBuf,
    port: u16,
    password: String,
    binaries: Binaries,
    server: Option<Running>,
    /// Given back last.
    _lock: Lock,
}

impl Cluster {
    /// Create the cluster unless it is there, and start its server.
    pub fn start(kind: Kind) -> Result<Self> {
        let installed = find_or_install()?;
        let account = Account::find()?;
        let home = home(&account)?.join("postgres");
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let dir = home.join(kind.folder());
        let lock_file = dir.with_extension("lock");
        let lock = {
            // While one xtask clears up, no other may be between its lock and its folder.
            let _alone = Lock::wait(&home.join("all.lock"))?;
            remove_leftovers(&home, &installed, &account)?;
            Lock::take(&lock_file)?
        };
        let Some(lock) = lock else {
            bail!("another `cargo xtask dev` or `demo` of this checkout is running; end it first (Ctrl-C)");
        };
        create_private(&dir, &account)?;
        let binaries = choose(installed, &dir.join("data"))?;
        let mut cluster =
            Self { kind, port: 0, password: String::new(), server: None, lock_file, binaries, dir, _lock: lock };
        cluster.initialise(&account)?;
        cluster.launch(&account)?;
        Ok(cluster)
    }

    fn initialise(&mut self, account: &Account) -> Result<()> {
        let password_file = self.dir.join("password");
        if self.dir.join("data").is_dir() {
            self.password = fs::read_to_string(&password_file)
                .with_context(|| format!("cannot read {}", password_file.display()))?;
            return server::stop_leftover(&self.binaries, account, &self.dir);
        }
        self.password = random_hex(24)?;
        // Before the data: data without its password would be lost.
        write_secret(&password_file, &self.password)?;
        server::initialise(&self.binaries, account, &self.dir, &self.password, self.kind == Kind::Dev)
    }

    fn launch(&mut self, account: &Account) -> Result<()> {
        let port_file = self.dir.join("port");
        let remembered = fs::read_to_string(&port_file).ok().and_then(|port| port.trim().parse().ok());
        let mut wanted = remembered.filter(|port| is_free(*port));
        for _ in 0..PORT_ATTEMPTS {
            self.port = wanted.take().map_or_else(free_port, Ok)?;
            match server::start(&self.binaries, account, &self.dir, self.port, &self.settings()) {
                Ok(server) => {
                    self.server = Some(server);
                    return fs::write(&port_file, self.port.to_string()).context("cannot remember the port");
                }
                Err(Failure::PortTaken) => {}
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        bail!("{PORT_ATTEMPTS} ports were taken by other programs before Postgres could use them")
    }

    /// Those of its kind. Benchmarks count statements where the installation can.
    fn settings(&self) -> Vec<&'static str> {
        let counts = self.kind == Kind::Bench && self.binaries.has_library("pg_stat_statements");
        let library = counts.then_some("shared_preload_libraries=pg_stat_statements");
        self.kind.settings().iter().copied().chain(library).collect()
    }

    /// The URL of its database `name`.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{name}", self.password, self.port)
    }

    /// Whether the server ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(match &mut self.server {
            Some(server) => server.ended()?.is_some(),
            None => true,
        })
    }

    /// Starts a server that has ended by itself, on the same port while that is free.
    pub fn start_again(&mut self) -> Result<()> {
        self.launch(&Account::find()?)
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its folder, which Postgres's user can write to.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The programs that it runs with.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.take());
        if self.kind != Kind::Dev {
            // What stays behind is removed by the next start.
            let _ = fs::remove_dir_all(&self.dir);
            let _ = fs::remove_file(&self.lock_file);
        }
    }
}

/// The version that made the data, or the best one for new data.
fn choose(installed: Vec<Binaries>, data: &Path) -> Result<Binaries> {
    let made_by = fs::read_to_string(data.join("PG_VERSION")).ok().map(|version| version.trim().to_owned());
    let fits = |binaries: &Binaries| made_by.as_ref().is_none_or(|version| *version == binaries.major.to_string());
    match installed.into_iter().find(fits) {
        Some(binaries) => Ok(binaries),
        None => bail!(
            "{} was made by Postgres {}, which is not installed any more: install it, or remove the folder and \
             with it the development data",
            data.display(),
            made_by.unwrap_or_default()
        ),
    }
}

/// End the servers and remove the data of throwaway clusters whose xtask was killed.
fn remove_leftovers(home: &Path, installed: &[Binaries], account: &Account) -> Result<()> {
    for entry in fs::read_dir(home).with_context(|| format!("cannot read {}", home.display()))?.flatten() {
        let lock_file = entry.path();
        let name = lock_file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !(name.ends_with(".lock") && (name.starts_with("test-") || name.starts_with("bench-"))) {
            continue;
        }
        let Some(_lock) = Lock::take(&lock_file)? else { continue };
        let dir = lock_file.with_extension("");
        if dir.is_dir() {
            if let Some(binaries) = installed.first() {
                server::stop_leftover(binaries, account, &dir)?;
            }
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        fs::remove_file(&lock_file).with_context(|| format!("cannot remove {}", lock_file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{create_database, drop_database, with_database};
    use super::*;

    #[test]
    fn a_throwaway_cluster_answers_and_leaves_nothing() {
        if crate::workspace::database_url().is_some()
            && Binaries::find(&Account::find().expect("an account")).is_empty()
        {
            return;
        }
        let cluster = Cluster::start(Kind::Test).expect("it starts");
        let (dir, url) = (cluster.dir().to_owned(), cluster.url("postgres"));
        for _ in 0..2 {
            create_database(cluster.binaries(), &url, "once").expect("created, or there already");
        }
        drop_database(cluster.binaries(), &url, "once").expect("dropped");
        let wrong = url.replace(&cluster.password, "wrong");
        assert!(create_database(cluster.binaries(), &wrong, "once").is_err());
        assert!(create_database(cluster.binaries(), &with_database(&url, "nowhere").expect("a URL"), "x").is_err());
        let (port, lock_file) = (cluster.port, cluster.lock_file.clone());
        drop(cluster);
        assert!(!dir.exists() && !lock_file.exists());
        assert!(is_free(port));
    }

    #[test]
    fn data_is_opened_by_the_version_that_made_it() {
        let data = std::env::temp_dir().join(format!("xtask-version-{}", std::process::id()));
        fs::create_dir_all(&data).expect("a folder");
        assert!(choose(Vec::new(), &data).is_err());
        fs::write(data.join("PG_VERSION"), "9\n").expect("written");
        let error = choose(Vec::new(), &data).expect_err("not installed").to_string();
        fs::remove_dir_all(&data).expect("removed");
        assert!(error.contains("Postgres 9"), "{error}");
    }
}
