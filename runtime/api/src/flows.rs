//! `/tenants/{id}/flows`: a tenant's rule set, its versions, and the way back to one of them.

mod zones;

use std::collections::BTreeSet;

use axum::extract::{Query, State, rejection::QueryRejection};
use chrono::{DateTime, Utc};
use hoopoe_rules::{Problem, RuleSet};
use hoopoe_store::rule_sets::{NewRuleSet, RuleSet as Saved};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field, not_found};
use crate::json::Json;

/// Which version to show.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    /// A version of the history; the newest when absent.
    version: Option<i32>,
}

/// Which version to restore.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// A version of the history; the one before the newest when absent.
    #[serde(default)]
    #[schema(example = 3)]
    version: Option<i32>,
}

/// A saved rule set.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedRules {
    #[serde(flatten)]
    set: RuleSet,
    /// Grows by one with every change; 0 when nothing was saved yet.
    version: i32,
    /// Whether these rules handle the tenant's events. They do not while a plugin of the tenant's own is active.
    active: bool,
    /// The version that this one restores.
    #[serde(skip_serializing_if = "Option::is_none")]
    restores: Option<i32>,
    /// When it was saved.
    created_at: Option<DateTime<Utc>>,
    /// Templates that the rules send and that do not exist yet; a message for which one is needed fails.
    unknown_templates: Vec<String>,
}

/// A version of the rule set.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RulesVersion {
    /// Which one.
    version: i32,
    /// How many rules it has.
    rules: usize,
    /// Whether it handles the tenant's events.
    active: bool,
    /// The version that it restores.
    #[serde(skip_serializing_if = "Option::is_none")]
    restores: Option<i32>,
    /// When it was saved.
    created_at: DateTime<Utc>,
}

/// The versions of a rule set.
#[derive(Serialize, ToSchema)]
pub struct RulesHistory {
    /// Newest first; the last 100 are kept.
    versions: Vec<RulesVersion>,
}

/// Save the rule set as a new version. It handles the next message, unless a plugin of the tenant's own is active. A
/// set without rules and fallback switches the rules off.
#[utoipa::path(post, path = "/tenants/{id}/flows", tag = "flows", request_body = RuleSet,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = SavedRules),
        (status = 400, description = "The message begins with the place of the mistake: flows[3].match.regex: ...",
            body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn save(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(set): Json<RuleSet>,
) -> Result<axum::Json<SavedRules>, ApiError> {
    append(&api, tenant_id, set, None).await
}

/// The rule set, or a version of it.
#[utoipa::path(get, path = "/tenants/{id}/flows", tag = "flows",
    params(("id" = Uuid, Path, description = "The tenant"), ShowQuery), security(("bearer" = [])),
    responses((status = 200, body = SavedRules), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<axum::Json<SavedRules>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let saved = match (api.store.rule_set(tenant_id, query.version).await?, query.version) {
        (Some(saved), _) => saved,
        (None, Some(version)) => return Err(no_version(version)),
        (None, None) => {
            let set = RuleSet::default();
            let nothing = SavedRules {
                set,
                version: 0,
                active: false,
                restores: None,
                created_at: None,
                unknown_templates: Vec::new(),
            };
            return Ok(axum::Json(nothing));
        }
    };
    let set = read(&saved)?;
    Ok(axum::Json(shown(&api, tenant_id, saved, set).await?))
}

/// The versions of the rule set, newest first.
#[utoipa::path(get, path = "/tenants/{id}/flows/history", tag = "flows",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = RulesHistory), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn history(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
) -> Result<axum::Json<RulesHistory>, ApiError> {
    let versions = api.store.rule_sets(tenant_id).await?.into_iter().map(|saved| {
        let rules = read(&saved)?.flows.len();
        let Saved { version, restores, created_at, active, .. } = saved;
        Ok(RulesVersion { version, rules, active, restores, created_at })
    });
    Ok(axum::Json(RulesHistory { versions: versions.collect::<Result<_, ApiError>>()? }))
}

/// Save an earlier version as the newest.
#[utoipa::path(post, path = "/tenants/{id}/flows/rollback", tag = "flows", request_body = RollbackBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = SavedRules), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, description = "There is no such version", body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn rollback(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(body): Json<RollbackBody>,
) -> Result<axum::Json<SavedRules>, ApiError> {
    let saved = match body.version {
        Some(version) => api.store.rule_set(tenant_id, Some(version)).await?.ok_or_else(|| no_version(version))?,
        None => api.store.former_rule_set(tenant_id).await?.ok_or_else(|| {
            not_found("there is no version before this one; GET /tenants/{id}/flows/history shows all")
        })?,
    };
    let set = read(&saved)?;
    append(&api, tenant_id, set, Some(saved.version)).await
}

/// Checks, compiles and saves.
async fn append(
    api: &Api,
    tenant_id: Uuid,
    set: RuleSet,
    restores: Option<i32>,
) -> Result<axum::Json<SavedRules>, ApiError> {
    let now = api.store.ambient.now();
    let config = hoopoe_rules::compile(&set, &|name| zones::zone(name, now))
        .map_err(|Problem { path, message }| invalid_field(&path, message))?;
    let is_off = set.flows.is_empty() && set.fallback_template_key.is_none();
    let json = json!(set).to_string();
    let new = NewRuleSet { set: json, config: (!is_off).then_some(config), restores };
    let saved = api.store.save_rule_set(tenant_id, &new).await?;
    tracing::info!(tenant = %tenant_id, version = saved.version, active = saved.active, "rules saved");
    Ok(axum::Json(shown(api, tenant_id, saved, set).await?))
}

async fn shown(api: &Api, tenant_id: Uuid, saved: Saved, set: RuleSet) -> Result<SavedRules, ApiError> {
    let actions = set.flows.iter().flat_map(|rule| rule.action.places());
    let keys = actions.filter_map(|(_, action)| action.template_key.as_ref()).chain(&set.fallback_template_key);
    let keys: Vec<String> = keys.collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let unknown_templates = api.store.unknown_templates(tenant_id, &keys).await?;
    let Saved { version, restores, created_at, active, .. } = saved;
    Ok(SavedRules { set, version, active, restores, created_at: Some(created_at), unknown_templates })
}

/// A stored set. A field that a later version of Hoopoe knows and this one does not makes it unreadable.
fn read(saved: &Saved) -> Result<RuleSet, ApiError> {
    serde_json::from_str(&saved.set).map_err(|error| {
        let version = saved.version;
        bad_request(format!("version {version} of the rules was saved by another version of Hoopoe: {error}"))
    })
}

fn no_version(version: i32) -> ApiError {
    not_found(format!("there is no version {version} of the rules; GET /tenants/{{id}}/flows/history shows all"))
}
