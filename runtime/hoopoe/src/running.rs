//! Start and stop of a process's roles.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoopoe_api::{Api, Scrape, metrics_router};
use hoopoe_ingest::Ingest;
use hoopoe_lanes::Gate;
use hoopoe_media::Media;
use hoopoe_onboarding::Onboarding;
use hoopoe_plugins::Library;
use hoopoe_sandbox::{Compiler, Sandbox};
use hoopoe_shared::Shared;
use hoopoe_store::ambient::Ambient;
use hoopoe_store::{Settings as StoreSettings, Store};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::Environment;
use crate::{Config, Role, Roles, retention, sharing, stages, upkeep};

/// How long the start waits for the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// How long a request waits for a connection to the database before it is answered 503.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(3);

/// Why the runtime did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `DATABASE_URL` makes no sense.
    #[error("DATABASE_URL cannot be used: {0}")]
    DatabaseUrl(sqlx::Error),
    /// The migrations could not be applied.
    #[error("the database cannot be used: {0}; check DATABASE_URL and that Postgres runs")]
    Database(#[from] sqlx::migrate::MigrateError),
    /// The port is taken, or not allowed.
    #[error("cannot listen on {0} (HOST and PORT): {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The same, for metrics.
    #[error("cannot listen on {0} (METRICS_ADDRESS): {1}")]
    Metrics(SocketAddr, std::io::Error),
    /// The sandbox cannot be set up on this machine.
    #[error("the sandbox cannot be started: {0}")]
    Sandbox(#[from] hoopoe_sandbox::Error),
    /// A built-in plugin cannot be loaded.
    #[error(transparent)]
    Plugin(#[from] hoopoe_plugins::Error),
    /// The tenants' webhooks cannot be read.
    #[error("the database cannot be read: {0}")]
    Store(#[from] hoopoe_store::Error),
    /// The Graph API's address or proxy cannot be used.
    #[error("the Graph API cannot be called: {0}")]
    Graph(#[from] hoopoe_meta::Error),
    /// The place of files cannot be used.
    #[error(transparent)]
    Media(#[from] hoopoe_media::Error),
    /// Meta cannot be called.
    #[error(transparent)]
    Meta(#[from] hoopoe_onboarding::ClientError),
    /// A role ended with an error.
    #[error("a role ended: {0}")]
    Role(String),
}

/// What a start can be given besides the configuration; tests use it.
#[derive(Default)]
pub struct Options {
    /// Time, ids and chance; the system's when absent.
    pub ambient: Option<Ambient>,
    /// Further plugins: name and component.
    pub plugins: Vec<(String, Vec<u8>)>,
    /// Where tenants' plugins are compiled; in this process when nothing else is said.
    pub compiler: Compiler,
}

/// A running process's roles.
pub struct Running {
    /// Where HTTP answers.
    pub address: SocketAddr,
    /// The store, with the clock and the wake-ups.
    pub store: Store,
    /// What the processes share.
    pub shared: Shared,
    stop: CancellationToken,
    roles: JoinSet<Result<(), String>>,
    grace: Duration,
}

impl Running {
    /// Applies the migrations and starts the roles; when this returns, HTTP answers.
    pub async fn start(config: Config, roles: Roles, options: Options) -> Result<Self, StartError> {
        install_tls();
        let settings = StoreSettings {
            url: config.database_url.expose_secret().to_owned(),
            connections: config.database_connections,
            writers: config.database_writers,
            acquire_timeout: CONNECTION_PATIENCE,
        };
        let given_time = options.ambient.is_some();
        let ambient = options.ambient.unwrap_or_else(Ambient::system);
        let store = Store::connect(&settings, ambient).map_err(StartError::DatabaseUrl)?;
        migrate(&store).await?;
        look_at_planning(&store).await;

        let shared = sharing::start(config.redis.clone(), &store.ambient, given_time);
        sharing::connect_wakes(&shared, &store);
        sharing::connect_contacts(&shared, &store);
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        // Before anything is committed that a tenant wants to be told.
        store.refresh_listeners().await?;
        let webhook_rules = Arc::new(hoopoe_webhooks::Rules::of_places(
            config.environment == Environment::Development,
            config.http_allow_private,
        ));
        running.spawn(ending_well(hoopoe_webhooks::listen(store.clone(), shared.clone(), stop.clone())));
        let sandbox = Sandbox::new(stages::sandbox(&config, options.compiler))?;
        let library = Library::open(store.clone(), sandbox, &options.plugins).await?;
        let graph = hoopoe_meta::Graph::new(&stages::graph(&config))?;
        let media = Media::open(store.clone(), graph.clone(), config.master_key.clone(), config.media.clone())?;
        let onboarding = Onboarding::new(store.clone(), config.master_key.clone(), stages::onboarding(&config))?;
        let (events, messages) = (Gate::new(config.flow_concurrency), Gate::new(config.delivery_concurrency));
        if roles.has(Role::Flows) {
            let (events, messages) = (events.clone(), messages.clone());
            let (retained, retention_stop) = (store.clone(), stop.clone());
            let (store, shared, library, stop) = (store.clone(), shared.clone(), library.clone(), stop.clone());
            let settings = stages::flow(&config);
            running.spawn(async move {
                hoopoe_flows::run(store, shared, library, settings, events, messages, stop).await;
                Ok(())
            });
            running.spawn(upkeep::run(retained.clone(), retention_stop.clone()));
            running.spawn(retention::run(retained, config.run_retention, retention_stop));
        }
        if roles.has(Role::Delivery) {
            let (calls, call_settings) = (store.clone(), stages::call(&config));
            let (call_key, call_stop) = (config.master_key.clone(), stop.clone());
            running.spawn(async move {
                let run = hoopoe_outcalls::run(calls, call_key, call_settings, call_stop);
                run.await.map_err(|error| format!("HTTP_ALLOWED_HOSTS: {error}"))
            });
            let run = hoopoe_webhooks::run(
                store.clone(),
                config.master_key.clone(),
                webhook_rules.clone(),
                stages::webhook(&config),
                stop.clone(),
            );
            running.spawn(async move { run.await.map_err(|error| error.to_string()) });
            running.spawn(ending_well(hoopoe_webhooks::watch(store.clone(), stop.clone())));
            let fetching = hoopoe_media::run(media.clone(), stages::fetch(&config), stop.clone());
            running.spawn(ending_well(fetching));
            running.spawn(ending_well(onboarding.clone().watch(shared.clone(), stop.clone())));
            let settings = stages::delivery(&config);
            let (messages, shared) = (messages.clone(), (shared.clone(), media.clone()));
            let (store, key, stop) = (store.clone(), config.master_key.clone(), stop.clone());
            running.spawn(async move {
                let run = hoopoe_delivery::run(store, key, settings, shared, messages, stop);
                run.await.map_err(|error| error.to_string())
            });
        }
        let listener =
            TcpListener::bind(config.listen).await.map_err(|error| StartError::Listen(config.listen, error))?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(config.listen, error))?;
        let router = if roles.has(Role::Api) {
            if config.app_secret.is_none() {
                tracing::warn!("APP_SECRET IS NOT SET: anybody can post webhooks; for development only");
            }
            let secret = config.app_secret.clone();
            let ingest =
                Ingest::start(store.clone(), shared.clone(), secret, events, (config.lease, config.webhook_room));
            sharing::connect_routes(&shared, ingest.clone());
            hoopoe_api::router(Api::new(hoopoe_api::Ground {
                store: store.clone(),
                ingest,
                library,
                shared: shared.clone(),
                master_key: config.master_key.clone(),
                verify_token: config.verify_token.clone(),
                delivery: messages,
                lease: config.lease,
                validity: config.message_validity,
                webhook_rules,
                graph,
                media,
                onboarding,
                stop: stop.clone(),
            }))
        } else {
            hoopoe_api::health_only(store.clone(), shared.clone())
        };
        let scrape = Scrape::new(store.clone(), shared.clone());
        let router = router.merge(metrics_router(scrape.clone(), Some(config.master_key.clone())));
        if let Some(asked) = config.metrics {
            let listener = TcpListener::bind(asked).await.map_err(|error| StartError::Metrics(asked, error))?;
            let address = listener.local_addr().map_err(|error| StartError::Metrics(asked, error))?;
            tracing::info!(metrics = %address, "metrics are shown");
            let stopped = stop.clone().cancelled_owned();
            running.spawn(async move {
                let server = axum::serve(listener, metrics_router(scrape, None)).with_graceful_shutdown(stopped);
                server.await.map_err(|error| error.to_string())
            });
        }
        let stopped = stop.clone().cancelled_owned();
        running.spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(stopped);
            server.await.map_err(|error| error.to_string())
        });
        tracing::info!(%address, %roles, "hoopoe is up");
        Ok(Self { address, store, shared, stop, roles: running, grace: config.shutdown_grace })
    }

    /// Waits until a role ends by itself: that is a fault.
    pub async fn fault(&mut self) -> StartError {
        match self.roles.join_next().await {
            Some(ended) => StartError::Role(why(ended)),
            None => StartError::Role("there was none".to_owned()),
        }
    }

    /// Takes no more work and finishes what runs, at the longest for the grace period. Gives whether all was finished;
    /// if not, leases run out and other processes take over.
    pub async fn stop(mut self) -> bool {
        self.stop.cancel();
        let finished =
            tokio::time::timeout(self.grace, async { while self.roles.join_next().await.is_some() {} }).await;
        if finished.is_err() {
            tracing::warn!("SHUTDOWN_GRACE is over; what still runs is left to the next process");
            self.roles.shutdown().await;
        }
        self.shared.stop().await;
        self.store.close().await;
        finished.is_ok()
    }
}

/// Only one provider is compiled in; a second start in one process finds it installed.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn migrate(store: &Store) -> Result<(), StartError> {
    let started = tokio::time::Instant::now();
    loop {
        match store.migrate().await {
            Err(sqlx::migrate::MigrateError::Execute(error))
                if started.elapsed() < DATABASE_PATIENCE && away(&error) =>
            {
                tracing::warn!(%error, "the database does not answer yet");
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            result => return Ok(result?),
        }
    }
}

/// Warns where the settings of connections do not arrive.
async fn look_at_planning(store: &Store) {
    match store.planning_to_set().await {
        Ok(statements) if statements.is_empty() => {}
        Ok(statements) => tracing::warn!(
            remedy = statements.join("; "),
            "what stands before Postgres does not pass on how statements are to be planned: they become slow as tables grow"
        ),
        Err(error) => tracing::warn!(%error, "it cannot be seen how statements are planned"),
    }
}

fn away(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut)
}

/// A role that cannot fail.
async fn ending_well(role: impl Future<Output = ()>) -> Result<(), String> {
    role.await;
    Ok(())
}

fn why(ended: Result<Result<(), String>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "without being asked to".to_owned(),
        Ok(Err(error)) => error,
        Err(panicked) => panicked.to_string(),
    }
}
