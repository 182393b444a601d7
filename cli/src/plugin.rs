//! Which plugin a command is about, and what the host says of versions.

use clap::Args;
use serde_json::Value;

use crate::output::{duration, moment, short, size, text};
use crate::project::{Package, check_name};
use crate::{Api, Connection, Error};

/// A plugin on a host.
#[derive(Debug, Clone, Args)]
pub struct OnHost {
    /// The plugin; without it that of the current folder.
    #[arg(long, short, value_name = "NAME")]
    pub plugin: Option<String>,
    /// The host and the tenant.
    #[command(flatten)]
    pub connection: Connection,
}

impl OnHost {
    /// The client, and the plugin's path below the tenant.
    pub fn open(&self) -> Result<(Api, String), Error> {
        let path = format!("/plugins/{}", self.name()?);
        Ok((Api::new(self.connection.settings()?), path))
    }

    /// The plugin's name.
    pub fn name(&self) -> Result<String, Error> {
        let name = match &self.plugin {
            Some(name) => name.clone(),
            None => Package::here().map_err(|error| Error::usage(format!("{error}; or give --plugin")))?.name,
        };
        check_name(&name)?;
        Ok(name)
    }
}

/// `0.1.0 (3fa2c01b9d44)`.
pub fn version(value: &Value) -> String {
    format!("{} ({})", text(&value["version"]), short(&text(&value["digest"])))
}

/// Columns of a version in a list.
pub const VERSION_HEAD: [&str; 6] = ["", "VERSION", "DIGEST", "SIZE", "COMPILED IN", "UPLOADED"];

/// A version as a row of a table; `active` is the digest of the active one.
pub fn version_row(value: &Value, active: &str) -> Vec<String> {
    let digest = text(&value["digest"]);
    let compiled = value["compileMillis"].as_u64().map(std::time::Duration::from_millis);
    vec![
        if digest == active { "*" } else { "" }.to_owned(),
        text(&value["version"]),
        short(&digest).to_owned(),
        value["size"].as_u64().map(size).unwrap_or_default(),
        compiled.map(duration).unwrap_or_default(),
        moment(&value["createdAt"]),
    ]
}
