//! The one error of the commands, and the exit codes that scripts see.

use std::process::ExitCode;

use serde_json::{Value, json};

/// For the help texts.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  it failed: a build, a test, a flow without an answer, outcomes that differ
  2  the command line is wrong, or a setting is missing
  3  the server refuses it, or there is no such thing
  4  the server cannot be reached";

/// Why a command did not work.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// Something on this machine failed.
    Failed(String),
    /// The command line or a setting is wrong.
    Usage(String),
    /// The server answered, but with no.
    Refused {
        /// HTTP status.
        status: u16,
        /// What is wrong and what to do, in the server's words.
        message: String,
        /// The server's stable word for it.
        code: Option<String>,
        /// What the server adds for programs.
        details: Option<Value>,
    },
    /// Nobody answers.
    Unreachable(String),
}

impl Error {
    /// Something on this machine failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// The command line or a setting is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A file or folder could not be used.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Failed(format!("{}: {error}", path.display()))
    }

    /// The exit code, see [`EXIT_CODES`].
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused { status, .. } if *status >= 500 => 1,
            Self::Refused { .. } => 3,
            Self::Unreachable(_) => 4,
        }
    }

    /// The exit code for the process.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// For scripts: message and exit code, and what the server said besides.
    pub fn to_json(&self) -> Value {
        let mut value = json!({ "error": self.to_string(), "exitCode": self.code() });
        if let Self::Refused { status, code, details, .. } = self {
            value["status"] = json!(status);
            value["code"] = json!(code);
            value["details"] = json!(details);
        }
        value
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(message) | Self::Usage(message) | Self::Unreachable(message) => f.write_str(message),
            Self::Refused { status, message, .. } => write!(f, "{message} (answered {status})"),
        }
    }
}

impl std::error::Error for Error {}

impl From<hoopoe_plugin_build::Error> for Error {
    fn from(error: hoopoe_plugin_build::Error) -> Self {
        match error {
            // The compiler's words were shown while it ran.
            hoopoe_plugin_build::Error::Compile { manifest_dir, .. } => {
                Self::Failed(format!("the plugin in {} does not compile", manifest_dir.display()))
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_exit_code() {
        let refused =
            |status| Error::Refused { status, message: "no".to_owned(), code: Some("c".to_owned()), details: None };
        let cases = [
            (Error::failed("x"), 1),
            (Error::usage("x"), 2),
            (refused(404), 3),
            (refused(409), 3),
            (refused(401), 3),
            (refused(503), 1),
            (Error::Unreachable("x".to_owned()), 4),
        ];
        for (error, code) in cases {
            assert_eq!(error.code(), code, "{error:?}");
            assert_eq!(error.to_json()["exitCode"], code, "{error:?}");
        }
        assert_eq!(refused(409).to_string(), "no (answered 409)");
        assert_eq!(refused(409).to_json()["code"], "c");
    }
}
