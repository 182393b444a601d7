//! Logs: for people in development, JSON in production. `LOG` filters them, as `RUST_LOG` does elsewhere.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One object per line, for programs.
    Json,
}

/// Starts logging to standard output; once per process.
pub fn start(form: Form, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    match form {
        Form::Text => logs.with_target(false).init(),
        Form::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}
