//! `GET /metrics`: the process as Prometheus sees it. What is not counted as it happens is looked at when somebody asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hoopoe_secrets::MasterKey;
use hoopoe_shared::{Redis, Shared};
use hoopoe_store::Store;
use hoopoe_store::queues::Queues;
use hoopoe_telemetry::metrics::labels::{Connection, Ready};
use hoopoe_telemetry::metrics::{self, Metrics, metrics};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::auth::bearer;
use crate::error::{ApiError, unauthorized};

/// Between two looks at the queues, however many ask.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// How long a look may take: a scrape has to be answered while the database is away, too.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a scrape looks at. Cheap to clone.
#[derive(Clone)]
pub struct Scrape {
    store: Store,
    shared: Shared,
    looked: Arc<Mutex<Option<Instant>>>,
}

impl Scrape {
    /// Of this process.
    pub fn new(store: Store, shared: Shared) -> Self {
        Self { store, shared, looked: Arc::default() }
    }

    async fn text(&self) -> String {
        let all = metrics();
        let (open, idle, most) = self.store.connections();
        all.database_connections.of(Connection::InUse).set(open.saturating_sub(idle).into());
        all.database_connections.of(Connection::Idle).set(idle.into());
        all.database_connections_limit.set(most.into());
        let redis = self.shared.redis();
        all.redis_configured.set(redis.is_some().into());
        all.redis_up.set(matches!(redis, Some(Redis::Ok)).into());
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|at| at.elapsed() >= BETWEEN_LOOKS) {
            *looked = Some(Instant::now());
            self.look(all).await;
        }
        drop(looked);
        all.text()
    }

    async fn look(&self, all: &Metrics) {
        let found = tokio::time::timeout(PATIENCE, self.store.queues()).await;
        all.database_up.set(matches!(found, Ok(Ok(_))).into());
        match found {
            Ok(Ok(queues)) => return show_queues(all, queues),
            Ok(Err(error)) => tracing::warn!(%error, "could not look at the queues for metrics"),
            Err(_) => tracing::warn!("a look at the queues for metrics took longer than {PATIENCE:?}"),
        }
        // What was seen some time ago may be so no more.
        let ages = all.queue_oldest.all().chain([&all.notices_oldest, &all.scheduled_overdue]);
        for gauge in all.queue_lanes.all().chain(ages) {
            gauge.set(f64::NAN);
        }
    }
}

fn show_queues(all: &Metrics, queues: Queues) {
    all.queue_looked.inc();
    all.notices_oldest.set(queues.notices.as_seconds_f64());
    all.scheduled_overdue.set(queues.overdue.as_seconds_f64());
    for waiting in queues.classes {
        all.queue_lanes.of(waiting.class, Ready::Now).set(waiting.ready as f64);
        all.queue_lanes.of(waiting.class, Ready::Later).set(waiting.later as f64);
        all.queue_oldest.of(waiting.class).set(waiting.oldest.as_seconds_f64());
    }
}

/// The route. With a key it is for the operator alone; without one for whoever reaches the address.
pub fn metrics_router(scrape: Scrape, key: Option<MasterKey>) -> Router {
    let route = Router::new().route("/metrics", get(show)).with_state((scrape, key));
    Router::new().merge(route.clone()).nest("/api", route)
}

async fn show(
    State((scrape, key)): State<(Scrape, Option<MasterKey>)>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    if let Some(key) = key {
        let (parts, _) = request.into_parts();
        if !key.matches(bearer(&parts)?.expose_secret()) {
            return Err(unauthorized("this key may not do that; use MASTER_KEY as Authorization: Bearer <MASTER_KEY>"));
        }
    }
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], scrape.text().await))
}
