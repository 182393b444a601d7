//! `PUT .../config` and `PUT .../hosts`.

use axum::Json as Answer;
use axum::extract::State;
use hoopoe_plugins::{ActivateError, check_hosts};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::ForPlugin;
use super::errors::config_invalid;
use crate::Api;
use crate::error::{ApiError, ErrorBody, invalid_field};
use crate::json::Json;

/// A plugin's configuration.
#[derive(Serialize, ToSchema)]
pub struct ConfigBody {
    /// As it holds from the next event.
    #[schema(value_type = Object)]
    config: Value,
}

/// Hosts that a plugin may call.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostsBody {
    /// Names such as `api.example.com`, or `*.example.com` for all below it, with `:PORT` for another port than 443; at
    /// most 50. The operator's list has to allow them too.
    hosts: Vec<String>,
}

/// Replace the configuration: a JSON object of at most 64 KiB that fits the schemas of the versions that run, or of the
/// newest when none does.
#[utoipa::path(put, path = "/tenants/{id}/plugins/{name}/config", tag = "plugins", request_body = Object,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = ConfigBody),
        (status = 400, description = "code config_invalid: details.violations tells path, rule and message of each",
            body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn config(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Json(config): Json<Map<String, Value>>,
) -> Result<Answer<ConfigBody>, ApiError> {
    let config = Value::Object(config);
    api.library.set_config(tenant_id, &name, &config).await.map_err(|error| match error {
        ActivateError::Config { digest, violations } => config_invalid(&digest, &violations),
        error => error.into(),
    })?;
    Ok(Answer(ConfigBody { config }))
}

/// Replace the list of hosts that the plugin's `http-request` actions may call. None at first.
#[utoipa::path(put, path = "/tenants/{id}/plugins/{name}/hosts", tag = "plugins", request_body = HostsBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = HostsBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn hosts(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    Json(mut body): Json<HostsBody>,
) -> Result<Answer<HostsBody>, ApiError> {
    check_hosts(&body.hosts).map_err(|(place, why)| match place {
        Some(place) => invalid_field(&format!("hosts[{place}]"), why),
        None => invalid_field("hosts", why),
    })?;
    body.hosts.sort_unstable();
    body.hosts.dedup();
    api.store.set_plugin_hosts(tenant_id, &name, &body.hosts).await?;
    Ok(Answer(body))
}
