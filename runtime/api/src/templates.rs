//! `/tenants/{id}/templates`: messages with variables, in one or more languages, sent by key.

mod bodies;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use hoopoe_store::templates::{ChangeError, NewVersion, Template};
use hoopoe_templates::Invalid;
use serde_json::{Value, json};
use uuid::Uuid;

use self::bodies::{LanguageQuery, ListQuery, NewTemplateBody, TemplateBody, TemplateChangeBody, TemplatePage, parsed};
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, conflict, invalid_field, not_found};
use crate::json::Json;
use crate::{Api, page};

/// The language of a new template that names none.
const LANGUAGE: &str = "en";

/// Create a template with its first language. Further languages are added with PUT.
#[utoipa::path(post, path = "/tenants/{id}/templates", tag = "templates", request_body = NewTemplateBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 201, body = TemplateBody),
        (status = 400, description = "The message points at what is wrong: components[0].text: ...", body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The key is in use (key_taken), or there are too many templates (limit_reached)",
            body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn create(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(body): Json<NewTemplateBody>,
) -> Result<(StatusCode, axum::Json<TemplateBody>), ApiError> {
    hoopoe_templates::check_key(&body.key)?;
    let language = hoopoe_templates::language(body.language.as_deref().unwrap_or(LANGUAGE))?;
    let metadata = body.metadata.unwrap_or_else(|| json!({}));
    check(&api, tenant_id, &body.components, &metadata).await?;
    let (components, metadata) = (body.components.to_string(), metadata.to_string());
    api.store.create_template(tenant_id, &body.key, &language, &components, &metadata).await?;
    tracing::info!(tenant = %tenant_id, key = body.key, "template created");
    Ok((StatusCode::CREATED, shown(&api, tenant_id, &body.key, Some(&language)).await?))
}

/// The tenant's templates.
#[utoipa::path(get, path = "/tenants/{id}/templates", tag = "templates",
    params(("id" = Uuid, Path, description = "The tenant"), ListQuery), security(("bearer" = [])),
    responses((status = 200, body = TemplatePage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<axum::Json<TemplatePage>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(query.limit)?;
    if query.after.as_deref().is_some_and(|after| after.contains('\0')) {
        return Err(invalid_field("after", "it holds a NUL character; give it the next of the page before"));
    }
    let templates = api.store.templates(tenant_id, query.after.as_deref(), limit).await?;
    let full = i64::try_from(templates.len()).is_ok_and(|found| found == limit);
    let next = templates.last().filter(|_| full).map(|template| template.key.clone());
    let templates = templates.into_iter().filter_map(|template| TemplateBody::of(template, None)).collect();
    Ok(axum::Json(TemplatePage { templates, next }))
}

/// A template: in the language asked for, else in the closest one (`en_GB`, `en`, the default language).
#[utoipa::path(get, path = "/tenants/{id}/templates/{key}", tag = "templates",
    params(("id" = Uuid, Path, description = "The tenant"), ("key" = String, Path, description = "The template"),
        LanguageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = TemplateBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    query: Result<Query<LanguageQuery>, QueryRejection>,
) -> Result<axum::Json<TemplateBody>, ApiError> {
    let language = asked(query)?;
    shown(&api, tenant_id, &path.1, language.as_deref()).await
}

/// Write a new version of a template in one language, or add a language. Older versions are kept.
#[utoipa::path(put, path = "/tenants/{id}/templates/{key}", tag = "templates", request_body = TemplateChangeBody,
    params(("id" = Uuid, Path, description = "The tenant"), ("key" = String, Path, description = "The template"),
        LanguageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = TemplateBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "There are too many languages (limit_reached)", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    query: Result<Query<LanguageQuery>, QueryRejection>,
    Json(body): Json<TemplateChangeBody>,
) -> Result<axum::Json<TemplateBody>, ApiError> {
    let (_, key) = path;
    let language = match (body.language.as_deref().map(hoopoe_templates::language).transpose()?, asked(query)?) {
        (Some(one), Some(other)) if one != other => {
            return Err(invalid_field("language", format!("it is {one} in the body and {other} in the address")));
        }
        (one, other) => one.or(other),
    };
    let before = find(&api, tenant_id, &key).await?;
    let written = language.as_ref().unwrap_or(&before.default_language);
    let before = before.languages.iter().find(|version| version.language == *written);
    let metadata = match (body.metadata, before) {
        (Some(metadata), _) => metadata,
        (None, Some(before)) => parsed(&before.metadata),
        (None, None) => json!({}),
    };
    check(&api, tenant_id, &body.components, &metadata).await?;
    let new = NewVersion {
        key,
        language,
        components: body.components.to_string(),
        metadata: metadata.to_string(),
        make_default: body.default,
    };
    let language = api.store.update_template(tenant_id, &new).await?;
    tracing::info!(tenant = %tenant_id, key = new.key, language, "template changed");
    shown(&api, tenant_id, &new.key, Some(&language)).await
}

/// Delete a template, or only one of its languages. The key can be used again.
#[utoipa::path(delete, path = "/tenants/{id}/templates/{key}", tag = "templates",
    params(("id" = Uuid, Path, description = "The tenant"), ("key" = String, Path, description = "The template"),
        LanguageQuery),
    security(("bearer" = [])),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The default language cannot be deleted alone (default_language)",
            body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn delete(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    query: Result<Query<LanguageQuery>, QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let language = asked(query)?;
    let key = known_key(&path.1)?;
    api.store.delete_template(tenant_id, key, language.as_deref()).await?;
    tracing::info!(tenant = %tenant_id, key, language, "template deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Components of the built-in renderer are checked whole; a renderer of the tenant's decides itself what its components
/// are, so they are checked in their frame only.
async fn check(api: &Api, tenant_id: Uuid, components: &Value, metadata: &Value) -> Result<(), ApiError> {
    if api.store.has_renderer(tenant_id).await? {
        hoopoe_templates::check_frame(components, metadata)?;
    } else {
        hoopoe_templates::Template::parse(components, metadata)?;
    }
    Ok(())
}

fn asked(query: Result<Query<LanguageQuery>, QueryRejection>) -> Result<Option<String>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    Ok(query.language.as_deref().map(hoopoe_templates::language).transpose()?)
}

/// A key that there can be.
fn known_key(key: &str) -> Result<&str, ApiError> {
    hoopoe_templates::check_key(key).map_err(|_| no_template(key))?;
    Ok(key)
}

/// 404.
pub fn no_template(key: &str) -> ApiError {
    not_found(format!("the tenant has no template {key}; create it with POST /tenants/{{id}}/templates"))
        .with("unknown_template", json!({ "key": key }))
}

async fn find(api: &Api, tenant_id: Uuid, key: &str) -> Result<Template, ApiError> {
    api.store.template(tenant_id, known_key(key)?).await?.ok_or_else(|| no_template(key))
}

async fn shown(
    api: &Api,
    tenant_id: Uuid,
    key: &str,
    language: Option<&str>,
) -> Result<axum::Json<TemplateBody>, ApiError> {
    let template = find(api, tenant_id, key).await?;
    // A template that is deleted meanwhile can be without languages.
    TemplateBody::of(template, language).map(axum::Json).ok_or_else(|| no_template(key))
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        invalid_field(&invalid.path, invalid.message)
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let text = error.to_string();
        match error {
            ChangeError::KeyTaken(key) => conflict(text).with("key_taken", json!({ "key": key })),
            ChangeError::Missing(key) => no_template(&key),
            ChangeError::MissingLanguage { key, language } => {
                not_found(text).with("unknown_language", json!({ "key": key, "language": language }))
            }
            ChangeError::DefaultLanguage(language) => {
                conflict(text).with("default_language", json!({ "language": language }))
            }
            ChangeError::TooMany(_) => conflict(text).with("limit_reached", json!({})),
            ChangeError::Store(error) => error.into(),
        }
    }
}
