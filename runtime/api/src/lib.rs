//! The HTTP edge: JSON in and out, authentication, one kind of error. No business logic: handlers check what they are
//! given and call a stage or the store.
//!
//! All routes answer at `/` and under `/api`. The OpenAPI document is generated from the handlers.

mod auth;
mod docs;
mod error;
mod health;
mod json;
mod messages;
mod send;
mod tenants;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hoopoe_ingest::Ingest;
use hoopoe_secrets::MasterKey;
use hoopoe_store::Store;
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::outbound::{Queued, SendRequest};
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use docs::openapi;

/// What the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    store: Store,
    ingest: Ingest,
    sends: GroupCommit<SendRequest, Queued>,
    master_key: MasterKey,
    verify_token: Arc<SecretString>,
}

impl Api {
    /// `verify_token` is what Meta repeats when it verifies the webhook's address.
    pub fn new(store: Store, ingest: Ingest, master_key: MasterKey, verify_token: SecretString) -> Self {
        let sizes = Sizes { batch: 256, queue: 10_000, writers: 1 };
        let writer = store.clone();
        let sends = GroupCommit::start(sizes, move |requests: Vec<_>| {
            let store = writer.clone();
            Box::pin(async move { store.enqueue(&requests).await })
        });
        Self { store, ingest, sends, master_key, verify_token: verify_token.into() }
    }
}

/// All routes.
pub fn router(api: Api) -> Router {
    let (routes, document) = routed().split_for_parts();
    let routes = routes.with_state(api.clone());
    Router::new()
        .merge(routes.clone())
        .nest("/api", routes)
        .merge(health_only(api.store))
        .merge(docs::router(document))
        .layer(DefaultBodyLimit::max(webhook::LARGEST))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::wrong_method)
}

/// The routes of a process without the role `api`: for probes.
pub fn health_only(store: Store) -> Router {
    let (routes, _) = probed().split_for_parts();
    let routes = routes.with_state(store);
    Router::new().merge(routes.clone()).nest("/api", routes)
}

fn probed() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::ready))
}

fn routed() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(tenants::register))
        .routes(routes!(tenants::show))
        .routes(routes!(send::send))
        .routes(routes!(messages::list))
        .routes(routes!(messages::show))
        .routes(routes!(webhook::verify, webhook::receive))
        .routes(routes!(webhook::verify_short, webhook::receive_short))
}
