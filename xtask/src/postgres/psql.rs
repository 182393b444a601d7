//! Statements and files, run through `psql`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Binaries;
use crate::process;

/// What is sent through here takes milliseconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Create the database `name` on the server of `url`, unless it is there.
pub fn create_database(binaries: &Binaries, url: &str, name: &str) -> Result<()> {
    let exists = format!("select 1 from pg_database where datname = '{name}'");
    let mut command = psql(binaries, url);
    command.args(["-tAc", &exists]);
    let found = process::output(&mut command).context("the database server does not answer")?;
    if found == "1" {
        return Ok(());
    }
    statement(binaries, url, &format!("create database {name}"))
}

/// Drop the database `name` of the server of `url`, also when somebody is connected to it.
pub fn drop_database(binaries: &Binaries, url: &str, name: &str) -> Result<()> {
    statement(binaries, url, &format!("drop database if exists {name} with (force)"))
}

/// What a migration begins with that runs outside of transactions.
const NO_TRANSACTION: &str = "-- no-transaction";

/// Run a migration's file against the database of `url`, in one transaction unless it says otherwise.
pub fn run_file(binaries: &Binaries, url: &str, path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut command = psql(binaries, url);
    if !text.starts_with(NO_TRANSACTION) {
        command.arg("--single-transaction");
    }
    command.arg("-f").arg(path);
    process::run(&format!("psql -f {}", path.display()), &mut command, LIMIT)
}

fn statement(binaries: &Binaries, url: &str, statement: &str) -> Result<()> {
    process::run(&format!("`{statement}`"), psql(binaries, url).args(["-c", statement]), LIMIT)
}

fn psql(binaries: &Binaries, url: &str) -> std::process::Command {
    let (url, password) = without_password(url);
    let mut command = binaries.command("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-password", "-v", "ON_ERROR_STOP=1", "-d", &url]);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command
}

/// The URL with another database: `postgres://u:p@h:1/a?x=y` and `b` make `postgres://u:p@h:1/b?x=y`.
pub fn with_database(url: &str, name: &str) -> Result<String> {
    let Some((scheme, rest)) = url.split_once("://") else { bail!("DATABASE_URL is no URL: it has no `://`") };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, format!("?{query}")),
        None => (rest, String::new()),
    };
    let server = place.split('/').next().unwrap_or_default();
    Ok(format!("{scheme}://{server}/{name}{query}"))
}

/// Command lines can be read by every user of the machine, so the password travels apart, decoded.
fn without_password(url: &str) -> (String, Option<String>) {
    let parts = || {
        let (scheme, rest) = url.split_once("://")?;
        let server_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let at = rest[..server_end].rfind('@')?;
        let (user, password) = rest[..at].split_once(':')?;
        Some((format!("{scheme}://{user}{}", &rest[at..]), percent_decoded(password)?))
    };
    match parts() {
        Some((url, password)) => (url, Some(password)),
        None => (url.to_owned(), None),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend(piece[2..].bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@h:5432/a", "postgres://u:p@h:5432/b"),
            ("postgres://h", "postgres://h/b"),
            ("postgresql://h/a?sslmode=require", "postgresql://h/b?sslmode=require"),
            ("postgres://h?host=/run/pg", "postgres://h/b?host=/run/pg"),
        ] {
            assert_eq!(with_database(url, "b").expect("a URL"), expected);
        }
        assert!(with_database("localhost", "b").is_err());
    }

    #[test]
    fn the_password_leaves_the_url() {
        for (url, expected, password) in [
            ("postgres://u:p@h:1/a", "postgres://u@h:1/a", Some("p")),
            ("postgres://u:a%40b%2Fc@h/a", "postgres://u@h/a", Some("a@b/c")),
            ("postgres://u@h/a", "postgres://u@h/a", None),
            ("postgres://h:1/a?x=u:p@h", "postgres://h:1/a?x=u:p@h", None),
            ("postgres://u:broken%zz@h/a", "postgres://u:broken%zz@h/a", None),
        ] {
            assert_eq!(without_password(url), (expected.to_owned(), password.map(str::to_owned)), "{url}");
        }
    }
}
