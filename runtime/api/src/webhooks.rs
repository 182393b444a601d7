//! `/tenants/{id}/webhooks`: tenants' own endpoints, told by Standard Webhooks what happens.

mod bodies;
pub mod deliveries;

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::TimeDelta;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::webhooks::{ChangeError, NewWebhook, State as Progress, WebhookChange, seal_secret, types};
use serde_json::json;
use uuid::Uuid;

use self::bodies::{
    DeliveryBody, NewWebhookBody, SecretBody, WebhookBody, WebhookChangeBody, WebhookCreated, WebhookList,
};
use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, conflict, invalid_field, not_found};
use crate::json::Json;

/// How long the secret before a rotation signs along.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Types that one webhook may name.
const MOST_TYPES: usize = 50;
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 200;
/// Failures that are shown with a webhook.
const RECENT: i64 = 5;

/// Somebody who may act for the tenant of the path, and the webhook that the path names.
pub struct ForWebhook {
    tenant_id: Uuid,
    id: Uuid,
}

impl FromRequestParts<Api> for ForWebhook {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let ForTenant(tenant_id) = ForTenant::from_request_parts(parts, api).await?;
        let params = RawPathParams::from_request_parts(parts, api).await.ok();
        let id = params.iter().flatten().find(|(name, _)| *name == "webhook").map(|(_, id)| id.to_owned());
        let id = id.unwrap_or_default();
        let id = Uuid::parse_str(&id).map_err(|_| no_webhook(&id))?;
        // What is wrong with the body is of no interest when there is nothing to change.
        match api.store.webhook(tenant_id, id).await? {
            Some(_) => Ok(Self { tenant_id, id }),
            None => Err(no_webhook(&id.to_string())),
        }
    }
}

/// Register an endpoint, to be told of what it wants from now on. The answer shows the secret that signs, once.
#[utoipa::path(post, path = "/tenants/{id}/webhooks", tag = "webhooks", request_body = NewWebhookBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 201, body = WebhookCreated), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "code limit_reached", body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn create(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(body): Json<NewWebhookBody>,
) -> Result<(StatusCode, axum::Json<WebhookCreated>), ApiError> {
    checked_url(&api, &body.url)?;
    let types = checked_types(body.types)?;
    checked_description(body.description.as_deref())?;
    let id = api.store.ambient.id();
    let secret = hoopoe_webhooks::secret(api.store.ambient.bytes());
    let sealed = seal_secret(&api.master_key, tenant_id, id, &secret, api.store.ambient.bytes());
    let new = NewWebhook { id, url: body.url, types, description: body.description, secret: sealed };
    api.store.create_webhook(tenant_id, &new).await?;
    changed(&api);
    tracing::info!(tenant = %tenant_id, webhook = %id, "webhook registered");
    let webhook = shown(&api, tenant_id, id).await?;
    Ok((StatusCode::CREATED, axum::Json(WebhookCreated { webhook, secret: SecretBody::of(&secret).secret })))
}

/// The tenant's endpoints, oldest first.
#[utoipa::path(get, path = "/tenants/{id}/webhooks", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = WebhookList), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
) -> Result<axum::Json<WebhookList>, ApiError> {
    let webhooks = api.store.webhooks(tenant_id, None).await?;
    Ok(axum::Json(WebhookList { webhooks: webhooks.into_iter().map(WebhookBody::from).collect() }))
}

