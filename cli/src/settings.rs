//! Where the host is and who we are there: from flags, else the environment, else the file that the development host
//! writes.
//!
//! `cargo xtask dev` writes `.hoopoe/dev.json` into its checkout: `{"url", "tenant", "key", "simulator",
//! "phoneNumberId"}`. It is searched for from the current folder upward, then in the checkout that this program was
//! built from. `HOOPOE_DEV_FILE` names another one.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::Error;

/// Below every folder that is searched.
const DEV_FILE: &str = ".hoopoe/dev.json";

/// How to reach the host. Before or behind a subcommand.
#[derive(Debug, Clone, Default, Args)]
pub struct Connection {
    /// The host, such as https://hoopoe.example.com; without it the development host of this machine.
    #[arg(long, env = "HOOPOE_URL", value_name = "URL", help_heading = "Connection", global = true)]
    pub url: Option<String>,
    /// The tenant's id.
    #[arg(long, env = "HOOPOE_TENANT", value_name = "ID", help_heading = "Connection", global = true)]
    pub tenant: Option<String>,
    /// The tenant's API key; better given by the environment than by a flag, which others on this machine can see.
    #[arg(
        long,
        env = "HOOPOE_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = "Connection",
        global = true
    )]
    pub key: Option<String>,
}

/// What a command knows once settings were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The host, without a slash at the end.
    pub url: String,
    /// The tenant's id.
    pub tenant: String,
    /// The tenant's API key.
    pub key: String,
}

/// What the development host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DevFile {
    /// The host.
    pub url: String,
    /// The demo tenant's id.
    pub tenant: String,
    /// Its API key.
    pub key: String,
    /// The simulator of Meta.
    pub simulator: Option<String>,
    /// Meta's id of the tenant's number.
    pub phone_number_id: Option<String>,
}

impl DevFile {
    /// The file of the development host, when there is one. A file that cannot be read is an error: it would be
    /// strange to talk to another host then.
    pub fn find() -> Result<Option<Self>, Error> {
        if let Some(path) = std::env::var_os("HOOPOE_DEV_FILE") {
            let path = PathBuf::from(path);
            return if path.exists() { Self::read(&path).map(Some) } else { Ok(None) };
        }
        let here = std::env::current_dir().map_err(|error| Error::file(Path::new("."), &error))?;
        match search(&here).or_else(|| checkout().map(|root| root.join(DEV_FILE)).filter(|path| path.is_file())) {
            Some(path) => Self::read(&path).map(Some),
            None => Ok(None),
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
        serde_json::from_str(&text).map_err(|error| {
            Error::usage(format!("{}: {error}; start `cargo xtask dev` again, which writes it anew", path.display()))
        })
    }
}

/// The file in this folder or in one above it.
fn search(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join(DEV_FILE)).find(|path| path.is_file())
}

/// The checkout that this program was built from, when it is still there.
pub fn checkout() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    root.join("sdk/Cargo.toml").is_file().then(|| root.to_owned())
}

impl Connection {
    /// Flags and environment first, then the development host's file.
    pub fn settings(&self) -> Result<Settings, Error> {
        self.combine(DevFile::find()?.as_ref())
    }

    /// A value of the file is used only when the host is the file's: its key is nobody else's business.
    fn combine(&self, file: Option<&DevFile>) -> Result<Settings, Error> {
        let url = self.url.as_deref().map(trim).filter(|url| !url.is_empty());
        let file = file.filter(|file| url.is_none_or(|url| url == trim(&file.url)));
        let pick = |given: &Option<String>, kept: Option<&String>, name: &str| {
            let given = given.as_ref().filter(|value| !value.is_empty());
            given.or(kept).cloned().ok_or_else(|| missing(name, url.is_some()))
        };
        let url = url.or(file.map(|file| trim(&file.url))).ok_or_else(|| missing("HOOPOE_URL", false))?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Error::usage(format!("{url} is no URL of a host; it begins with https:// or http://")));
        }
        let tenant = pick(&self.tenant, file.map(|file| &file.tenant), "HOOPOE_TENANT")?;
        if tenant.is_empty() || !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(Error::usage(format!("{tenant:?} is no id of a tenant; it is a UUID")));
        }
        Ok(Settings { url: url.to_owned(), tenant, key: pick(&self.key, file.map(|file| &file.key), "HOOPOE_KEY")? })
    }
}

