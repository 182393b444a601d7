//! `.../webhooks/{webhook}/deliveries`, `/test`, `/redrive`: what an endpoint was told, and is to be told.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use hoopoe_store::webhooks::Redrive;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::ForWebhook;
use super::bodies::{DeliveryBody, DeliveryPage, DeliveryStatus, RedriveBody, Redriven, TestQueued};
use crate::error::{ApiError, ErrorBody, bad_request, conflict, invalid_field, not_found};
use crate::json::Json;
use crate::{Api, page};

/// Notices that one request sends once more.
const MOST: i64 = 1_000;

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only those that fare so.
    pub status: Option<DeliveryStatus>,
    /// Only those older than this place: the page before gave it as `next`.
    pub before: Option<String>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<i64>,
}

/// Tell the endpoint that nothing has happened (`webhook.test`), to see whether it listens.
#[utoipa::path(post, path = "/tenants/{id}/webhooks/{webhook}/test", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint")),
    security(("bearer" = [])),
    responses((status = 202, body = TestQueued), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "code disabled", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn test(
    ForWebhook { tenant_id, id }: ForWebhook,
    State(api): State<Api>,
) -> Result<(StatusCode, axum::Json<TestQueued>), ApiError> {
    match api.store.test_webhook(tenant_id, id).await? {
        Some(id) => Ok((StatusCode::ACCEPTED, axum::Json(TestQueued { id }))),
        None => Err(conflict("the webhook is disabled; enable it first").with("disabled", json!({}))),
    }
}

/// What the endpoint was told and is to be told, newest first. Settled ones are kept for RUN_RETENTION.
#[utoipa::path(get, path = "/tenants/{id}/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint"),
        ListQuery),
    security(("bearer" = [])),
    responses((status = 200, body = DeliveryPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    ForWebhook { tenant_id, id }: ForWebhook,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<axum::Json<DeliveryPage>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(query.limit)?;
    let before = query.before.as_deref().map(place).transpose()?;
    let before = before.as_ref().map(|(at, id)| (*at, id.as_str()));
    let found = api.store.webhook_deliveries(tenant_id, id, query.status.map(Into::into), before, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|found| found == limit);
    let next =
        found.last().filter(|_| full).map(|last| format!("{}-{}", last.created_at.timestamp_micros(), last.notice_id));
    Ok(axum::Json(DeliveryPage { deliveries: found.into_iter().map(DeliveryBody::from).collect(), next }))
}

/// Send notices once more, with all of their attempts and under the same ids.
#[utoipa::path(post, path = "/tenants/{id}/webhooks/{webhook}/redrive", tag = "webhooks", request_body = RedriveBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint")),
    security(("bearer" = [])),
    responses((status = 200, body = Redriven), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn redrive(
    ForWebhook { tenant_id, id }: ForWebhook,
    State(api): State<Api>,
    Json(body): Json<RedriveBody>,
) -> Result<axum::Json<Redriven>, ApiError> {
    let which = match (body.id, body.since) {
        (Some(id), None) if id.contains('\0') => return Err(invalid_field("id", "it holds a NUL character")),
        (Some(id), None) => Redrive::One(id),
        (None, Some(since)) => Redrive::FailedSince(since, MOST),
        (None, None) => return Err(bad_request("id or since: one of the two is needed")),
        (Some(_), Some(_)) => return Err(bad_request("id and since: give one of the two, not both")),
    };
    let redriven = api.store.redrive_notices(tenant_id, id, &which).await?;
    match which {
        Redrive::One(notice) if redriven == 0 => {
            Err(not_found(format!("the webhook has no settled delivery {notice}; one that waits is tried by itself")))
        }
        _ => {
            tracing::info!(tenant = %tenant_id, webhook = %id, redriven, "notices are sent once more");
            Ok(axum::Json(Redriven { redriven }))
        }
    }
}

/// Reads `next` of the page before.
fn place(before: &str) -> Result<(DateTime<Utc>, String), ApiError> {
    let read = before.split_once('-').and_then(|(at, id)| {
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        (!id.contains('\0')).then(|| (at, id.to_owned()))
    });
    read.ok_or_else(|| invalid_field("before", "give it the next of the page before"))
}