/// An endpoint, how it fares, and what it was told in vain of late.
#[utoipa::path(get, path = "/tenants/{id}/webhooks/{webhook}", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint")),
    security(("bearer" = [])),
    responses((status = 200, body = WebhookBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn show(
    ForWebhook { tenant_id, id }: ForWebhook,
    State(api): State<Api>,
) -> Result<axum::Json<WebhookBody>, ApiError> {
    let mut webhook = shown(&api, tenant_id, id).await?;
    let failed = api.store.webhook_deliveries(tenant_id, id, Some(Progress::Failed), None, RECENT).await?;
    webhook.recent_failures = Some(failed.into_iter().map(DeliveryBody::from).collect());
    Ok(axum::Json(webhook))
}

/// Change an endpoint, switch it off, or on again: then what waited for it goes out.
#[utoipa::path(put, path = "/tenants/{id}/webhooks/{webhook}", tag = "webhooks", request_body = WebhookChangeBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint")),
    security(("bearer" = [])),
    responses((status = 200, body = WebhookBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    ForWebhook { tenant_id, id }: ForWebhook,
    State(api): State<Api>,
    Json(body): Json<WebhookChangeBody>,
) -> Result<axum::Json<WebhookBody>, ApiError> {
    if let Some(url) = &body.url {
        checked_url(&api, url)?;
    }
    checked_description(body.description.as_deref())?;
    let types = body.types.map(checked_types).transpose()?;
    let change = WebhookChange { url: body.url, types, description: body.description, enabled: body.enabled };
    if !api.store.change_webhook(tenant_id, id, &change).await? {
        return Err(no_webhook(&id.to_string()));
    }
    changed(&api);
    tracing::info!(tenant = %tenant_id, webhook = %id, enabled = body.enabled, "webhook changed");
    Ok(axum::Json(shown(&api, tenant_id, id).await?))
}

/// Delete an endpoint with all that waits for it.
#[utoipa::path(delete, path = "/tenants/{id}/webhooks/{webhook}", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint")),
    security(("bearer" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn delete(ForWebhook { tenant_id, id }: ForWebhook, State(api): State<Api>) -> Result<StatusCode, ApiError> {
    if !api.store.delete_webhook(tenant_id, id).await? {
        return Err(no_webhook(&id.to_string()));
    }
    changed(&api);
    tracing::info!(tenant = %tenant_id, webhook = %id, "webhook deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Sign with a new secret, which the answer shows once. For 24 hours the former one signs along.
#[utoipa::path(post, path = "/tenants/{id}/webhooks/{webhook}/rotate-secret", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The tenant"), ("webhook" = Uuid, Path, description = "The endpoint")),
    security(("bearer" = [])),
    responses((status = 200, body = SecretBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn rotate(
    ForWebhook { tenant_id, id }: ForWebhook,
    State(api): State<Api>,
) -> Result<axum::Json<SecretBody>, ApiError> {
    let secret = hoopoe_webhooks::secret(api.store.ambient.bytes());
    let sealed = seal_secret(&api.master_key, tenant_id, id, &secret, api.store.ambient.bytes());
    let until = api.store.ambient.now() + OVERLAP;
    if !api.store.rotate_webhook_secret(tenant_id, id, &sealed, until).await? {
        return Err(no_webhook(&id.to_string()));
    }
    tracing::info!(tenant = %tenant_id, webhook = %id, "secret of a webhook rotated");
    Ok(axum::Json(SecretBody { former_until: Some(until), ..SecretBody::of(&secret) }))
}

/// Every process looks anew who is to be told what.
fn changed(api: &Api) {
    api.shared.forget(Forget::All(Cache::Webhooks));
}

async fn shown(api: &Api, tenant_id: Uuid, id: Uuid) -> Result<WebhookBody, ApiError> {
    let webhook = api.store.webhook(tenant_id, id).await?.ok_or_else(|| no_webhook(&id.to_string()))?;
    Ok(webhook.into())
}

fn no_webhook(id: &str) -> ApiError {
    not_found(format!("the tenant has no webhook {id}"))
}

fn checked_url(api: &Api, url: &str) -> Result<(), ApiError> {
    hoopoe_webhooks::check_url(&api.webhook_rules, url).map_err(|why| invalid_field("url", why))
}

fn checked_types(mut wishes: Vec<String>) -> Result<Vec<String>, ApiError> {
    if !(1..=MOST_TYPES).contains(&wishes.len()) {
        return Err(invalid_field("types", format!("it has {}; name 1 to {MOST_TYPES}, or \"*\"", wishes.len())));
    }
    if let Some(wrong) = wishes.iter().find(|wish| !types::is_wish(wish)) {
        let known = types::TYPES.join(", ");
        let why = format!("{wrong:?} is no type; name some of {known}, families such as message.*, or *");
        return Err(invalid_field("types", why));
    }
    wishes.sort_unstable();
    wishes.dedup();
    Ok(wishes)
}

fn checked_description(description: Option<&str>) -> Result<(), ApiError> {
    match description {
        Some(text) if text.chars().count() > LONGEST_DESCRIPTION || text.contains('\0') => Err(invalid_field(
            "description",
            format!("give it at most {LONGEST_DESCRIPTION} characters, none of them NUL"),
        )),
        _ => Ok(()),
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::TooMany => conflict(error.to_string()).with("limit_reached", json!({})),
            ChangeError::Store(error) => error.into(),
        }
    }
}
