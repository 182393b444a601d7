//! `POST .../activate`, `rollback`, `deactivate` and `resume`: which version is in charge.

use axum::Json as Answer;
use axum::extract::State;
use hoopoe_plugins::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::ForPlugin;
use crate::Api;
use crate::error::{ApiError, ErrorBody, conflict, invalid_field};
use crate::json::OptionalJson;

/// Which version, and how.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivateBody {
    /// A digest, 8 or more digits of its beginning, or a semantic version (the newest upload of it). The newest upload
    /// when absent.
    #[serde(default)]
    digest: Option<String>,
    /// 1 to 99: let it be tried on this percentage of the conversations, while the active version has the others.
    #[serde(default)]
    canary_percent: Option<i16>,
    /// A configuration that holds from then on; as it is when absent.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// `true`: also when its `migrate-state` fails for states that conversations have. Those conversations stay with
    /// the version that left their state.
    #[serde(default)]
    force: bool,
}

/// What is in charge now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivatedBody {
    /// The plugin.
    plugin: String,
    /// The version that took over, or is on trial.
    digest: String,
    /// From its manifest.
    version: String,
    /// The percentage of conversations of a trial.
    canary_percent: Option<i16>,
    /// States of conversations on which its `migrate-state` was tried before.
    migrated: usize,
    /// Of these, failed: only with `force`.
    migration_failures: usize,
}

/// What a rollback did.
#[derive(Serialize, ToSchema)]
pub struct RolledBackBody {
    /// The plugin.
    plugin: String,
    /// The version in charge now.
    digest: String,
    /// The version that was in charge, or on trial, before.
    from: String,
}

/// What is in charge instead.
#[derive(Serialize, ToSchema)]
pub struct DeactivatedBody {
    /// The plugin.
    plugin: String,
    /// The built-in plugin that took over: `rules` when the tenant has rules, else `auto-reply`; `templates` for a
    /// renderer.
    instead: &'static str,
}

/// What a resume did.
#[derive(Serialize, ToSchema)]
pub struct ResumedBody {
    /// The plugin.
    plugin: String,
    /// `true`: its events go on, in order.
    resumed: bool,
}

/// Nothing to say: no body, or an empty object.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Let a version take over, between two events of each conversation, or be tried on a share of the conversations. Ends a
/// trial and a pause. Before, the version's `migrate-state` is tried on the states of up to 100 conversations.
#[utoipa::path(post, path = "/tenants/{id}/plugins/{name}/activate", tag = "plugins", request_body = Option<ActivateBody>,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = ActivatedBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "code migration_failed, config_invalid, not_active, in_use or changed_meanwhile: \
            what was active stays", body = ErrorBody)))]
pub async fn activate(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    OptionalJson(body): OptionalJson<ActivateBody>,
) -> Result<Answer<ActivatedBody>, ApiError> {
    let percent = body.canary_percent;
    if percent.is_some_and(|percent| !(1..=99).contains(&percent)) {
        let advice = "give it 1 to 99; leave it out to let the version take over, and end a trial with a rollback";
        return Err(invalid_field("canaryPercent", advice));
    }
    let config = body.config.map(Value::Object);
    let activation = Activation { plugin: name.clone(), version: body.digest, percent, config, force: body.force };
    let (version, tried) = api.library.activate(tenant_id, &activation).await?;
    // What the tenant's flow wants is remembered with the routes.
    api.forget_routes();
    Ok(Answer(ActivatedBody {
        plugin: name,
        digest: version.digest,
        version: version.version,
        canary_percent: percent,
        migrated: tried.states,
        migration_failures: tried.failed,
    }))
}

/// Go back: end a trial, when there is one; else let the version take over that was active before.
#[utoipa::path(post, path = "/tenants/{id}/plugins/{name}/rollback", tag = "plugins", request_body = Option<Nothing>,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = RolledBackBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "code not_active or nothing_before", body = ErrorBody)))]
pub async fn rollback(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    OptionalJson(Nothing {}): OptionalJson<Nothing>,
) -> Result<Answer<RolledBackBody>, ApiError> {
    let rolled = api.library.roll_back(tenant_id, &name).await?;
    api.forget_routes();
    Ok(Answer(RolledBackBody { plugin: name, digest: rolled.digest, from: rolled.from }))
}

/// Take the plugin out of charge: the tenant's rules handle its events again, or `auto-reply` when it has none.
#[utoipa::path(post, path = "/tenants/{id}/plugins/{name}/deactivate", tag = "plugins", request_body = Option<Nothing>,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = DeactivatedBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "code not_active", body = ErrorBody)))]
pub async fn deactivate(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    OptionalJson(Nothing {}): OptionalJson<Nothing>,
) -> Result<Answer<DeactivatedBody>, ApiError> {
    let instead = api.store.deactivate_plugin(tenant_id, &name).await?;
    api.forget_routes();
    tracing::info!(tenant = %tenant_id, plugin = name, instead, "plugin deactivated");
    Ok(Answer(DeactivatedBody { plugin: name, instead }))
}

/// Let the tenant's events go on, in order, after the plugin was paused because it kept failing.
#[utoipa::path(post, path = "/tenants/{id}/plugins/{name}/resume", tag = "plugins", request_body = Option<Nothing>,
    params(("id" = Uuid, Path, description = "The tenant"), ("name" = String, Path, description = "The plugin")),
    security(("bearer" = [])),
    responses((status = 200, body = ResumedBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "code not_paused", body = ErrorBody)))]
pub async fn resume(
    ForPlugin { tenant_id, name }: ForPlugin,
    State(api): State<Api>,
    OptionalJson(Nothing {}): OptionalJson<Nothing>,
) -> Result<Answer<ResumedBody>, ApiError> {
    if !api.store.resume_flow(tenant_id, &name).await? {
        // Built-in plugins can be paused too; of the tenant's own there has to be one of this name.
        if hoopoe_plugins::check_name(&name).is_ok() {
            api.library.plugin(tenant_id, &name).await?;
        }
        let message = format!("plugin {name} is not paused: its events do not wait");
        return Err(conflict(message).with("not_paused", serde_json::json!({})));
    }
    tracing::info!(tenant = %tenant_id, plugin = name, "plugin resumed");
    Ok(Answer(ResumedBody { plugin: name, resumed: true }))
}
