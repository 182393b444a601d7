//! `PUT` and `DELETE` of `.../secrets/{secret}`: write-only.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use hoopoe_plugins::{check_secret_name, check_secret_value};
use hoopoe_store::plugins::seal_secret;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::ForPlugin;
use crate::Api;
use crate::error::{ApiError, ErrorBody, invalid_field, not_found};
use crate::json::Json;

/// A secret's value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSecretBody {
    /// 1 to 4096 visible ASCII characters; kept sealed and never shown.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    value: SecretString,
}

fn secret<'de, D: serde::Deserializer<'de>>(json: D) -> Result<SecretString, D::Error> {
    String::deserialize(json).map(SecretString::from)
}

/// Set or replace a secret. Headers of the plugin's `http-request` actions name it as `{{secret:NAME}}`; the plugin
/// never sees it.
#[utoipa::path(put, path = "/tenants/{id}/plugins/{name}/secrets/{secret}", tag = "plugins",
    request_body = PutSecretBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin"),
        ("secret" = String, Path, description = "1 to 64 of A-Z, a-z, 0-9, _ and -")),
    security(("bearer" = [])),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "code limit_reached", body = ErrorBody)))]
pub async fn put(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Path(names): Path<(String, String, String)>,
    Json(body): Json<PutSecretBody>,
) -> Result<StatusCode, ApiError> {
    let secret = names.2;
    check_secret_name(&secret).map_err(|why| invalid_field("secret", why))?;
    check_secret_value(body.value.expose_secret()).map_err(|why| invalid_field("value", why))?;
    let nonce = api.store.ambient.bytes();
    let sealed = seal_secret(&api.master_key, tenant_id, (&name, &secret), &body.value, nonce);
    api.store.put_plugin_secret(tenant_id, &name, &secret, &sealed).await?;
    tracing::info!(tenant = %tenant_id, plugin = name, secret, "secret set");
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a secret.
#[utoipa::path(delete, path = "/tenants/{id}/plugins/{name}/secrets/{secret}", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin"),
        ("secret" = String, Path, description = "The secret")),
    security(("bearer" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delete(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Path(names): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let secret = names.2;
    if !api.store.delete_plugin_secret(tenant_id, &name, &secret).await? {
        return Err(not_found(format!("plugin {name} of the tenant has no secret {secret}")));
    }
    tracing::info!(tenant = %tenant_id, plugin = name, secret, "secret deleted");
    Ok(StatusCode::NO_CONTENT)
}
