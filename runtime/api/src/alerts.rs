//! `/tenants/{id}/alerts`: when a tenant is told, by its webhooks, that something is wrong.

use axum::extract::State;
use chrono::{DateTime, Utc};
use hoopoe_store::alerts::{Alert, Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, invalid_field};
use crate::json::Json;

/// Largest threshold.
const LARGEST: i32 = 1_000_000;
/// Longest period, in seconds.
const LONGEST: i32 = 86_400;

/// A tenant's alerts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertsBody {
    /// `alert.dead_letters`: more new dead letters within the period than the threshold.
    dead_letters: AlertBody,
    /// `alert.queue_age`: work is ready and not begun for more seconds than the threshold.
    queue_age: AlertBody,
}

/// An alert: its bounds, and whether it is raised.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertBody {
    /// Dead letters, or seconds.
    threshold: i32,
    /// Seconds. At most one alert is raised within it; dead letters are counted over it.
    period_seconds: i32,
    /// Whether it is raised at present. Alerts are looked after while a webhook wants them.
    raised: bool,
    /// When it was raised last.
    raised_at: Option<DateTime<Utc>>,
    /// When that was over.
    resolved_at: Option<DateTime<Utc>>,
}

/// What changes: an alert that is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AlertsUpdate {
    dead_letters: Option<AlertBounds>,
    queue_age: Option<AlertBounds>,
}

/// An alert's bounds; what is absent is the default: 10 dead letters, 300 seconds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AlertBounds {
    /// Dead letters, or seconds: 0 to 1,000,000.
    threshold: Option<i32>,
    /// Seconds, 1 to 86,400.
    period_seconds: Option<i32>,
}

/// When the tenant is alerted, and whether it is.
#[utoipa::path(get, path = "/tenants/{id}/alerts", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = AlertsBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn show(ForTenant(tenant_id): ForTenant, State(api): State<Api>) -> Result<axum::Json<AlertsBody>, ApiError> {
    shown(&api, tenant_id).await
}

/// Set when the tenant is alerted. Who is to be told registers a webhook for `alert.*`.
#[utoipa::path(put, path = "/tenants/{id}/alerts", tag = "webhooks", request_body = AlertsUpdate,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = AlertsBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(update): Json<AlertsUpdate>,
) -> Result<axum::Json<AlertsBody>, ApiError> {
    let changes =
        [(Kind::DeadLetters, "deadLetters", update.dead_letters), (Kind::QueueAge, "queueAge", update.queue_age)];
    for (_, field, bounds) in &changes {
        let Some(AlertBounds { threshold, period_seconds }) = bounds else { continue };
        if threshold.is_some_and(|threshold| !(0..=LARGEST).contains(&threshold)) {
            return Err(invalid_field(&format!("{field}.threshold"), format!("give it 0 to {LARGEST}")));
        }
        if period_seconds.is_some_and(|period| !(1..=LONGEST).contains(&period)) {
            return Err(invalid_field(&format!("{field}.periodSeconds"), format!("give it 1 to {LONGEST}")));
        }
    }
    for (kind, _, bounds) in changes {
        if let Some(AlertBounds { threshold, period_seconds }) = bounds {
            api.store.set_alert(tenant_id, kind, threshold, period_seconds).await?;
        }
    }
    shown(&api, tenant_id).await
}

async fn shown(api: &Api, tenant_id: uuid::Uuid) -> Result<axum::Json<AlertsBody>, ApiError> {
    let alerts = api.store.alerts(tenant_id).await?;
    let of = |kind: Kind| {
        let alert = alerts.iter().find(|alert| alert.kind == kind);
        AlertBody {
            threshold: alert.map_or(kind.defaults(), |alert| alert.bounds).threshold,
            period_seconds: alert.map_or(kind.defaults(), |alert| alert.bounds).period_seconds,
            raised: alert.is_some_and(Alert::is_raised),
            raised_at: alert.and_then(|alert| alert.raised_at),
            resolved_at: alert.and_then(|alert| alert.resolved_at),
        }
    };
    Ok(axum::Json(AlertsBody { dead_letters: of(Kind::DeadLetters), queue_age: of(Kind::QueueAge) }))
}
