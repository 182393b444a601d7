//! `GET /tenants/{id}/channels/{phoneNumberId}/state`: what Meta tells of a number and its account.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use hoopoe_store::channel_facts::KnownFact;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, not_found};

/// What Meta told last of a number and its account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelState {
    /// The channel.
    channel_id: Uuid,
    /// Meta's id of the number.
    phone_number_id: String,
    /// By kind: `quality` and `name` of the number, `security` of its settings, `error`; `account`, `review`,
    /// `capability`, and `alert:` with a type of alert, of the business account. The newest 100.
    facts: BTreeMap<String, FactBody>,
}

/// What was told last of one kind.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactBody {
    /// In Meta's words: docs/conversations.md has the fields.
    #[schema(value_type = Object)]
    value: Value,
    /// When, by Meta's clock, as far as it tells.
    told_at: DateTime<Utc>,
}

/// What Meta told of a number and its account, the latest of each kind.
#[utoipa::path(get, path = "/tenants/{id}/channels/{phoneNumberId}/state", tag = "tenants",
    params(("id" = Uuid, Path, description = "The tenant"),
        ("phoneNumberId" = String, Path, description = "Meta's id of the number")),
    security(("bearer" = [])),
    responses((status = 200, body = ChannelState), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path((_id, phone_number_id)): Path<(String, String)>,
) -> Result<axum::Json<ChannelState>, ApiError> {
    let found = api.store.channel_facts(tenant_id, &phone_number_id).await?;
    let (channel_id, facts) = found.ok_or_else(|| {
        not_found(format!("the tenant has no number {phone_number_id}; give Meta's id of one of its numbers"))
    })?;
    let body = |KnownFact { kind, value, told_at }| (kind, FactBody { value, told_at });
    let facts = facts.into_iter().map(body).collect();
    Ok(axum::Json(ChannelState { channel_id, phone_number_id, facts }))
}
