//! `GET /health` and `GET /ready`: for load balancers and supervisors.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hoopoe_store::Store;
use serde::Serialize;
use utoipa::ToSchema;

/// The process runs.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always true.
    ok: bool,
}

/// Whether the process can do its work.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// Whether nothing is missing.
    ok: bool,
    /// What is missing, in words.
    missing: Vec<String>,
}

/// Whether the process runs. It does not look at the database: a restart would not help.
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { ok: true })
}

/// Whether the process can do its work, and if not, what is missing.
#[utoipa::path(get, path = "/ready", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(State(store): State<Store>) -> (StatusCode, Json<Readiness>) {
    match store.ping().await {
        Ok(()) => (StatusCode::OK, Json(Readiness { ok: true, missing: Vec::new() })),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let missing = vec!["the database does not answer".to_owned()];
            (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { ok: false, missing }))
        }
    }
}
