//! `PUT /tenants/{id}/plugins/{name}`: a version of a plugin, as bytes.

use axum::body::{Body, to_bytes};
use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode, header};
use hoopoe_plugins::{Activation, check_name};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ForPlugin;
use super::bodies::VersionBody;
use super::errors::upload_too_large;
use crate::Api;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field};

/// What to do with the version besides.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// `true`: let it take over at once, as `activate` would. When that is refused the version is kept all the same.
    activate: Option<bool>,
}

/// A version after its upload.
#[derive(Serialize, ToSchema)]
pub struct UploadedBody {
    /// The name of the plugin.
    plugin: String,
    /// `flow` or `template`.
    world: String,
    /// Whether the version is in charge now, by this request.
    activated: bool,
    #[serde(flatten)]
    version: VersionBody,
}

/// Upload a version of a plugin: the bytes of a component, or of a core module that carries its WIT. The plugin is
/// created with its first version. A version is immutable, named by its digest, and not in charge before it is
/// activated.
#[utoipa::path(put, path = "/tenants/{id}/plugins/{name}", tag = "plugins",
    params(("id" = Uuid, Path, description = "The tenant"),
        ("name" = String, Path, description = "1 to 64 of a-z, 0-9 and -"), UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/wasm"), security(("bearer" = [])),
    responses((status = 201, body = UploadedBody),
        (status = 200, description = "The plugin had this component already", body = UploadedBody),
        (status = 400, description = "code plugin_refused: this is no plugin that the host can run; the message says why",
            body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "Another world, a limit reached, or not to be activated", body = ErrorBody),
        (status = 413, body = ErrorBody),
        (status = 429, description = "code too_many_uploads: too many of the tenant's uploads wait for the compiler",
            body = ErrorBody),
        (status = 503, description = "Too many uploads wait for the compiler", body = ErrorBody)))]
pub async fn upload(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    query: Result<Query<UploadQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<UploadedBody>), ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    check_name(&name).map_err(|why| invalid_field("name", why))?;
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("missing");
    let essence = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["application/wasm", "application/octet-stream"].contains(&essence.as_str()) {
        let advice = "send the component's bytes with Content-Type: application/wasm";
        return Err(invalid_field("Content-Type", format!("it is {found}; {advice}")));
    }
    let limit = api.library.largest_component();
    let bytes = to_bytes(body, limit).await.map_err(|error| {
        let cause = std::error::Error::source(&error);
        match cause.is_some_and(|cause| cause.to_string().contains("limit")) {
            true => upload_too_large(limit),
            false => bad_request(format!("the body could not be read: {error}")),
        }
    })?;
    let uploaded = api.library.upload(tenant_id, &name, &bytes).await?;
    let activated = query.activate.unwrap_or(false);
    if activated {
        let version = Some(uploaded.version.digest.clone());
        let activation = Activation { plugin: name.clone(), version, percent: None, config: None, force: false };
        api.library.activate(tenant_id, &activation).await?;
        // What the tenant's flow wants is remembered with the routes.
        api.ingest.forget_routes();
    }
    let status = if uploaded.known { StatusCode::OK } else { StatusCode::CREATED };
    let version = uploaded.version.into();
    Ok((status, axum::Json(UploadedBody { plugin: name, world: uploaded.world, activated, version })))
}
