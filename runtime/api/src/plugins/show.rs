//! `GET /tenants/{id}/plugins`, one of them, and one of its versions.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::ForPlugin;
use super::bodies::{ActivationBody, PluginBody, SecretBody, VersionBody};
use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody};

/// Latest entries of the history that are shown.
const HISTORY: i64 = 100;

/// A tenant's plugins.
#[derive(Serialize, ToSchema)]
pub struct PluginList {
    /// By name.
    plugins: Vec<PluginBody>,
}

/// A plugin with all that belongs to it.
#[derive(Serialize, ToSchema)]
pub struct PluginDetail {
    /// The plugin.
    plugin: PluginWithSecrets,
    /// Newest first.
    versions: Vec<VersionBody>,
    /// The latest 100 entries of its history, newest first.
    activations: Vec<ActivationBody>,
}

/// A plugin, and the names of its secrets.
#[derive(Serialize, ToSchema)]
pub struct PluginWithSecrets {
    #[serde(flatten)]
    plugin: PluginBody,
    /// By name; values are never shown.
    secrets: Vec<SecretBody>,
}

/// A tenant's own plugins.
#[utoipa::path(get, path = "/tenants/{id}/plugins", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = PluginList), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(ForTenant(tenant_id): ForTenant, State(api): State<Api>) -> Result<Json<PluginList>, ApiError> {
    let plugins = api.store.plugins(tenant_id, None).await?;
    Ok(Json(PluginList { plugins: plugins.into_iter().map(PluginBody::from).collect() }))
}

/// A plugin with its versions and its history.
#[utoipa::path(get, path = "/tenants/{id}/plugins/{name}", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = PluginDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn show(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
) -> Result<Json<PluginDetail>, ApiError> {
    let plugin = api.library.plugin(tenant_id, &name).await?;
    let secrets = api.store.plugin_secret_names(tenant_id, &name).await?;
    let versions = api.store.plugin_versions(tenant_id, &name).await?;
    let activations = api.store.plugin_activations(tenant_id, &name, HISTORY).await?;
    Ok(Json(PluginDetail {
        plugin: PluginWithSecrets {
            plugin: plugin.into(),
            secrets: secrets.into_iter().map(SecretBody::from).collect(),
        },
        versions: versions.into_iter().map(VersionBody::from).collect(),
        activations: activations.into_iter().map(ActivationBody::from).collect(),
    }))
}

/// A version: by its digest, 8 or more digits of its beginning, or its semantic version.
#[utoipa::path(get, path = "/tenants/{id}/plugins/{name}/versions/{digest}", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin"),
        ("digest" = String, Path, description = "The version")),
    security(("bearer" = [])),
    responses((status = 200, body = VersionBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn version(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Path(names): Path<(String, String, String)>,
) -> Result<Json<VersionBody>, ApiError> {
    let version = api.library.version(tenant_id, &name, Some(&names.2)).await?;
    Ok(Json(version.into()))
}
