//! Logs: for people in development, JSON in production. `LOG` filters them, as `RUST_LOG` does elsewhere.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::Environment;

/// Starts logging to standard output; once per process.
pub fn start(environment: Environment, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    match environment {
        Environment::Development => logs.with_target(false).init(),
        Environment::Production => logs.json().flatten_event(true).init(),
    }
    Ok(())
}
