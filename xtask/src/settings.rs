//! The settings of the development instance: secrets and the demo tenant, made once and kept in
//! `.hoopoe/dev.env`. What the environment or `.env` says comes first.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::{self, random_hex, write_secret};

/// Name and value of settings.
type Values = BTreeMap<String, String>;

/// Settings from three places.
pub struct Settings {
    environment: Values,
    dotenv: Values,
    kept: Values,
    path: PathBuf,
}

impl Settings {
    /// Read the environment, `.env` and `.hoopoe/dev.env`; both files may be missing.
    pub fn load() -> Result<Self> {
        let path = workspace::state_dir()?.join("dev.env");
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { environment, dotenv: read(&workspace::root().join(".env"))?, kept: read(&path)?, path })
    }

    /// What the user set, in the environment or in `.env`. Empty is not set.
    pub fn given(&self, name: &str) -> Option<&str> {
        let set = |values: &'_ Values| values.get(name).is_some_and(|value| !value.is_empty());
        let source = [&self.environment, &self.dotenv].into_iter().find(|values| set(values))?;
        source.get(name).map(String::as_str)
    }

    /// What the user set, else what was made before, else a new random value, which is kept.
    pub fn secret(&mut self, name: &str) -> Result<String> {
        if let Some(value) = self.given(name).or_else(|| self.kept(name)) {
            return Ok(value.to_owned());
        }
        let value = random_hex(32)?;
        self.keep([(name, value.as_str())])?;
        Ok(value)
    }

    /// What was kept.
    pub fn kept(&self, name: &str) -> Option<&str> {
        self.kept.get(name).map(String::as_str)
    }

    /// Keep values for the next start.
    pub fn keep<const N: usize>(&mut self, values: [(&str, &str); N]) -> Result<()> {
        self.kept.extend(values.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let lines: String = self.kept.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_secret(&self.path, &lines)
    }
}

fn read(path: &Path) -> Result<Values> {
    match dotenvy::from_path_iter(path) {
        Ok(entries) => entries.collect::<Result<Values, _>>().with_context(|| format!("{}", path.display())),
        Err(dotenvy::Error::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(Values::new()),
        Err(error) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(list: &[(&str, &str)]) -> Values {
        list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_user_comes_first_and_made_values_stay() {
        let path = std::env::temp_dir().join(format!("xtask-settings-{}.env", std::process::id()));
        let mut settings = Settings {
            environment: values(&[("A", "environment"), ("B", "")]),
            dotenv: values(&[("A", "dotenv"), ("B", "dotenv")]),
            kept: values(&[("A", "kept"), ("C", "kept")]),
            path: path.clone(),
        };
        for (name, expected) in [("A", "environment"), ("B", "dotenv"), ("C", "kept")] {
            assert_eq!(settings.secret(name).expect("no need to write"), expected);
        }
        let made = settings.secret("D").expect("made");
        assert_eq!(made.len(), 64);
        assert_eq!(settings.secret("D").expect("kept"), made);
        let read_again = read(&path).expect("the file that was written");
        std::fs::remove_file(path).expect("removed");
        assert_eq!(read_again, values(&[("A", "kept"), ("C", "kept"), ("D", &made)]));
    }

    #[test]
    fn a_missing_file_is_empty() {
        assert!(read(Path::new("/nonexistent/.env")).expect("empty").is_empty());
    }
}
