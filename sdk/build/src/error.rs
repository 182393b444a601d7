//! What can go wrong between a plugin's source and its component.

use std::fmt;
use std::path::PathBuf;

/// No compiler on this machine can build for [`TARGET`](crate::TARGET). Its text says how to get one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What was tried and why it did not help, one sentence each.
    pub tried: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plugins cannot be built: no compiler for the target {} was found.", crate::TARGET)?;
        writeln!(f, "`cargo xtask dev` and `cargo xtask test` install what is missing. By hand it is")?;
        writeln!(f, "    rustup target add {}", crate::TARGET)?;
        writeln!(f, "or, on Debian and where rustup cannot fetch targets,")?;
        write!(f, "    apt-get install -y --no-install-recommends {}", crate::install::PACKAGES.join(" "))?;
        for line in &self.tried {
            write!(f, "\n- {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no compiler.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program, as it was called.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The crate does not compile.
    #[error("the plugin in {} does not compile{}{output}", manifest_dir.display(), if output.is_empty() { "" } else { ":\n" })]
    Compile {
        /// The crate's folder.
        manifest_dir: PathBuf,
        /// What cargo and the compiler wrote; empty when it went to standard error.
        output: String,
    },
    /// The crate compiles, but to no Wasm module.
    #[error(
        "the crate in {} makes no Wasm module: its Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`",
        manifest_dir.display()
    )]
    NoModule {
        /// The crate's folder.
        manifest_dir: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The module is no plugin: it lacks the WIT of the contract, or does not keep to it.
    #[error("the module cannot become a component: {0}")]
    Componentize(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_the_commands_that_install_it() {
        let text = Missing { tried: vec!["there is no rustc in PATH".to_owned()] }.to_string();
        for words in [
            "cargo xtask dev",
            "rustup target add wasm32-unknown-unknown",
            "apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src",
            "- there is no rustc in PATH",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}
