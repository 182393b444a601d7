//! `DELETE` of a plugin, and of one of its versions.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::ForPlugin;
use crate::Api;
use crate::error::{ApiError, ErrorBody};

/// Delete a plugin with its versions, secrets and history. Not while it is active. The records of its runs stay.
#[utoipa::path(delete, path = "/tenants/{id}/plugins/{name}", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "code in_use: the plugin is active", body = ErrorBody)))]
pub async fn plugin(ForPlugin { tenant_id, name }: ForPlugin, State(api): State<Api>) -> Result<StatusCode, ApiError> {
    api.store.delete_plugin(tenant_id, &name).await?;
    tracing::info!(tenant = %tenant_id, plugin = name, "plugin deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a version. Not while it is active or the canary. Conversations keep the state that it left.
#[utoipa::path(delete, path = "/tenants/{id}/plugins/{name}/versions/{digest}", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin"),
        ("digest" = String, Path, description = "The version")),
    security(("bearer" = [])),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "code in_use: the version is active or the canary", body = ErrorBody)))]
pub async fn version(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Path(names): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let version = api.library.version(tenant_id, &name, Some(&names.2)).await?;
    api.store.delete_plugin_version(tenant_id, &name, &version.digest).await?;
    tracing::info!(tenant = %tenant_id, plugin = name, digest = version.digest, "plugin version deleted");
    Ok(StatusCode::NO_CONTENT)
}
