//! Configuration: the environment first, then the file named by `HOOPOE_CONFIG`, then `.env`; both files are lists of
//! `NAME=value`. A value that is wrong or missing stops the start with a sentence that names it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_delivery::Rates;
use hoopoe_secrets::MasterKey;
use hoopoe_shared::Address;
use hoopoe_telemetry::logs::Form;
use hoopoe_telemetry::trace;
use secrecy::SecretString;

mod groups;
#[cfg(test)]
mod tests;
mod values;

use self::groups::{media, media_hosts, rates, traces, webhook_room};
use self::values::{Values, wrong};

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A needed value is missing.
    #[error("{name} is not set; {advice}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What to set it to.
        advice: &'static str,
    },
    /// A value cannot be used.
    #[error("{name} is {value:?}; {advice}")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// As given; secrets are not repeated.
        value: String,
        /// What it should be.
        advice: String,
    },
    /// A configuration file cannot be read.
    #[error("the configuration file {0} cannot be read: {1}")]
    File(String, String),
}

/// Where the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On a developer's machine: readable logs, unsigned webhooks possible.
    Development,
    /// For real.
    Production,
}

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// `APP_ENV`.
    pub environment: Environment,
    /// `HOST` and `PORT`.
    pub listen: SocketAddr,
    /// `DATABASE_URL`.
    pub database_url: SecretString,
    /// `DATABASE_CONNECTIONS`.
    pub database_connections: u32,
    /// `DATABASE_WRITERS`.
    pub database_writers: usize,
    /// `REDIS_URL`; absent when this is the only process, or may find others' work by polling.
    pub redis: Option<Address>,
    /// `APP_ID`; absent without Embedded Signup.
    pub app_id: Option<String>,
    /// `APP_SECRET`; absent in development only.
    pub app_secret: Option<SecretString>,
    /// `WEBHOOK_MEMORY`: bytes of webhooks under way.
    pub webhook_room: usize,
    /// `VERIFY_TOKEN`.
    pub verify_token: SecretString,
    /// `MASTER_KEY`.
    pub master_key: MasterKey,
    /// `TOKEN_CHECK_INTERVAL`.
    pub token_check_interval: TimeDelta,
    /// `TOKEN_EXPIRY_WARNING`.
    pub token_expiry_warning: TimeDelta,
    /// `GRAPH_BASE_URL`.
    pub graph_base_url: String,
    /// `WHATSAPP_API_VERSION`.
    pub graph_version: String,
    /// `GRAPH_CONNECT_TIMEOUT`.
    pub graph_connect_timeout: Duration,
    /// `GRAPH_FIRST_BYTE_TIMEOUT`.
    pub graph_first_byte_timeout: Duration,
    /// `GRAPH_TIMEOUT`.
    pub graph_timeout: Duration,
    /// `GRAPH_PROXY`.
    pub graph_proxy: Option<SecretString>,
    /// `DELIVERY_CONCURRENCY`.
    pub delivery_concurrency: usize,
    /// `DELIVERY_RETRIES`.
    pub delivery_retries: i32,
    /// `NUMBER_RATE`, `PAIR_PERIOD` and `PAIR_BURST`, `TENANT_RATE`.
    pub rates: Rates,
    /// `MESSAGE_VALIDITY`.
    pub message_validity: TimeDelta,
    /// `UNKNOWN_OUTCOME_WAIT`.
    pub unknown_outcome_wait: TimeDelta,
    /// `FLOW_CONCURRENCY`.
    pub flow_concurrency: usize,
    /// `FLOW_RETRIES`.
    pub flow_retries: i32,
    /// `FLOW_FAILURES_TO_PAUSE`.
    pub flow_failures_to_pause: u32,
    /// `CANARY_FAILURE_PERCENT`.
    pub canary_failure_percent: u32,
    /// `RUN_RETENTION`.
    pub run_retention: TimeDelta,
    /// `PLUGIN_CACHE`.
    pub plugin_cache: PathBuf,
    /// `HTTP_ALLOWED_HOSTS`.
    pub http_allowed_hosts: Vec<String>,
    /// `HTTP_CONCURRENCY`.
    pub http_concurrency: usize,
    /// `HTTP_ALLOW_PRIVATE`; in development only.
    pub http_allow_private: bool,
    /// `WEBHOOK_CONCURRENCY`.
    pub webhook_concurrency: usize,
    /// `WEBHOOK_CONCURRENCY_EACH`.
    pub webhook_concurrency_each: usize,
    /// `MEDIA_STORE` and what begins with `MEDIA_`.
    pub media: hoopoe_media::Settings,
    /// `MEDIA_HOSTS`.
    pub media_hosts: Vec<String>,
    /// `MEDIA_CONCURRENCY`.
    pub media_concurrency: usize,
    /// `LEASE`.
    pub lease: TimeDelta,
    /// `LEASE_DEADLINE`.
    pub lease_deadline: Duration,
    /// `POLL_INTERVAL`.
    pub poll: Duration,
    /// `SHUTDOWN_GRACE`.
    pub shutdown_grace: Duration,
    /// `LOG`.
    pub log: String,
    /// `METRICS_ADDRESS`; absent when metrics are shown to the operator's key alone.
    pub metrics: Option<SocketAddr>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` and `OTEL_TRACES_SAMPLER_ARG`; absent without an endpoint.
    pub traces: Option<trace::Settings>,
}

impl Config {
    /// Reads the process's environment and the files.
    pub fn load() -> Result<Self, Error> {
        let mut values = HashMap::new();
        if Path::new(".env").exists() {
            values.extend(file(Path::new(".env"))?);
        }
        if let Some(path) = std::env::var_os("HOOPOE_CONFIG") {
            values.extend(file(Path::new(&path))?);
        }
        values.extend(std::env::vars());
        Self::from(&values)
    }

    /// From names and values; an empty value counts as not set.
    pub fn from(values: &HashMap<String, String>) -> Result<Self, Error> {
        let values = Values(values);
        let environment = match values.get("APP_ENV").unwrap_or("development") {
            "development" => Environment::Development,
            "production" => Environment::Production,
            other => return Err(wrong("APP_ENV", other, "set it to development or production")),
        };
        let default_host = match environment {
            Environment::Development => "127.0.0.1",
            Environment::Production => "0.0.0.0",
        };
        let host: IpAddr = values.parse("HOST", default_host, "an IP address to listen on")?;
        let port: u16 = values.parse("PORT", "3000", "a port number, 0 to 65535")?;
        let app_secret = values.get("APP_SECRET").map(|secret| SecretString::from(secret.to_owned()));
        if app_secret.is_none() && environment == Environment::Production {
            let advice = "without it webhooks could be forged; set it to the app secret of your app at Meta";
            return Err(Error::Missing { name: "APP_SECRET", advice });
        }
        let master_key = values.secret("MASTER_KEY", "set it to the output of `openssl rand -hex 32`")?;
        let master_key = MasterKey::new(master_key).map_err(|error| wrong("MASTER_KEY", "<hidden>", error))?;
        let config = Self {
            environment,
            listen: SocketAddr::new(host, port),
            database_url: values.database_url()?,
            database_connections: values.at_least_one("DATABASE_CONNECTIONS", "16")?,
            database_writers: values.at_least_one("DATABASE_WRITERS", "2")?,
            redis: values.redis()?,
            app_id: values.id("APP_ID")?,
            app_secret,
            webhook_room: webhook_room(&values)?,
            verify_token: values.secret("VERIFY_TOKEN", "set it to the verify token that you give Meta")?,
            master_key,
            token_check_interval: values.days("TOKEN_CHECK_INTERVAL", "6h")?,
            token_expiry_warning: values.days("TOKEN_EXPIRY_WARNING", "7d")?,
            graph_base_url: values.url("GRAPH_BASE_URL", "https://graph.facebook.com")?,
            graph_version: values.version("WHATSAPP_API_VERSION", "v23.0")?,
            graph_connect_timeout: values.duration("GRAPH_CONNECT_TIMEOUT", "5s")?,
            graph_first_byte_timeout: values.duration("GRAPH_FIRST_BYTE_TIMEOUT", "10s")?,
            graph_timeout: values.duration("GRAPH_TIMEOUT", "15s")?,
            graph_proxy: values.proxy("GRAPH_PROXY")?,
            delivery_concurrency: values.at_least_one("DELIVERY_CONCURRENCY", "4096")?,
            delivery_retries: values.parse("DELIVERY_RETRIES", "10", "a number of retries")?,
            rates: rates(&values)?,
            message_validity: values.days("MESSAGE_VALIDITY", "1d")?,
            unknown_outcome_wait: values.span("UNKNOWN_OUTCOME_WAIT", "30s")?,
            flow_concurrency: values.at_least_one("FLOW_CONCURRENCY", "1024")?,
            flow_retries: values.parse("FLOW_RETRIES", "5", "a number of retries")?,
            flow_failures_to_pause: values.parse(
                "FLOW_FAILURES_TO_PAUSE",
                "10",
                "a number of failures, 0 for never",
            )?,
            canary_failure_percent: values.parse("CANARY_FAILURE_PERCENT", "10", "a percentage")?,
            run_retention: values.days("RUN_RETENTION", "7d")?,
            plugin_cache: values.get("PLUGIN_CACHE").map_or_else(temporary_cache, PathBuf::from),
            http_allowed_hosts: values.list("HTTP_ALLOWED_HOSTS", "*"),
            http_concurrency: values.at_least_one("HTTP_CONCURRENCY", "64")?,
            http_allow_private: values.flag("HTTP_ALLOW_PRIVATE")?,
            webhook_concurrency: values.at_least_one("WEBHOOK_CONCURRENCY", "512")?,
            webhook_concurrency_each: values.at_least_one("WEBHOOK_CONCURRENCY_EACH", "32")?,
            media: media(&values)?,
            media_hosts: media_hosts(&values)?,
            media_concurrency: values.at_least_one("MEDIA_CONCURRENCY", "8")?,
            lease: values.span("LEASE", "10s")?,
            lease_deadline: values.duration("LEASE_DEADLINE", "2m")?,
            poll: values.duration("POLL_INTERVAL", "250ms")?,
            shutdown_grace: values.duration("SHUTDOWN_GRACE", "20s")?,
            log: values.get("LOG").unwrap_or("info").to_owned(),
            metrics: values.address("METRICS_ADDRESS")?,
            traces: traces(&values)?,
        };
        if config.lease_deadline <= config.graph_timeout {
            let advice = "it must be longer than GRAPH_TIMEOUT, or a message could get a second owner while it is sent";
            return Err(wrong("LEASE_DEADLINE", values.get("LEASE_DEADLINE").unwrap_or("2m"), advice));
        }
        if config.graph_first_byte_timeout <= config.graph_connect_timeout {
            let advice =
                "it must be longer than GRAPH_CONNECT_TIMEOUT, or a host that is away looks like a lost answer";
            let value = values.get("GRAPH_FIRST_BYTE_TIMEOUT").unwrap_or("10s");
            return Err(wrong("GRAPH_FIRST_BYTE_TIMEOUT", value, advice));
        }
        if config.http_allow_private && config.environment == Environment::Production {
            let advice = "plugins could reach the network behind the host; it is for development";
            return Err(wrong("HTTP_ALLOW_PRIVATE", "true", advice));
        }
        Ok(config)
    }

    /// How log lines look.
    pub fn log_form(&self) -> Form {
        match self.environment {
            Environment::Development => Form::Text,
            Environment::Production => Form::Json,
        }
    }
}

/// Each user's own: another's folder could not be written to.
fn temporary_cache() -> PathBuf {
    std::env::temp_dir().join(format!("hoopoe-{}", nix::unistd::getuid()))
}

fn file(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let unreadable = |error: dotenvy::Error| Error::File(path.display().to_string(), error.to_string());
    dotenvy::from_path_iter(path).map_err(unreadable)?.map(|pair| pair.map_err(unreadable)).collect()
}
