//! The HTTP edge: JSON in and out, authentication, one kind of error. No business logic: handlers check what they are
//! given and call a stage or the store.
//!
//! All routes answer at `/` and under `/api`. The OpenAPI document is generated from the handlers.

mod alerts;
mod apps;
mod auth;
mod channel_state;
mod channels;
mod channels_body;
mod consent;
mod conversation_settings;
mod conversations;
mod dead_letters;
mod docs;
mod embedded_signup;
mod error;
mod events;
mod flows;
mod health;
mod json;
mod live;
mod media;
mod messages;
mod messenger;
mod meta_templates;
mod metrics;
mod page;
mod plugins;
mod references;
mod runs;
mod send;
mod send_at;
mod send_batch;
mod send_body;
mod send_template;
mod sends;
mod templates;
mod tenants;
mod trace;
mod webhook;
mod webhooks;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use chrono::TimeDelta;
use hoopoe_flows::DeliveryGate;
use hoopoe_ingest::Ingest;
use hoopoe_onboarding::Onboarding;
use hoopoe_plugins::Library;
use hoopoe_secrets::MasterKey;
use hoopoe_shared::Shared;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::Store;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

pub use docs::openapi;
pub use metrics::{Scrape, metrics_router};

/// What the handlers need. Cheap to clone, which happens several times for each request.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

/// What it consists of.
pub struct Parts {
    store: Store,
    ingest: Ingest,
    library: Library,
    shared: Shared,
    sends: sends::Sends,
    validity: TimeDelta,
    master_key: MasterKey,
    verify_token: SecretString,
    webhook_rules: Arc<hoopoe_webhooks::Rules>,
    graph: hoopoe_meta::Graph,
    media: hoopoe_media::Media,
    onboarding: Onboarding,
    apps: apps::Known,
    watchers: live::Watchers,
    stop: CancellationToken,
}

/// What the API stands on.
pub struct Ground {
    /// The database.
    pub store: Store,
    /// Takes webhooks.
    pub ingest: Ingest,
    /// Plugins.
    pub library: Library,
    /// Seals tokens and secrets, and is the operator's key.
    pub master_key: MasterKey,
    /// What Meta repeats when it verifies the webhook's address.
    pub verify_token: SecretString,
    /// Tells other processes what has changed. What is told to it has to reach `ingest`.
    pub shared: Shared,
    /// Where sends go when this process delivers too.
    pub delivery: DeliveryGate,
    /// For how long such sends belong to this process.
    pub lease: TimeDelta,
    /// How long after its time a scheduled message is worth sending, unless it says otherwise.
    pub validity: TimeDelta,
    /// Where tenants' webhooks may be.
    pub webhook_rules: Arc<hoopoe_webhooks::Rules>,
    /// Calls Meta where an answer cannot wait.
    pub graph: hoopoe_meta::Graph,
    /// Files of messages.
    pub media: hoopoe_media::Media,
    /// How numbers come aboard.
    pub onboarding: Onboarding,
    /// Ends the answers that would go on for ever.
    pub stop: CancellationToken,
}

impl Api {
    /// Starts the writer of sends.
    pub fn new(ground: Ground) -> Self {
        let Ground {
            store,
            ingest,
            library,
            shared,
            master_key,
            verify_token,
            delivery,
            lease,
            validity,
            webhook_rules,
            graph,
            media,
            onboarding,
            stop,
        } = ground;
        let sends = sends::Sends::start(&store, delivery, lease);
        let apps = apps::Known::default();
        apps.forget_with(&shared);
        Self(Arc::new(Parts {
            store,
            ingest,
            library,
            shared,
            sends,
            validity,
            master_key,
            verify_token,
            webhook_rules,
            graph,
            media,
            onboarding,
            apps,
            watchers: live::Watchers::default(),
            stop,
        }))
    }

    /// A number was registered, or what a tenant's flow wants has changed: every process looks anew.
    fn forget_routes(&self) {
        self.shared.forget(Forget::All(Cache::Routes));
    }
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// All routes.
pub fn router(api: Api) -> Router {
    let (routes, document) = routed().split_for_parts();
    let routes = routes.with_state(api.clone());
    Router::new()
        .merge(routes.clone())
        .nest("/api", routes)
        .merge(health_only(api.store.clone(), api.shared.clone()))
        .merge(docs::router(document))
        .layer(DefaultBodyLimit::max(webhook::LARGEST))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::wrong_method)
}

/// The routes of a process without the role `api`: for probes.
pub fn health_only(store: Store, shared: Shared) -> Router {
    let (routes, _) = probed().split_for_parts();
    let routes = routes.with_state(health::Probed { store, shared });
    Router::new().merge(routes.clone()).nest("/api", routes)
}

fn probed() -> OpenApiRouter<health::Probed> {
    OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::ready))
}

fn routed() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(tenants::register))
        .routes(routes!(tenants::show))
        .routes(routes!(tenants::set_quota))
        .routes(routes!(send::send))
        .routes(routes!(send_batch::send_batch).layer(DefaultBodyLimit::max(send_batch::LARGEST)))
        .routes(routes!(send_template::send_template))
        .routes(routes!(embedded_signup::sign_up))
        .routes(routes!(channels::list, channels::add))
        .routes(routes!(channels::show, channels::update))
        .routes(routes!(channel_state::show))
        .routes(routes!(messenger::add_page))
        .routes(routes!(messenger::add_account))
        .routes(routes!(apps::show, apps::put, apps::delete))
        .routes(routes!(consent::list, consent::set))
        .routes(routes!(conversation_settings::show, conversation_settings::update))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(dead_letters::purge))
        .routes(routes!(templates::list, templates::create))
        .routes(routes!(templates::show, templates::update, templates::delete))
        .routes(routes!(flows::save, flows::show))
        .routes(routes!(flows::history))
        .routes(routes!(flows::rollback))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::show))
        .routes(routes!(conversations::hand_off))
        .routes(routes!(conversations::release))
        .routes(routes!(messages::list))
        .routes(routes!(messages::show))
        .routes(routes!(messages::cancel))
        .routes(routes!(plugins::show::list))
        // The handler reads up to the sandbox's limit by itself.
        .routes(routes!(plugins::upload::upload, plugins::show::show, plugins::removal::plugin))
        .routes(routes!(plugins::show::version, plugins::removal::version))
        .routes(routes!(plugins::activation::activate))
        .routes(routes!(plugins::activation::rollback))
        .routes(routes!(plugins::activation::deactivate))
        .routes(routes!(plugins::activation::resume))
        .routes(routes!(plugins::settings::config))
        .routes(routes!(plugins::settings::hosts))
        .routes(routes!(plugins::secrets::put, plugins::secrets::delete))
        .routes(routes!(plugins::simulate::run))
        .routes(routes!(plugins::replay::run))
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(live::watch))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(alerts::show, alerts::update))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::show, webhooks::update, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::deliveries::test))
        .routes(routes!(webhooks::deliveries::list))
        .routes(routes!(webhooks::deliveries::redrive))
        // The handler reads up to Meta's limit by itself.
        .routes(routes!(media::upload))
        .routes(routes!(media::show, media::delete))
        .routes(routes!(media::file))
        .routes(routes!(meta_templates::list, meta_templates::create, meta_templates::delete))
        .routes(routes!(meta_templates::sync))
        .routes(routes!(webhook::verify, webhook::receive))
        .routes(routes!(webhook::verify_short, webhook::receive_short))
        .routes(routes!(webhook::own::verify_own, webhook::own::receive_own))
}
