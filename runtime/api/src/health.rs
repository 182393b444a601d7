//! `GET /health` and `GET /ready`: for load balancers and supervisors.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hoopoe_shared::Shared;
use hoopoe_store::Store;
use serde::Serialize;
use utoipa::ToSchema;

/// What is looked at.
#[derive(Clone)]
pub struct Probed {
    /// Needed.
    pub store: Store,
    /// Not needed: a process works without it.
    pub shared: Shared,
}

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
    /// The memory that processes share. While it is away each works by itself. Absent without `REDIS_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Redis>,
}

/// Whether Redis answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Redis {
    /// It does.
    Ok,
    /// It does not.
    Away,
}

impl From<hoopoe_shared::Redis> for Redis {
    fn from(redis: hoopoe_shared::Redis) -> Self {
        match redis {
            hoopoe_shared::Redis::Ok => Self::Ok,
            hoopoe_shared::Redis::Away => Self::Away,
        }
    }
}

/// Whether the process runs. It does not look at the database: a restart would not help.
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { ok: true })
}

/// Whether the process can do its work, and if not, what is missing.
#[utoipa::path(get, path = "/ready", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(State(probed): State<Probed>) -> (StatusCode, Json<Readiness>) {
    let redis = probed.shared.redis().map(Redis::from);
    match probed.store.ping().await {
        Ok(()) => (StatusCode::OK, Json(Readiness { ok: true, missing: Vec::new(), redis })),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let missing = vec!["the database does not answer".to_owned()];
            (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { ok: false, missing, redis }))
        }
    }
}