fn trim(url: &str) -> &str {
    url.trim_end_matches('/')
}

fn missing(name: &str, has_url: bool) -> Error {
    let flag = name.trim_start_matches("HOOPOE_").to_lowercase();
    let advice = if has_url { "" } else { ", or start the development host with `cargo xtask dev`" };
    Error::usage(format!("{name} is not set; give it or --{flag}{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> DevFile {
        DevFile {
            url: "http://127.0.0.1:3000".to_owned(),
            tenant: "0199-dev".to_owned(),
            key: "dev-key".to_owned(),
            simulator: None,
            phone_number_id: None,
        }
    }

    fn given(url: &str, tenant: &str, key: &str) -> Connection {
        let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Connection { url: value(url), tenant: value(tenant), key: value(key) }
    }

    #[test]
    fn what_is_given_comes_first_and_the_files_key_goes_to_its_host_only() {
        // url, tenant, key; with the file; the result, or a word of the error
        type Expected = Result<(&'static str, &'static str, &'static str), &'static str>;
        let cases: [(&str, &str, &str, bool, Expected); 9] = [
            ("", "", "", true, Ok(("http://127.0.0.1:3000", "0199-dev", "dev-key"))),
            ("", "other", "", true, Ok(("http://127.0.0.1:3000", "other", "dev-key"))),
            ("http://127.0.0.1:3000/", "", "k", true, Ok(("http://127.0.0.1:3000", "0199-dev", "k"))),
            ("https://h.example/", "t", "k", true, Ok(("https://h.example", "t", "k"))),
            ("https://h.example", "t", "", true, Err("HOOPOE_KEY")),
            ("https://h.example", "", "k", true, Err("HOOPOE_TENANT")),
            ("", "", "", false, Err("HOOPOE_URL is not set; give it or --url, or start")),
            ("h.example", "t", "k", false, Err("is no URL")),
            ("https://h.example", "t/../x", "k", false, Err("is no id of a tenant")),
        ];
        for (url, tenant, key, with_file, expected) in cases {
            let file = with_file.then(file);
            let found = given(url, tenant, key).combine(file.as_ref());
            match (found, expected) {
                (Ok(found), Ok((url, tenant, key))) => {
                    let settings = Settings { url: url.to_owned(), tenant: tenant.to_owned(), key: key.to_owned() };
                    assert_eq!(found, settings);
                }
                (Err(error), Err(word)) => {
                    assert!(error.to_string().contains(word), "{error}");
                    assert_eq!(error.code(), 2);
                }
                (found, expected) => panic!("{url} {tenant} {key}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn the_file_is_found_from_below_and_a_broken_one_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let below = root.path().join("a/b");
        std::fs::create_dir_all(&below).expect("folders");
        std::fs::create_dir(root.path().join(".hoopoe")).expect("a folder");
        assert_eq!(search(&below), None);
        let path = root.path().join(DEV_FILE);
        std::fs::write(&path, r#"{"url": "http://127.0.0.1:3000", "tenant": "0199-dev", "key": "dev-key"}"#)
            .expect("written");
        assert_eq!(search(&below), Some(path.clone()));
        assert_eq!(DevFile::read(&path), Ok(file()));
        std::fs::write(&path, "{").expect("written");
        let error = DevFile::read(&path).expect_err("it is broken");
        assert!(error.to_string().contains("dev.json") && error.to_string().contains("cargo xtask dev"), "{error}");
    }
}
