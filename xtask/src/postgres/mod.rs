//! A Postgres of this checkout's own, or the one that `DATABASE_URL` names.
//!
//! In: the kind of server a command needs. Out: a URL. What can fail: no binaries ([`install`] says what to
//! run), or the server does not start (its log is shown). The server is stopped when its value is dropped.

mod account;
mod binaries;
mod cluster;
mod files;
mod install;
mod psql;
mod server;

pub use account::Account;
pub use binaries::Binaries;
pub use cluster::{Cluster, Kind};
pub use install::find_or_install;
pub use psql::{create_database, drop_database, run_file, with_database};

use anyhow::Result;

use crate::{step, workspace};

/// The server that a command works with.
pub enum Database {
    /// Named by `DATABASE_URL`: used, never started or stopped.
    External(String),
    /// Started here, stopped when dropped.
    Embedded(Box<Cluster>),
}

impl Database {
    /// The server of `DATABASE_URL`, else one of `kind` that is started now.
    pub fn start(kind: Kind) -> Result<Self> {
        if let Some(url) = workspace::database_url() {
            eprintln!("==> using the database of DATABASE_URL");
            return Ok(Self::External(url));
        }
        let cluster = step::step(&format!("starting Postgres ({})", kind.describe()), || Cluster::start(kind))?;
        Ok(Self::Embedded(Box::new(cluster)))
    }

    /// The URL of the external database as it was given; of an embedded server the URL of its database `name`.
    pub fn url(&self, name: &str) -> String {
        match self {
            Self::External(url) => url.clone(),
            Self::Embedded(cluster) => cluster.url(name),
        }
    }
}
