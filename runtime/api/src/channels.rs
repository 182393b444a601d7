//! `PUT /tenants/{id}/channels/{phoneNumberId}`: a new access token or rate, and an end to a suspension.

use axum::extract::{Path, State};
use hoopoe_shared::forget::{Cache, Forget};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, invalid_field, not_found, tenant_not_found};
use crate::json::Json;
use crate::tenants::{TenantBody, checked_token, optional_secret};

/// What changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ChannelUpdate {
    /// The number's new access token; the old one stays when absent.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>, example = "EAAG...")]
    access_token: Option<SecretString>,
    /// Messages per second that the number may send, 0.01 to 10,000: 20 in coexistence, up to 1,000 where Meta has raised
    /// it. NUMBER_RATE counts until one is set.
    #[serde(default)]
    #[schema(example = 80.0)]
    messages_per_second: Option<f64>,
}

/// Change a number's access token or rate and let it send again. Messages that waited because Meta refused the number are tried
/// at once.
#[utoipa::path(put, path = "/tenants/{id}/channels/{phoneNumberId}", tag = "tenants", request_body = ChannelUpdate,
    params(("id" = Uuid, Path, description = "The tenant"),
        ("phoneNumberId" = String, Path, description = "Meta's id of the number")),
    security(("bearer" = [])),
    responses((status = 200, body = TenantBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
    Json(update): Json<ChannelUpdate>,
) -> Result<axum::Json<TenantBody>, ApiError> {
    let number = ids.1;
    if let Some(token) = &update.access_token {
        checked_token(token)?;
    }
    if update.messages_per_second.is_some_and(|rate| !(0.01..=10_000.0).contains(&rate)) {
        return Err(invalid_field("messagesPerSecond", "give it 0.01 to 10000"));
    }
    let seal = |token: &SecretString| api.master_key.seal(tenant_id, token, api.store.ambient.bytes());
    let token = update.access_token.as_ref().map(seal);
    if !api.store.resume_channel(tenant_id, &number, token.as_ref(), update.messages_per_second).await? {
        return Err(not_found(format!("the tenant has no number {number}; give Meta's id of one of its numbers")));
    }
    api.shared.forget(Forget::One(Cache::Channels, tenant_id.to_string()));
    api.store.wakes.delivery.notify_one();
    tracing::info!(tenant = %tenant_id, number, token = token.is_some(), "channel resumed");
    let tenant = api.store.tenant(tenant_id).await?.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))?;
    Ok(axum::Json(tenant.into()))
}
