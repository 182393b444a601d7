//! `/tenants/{id}/meta-templates`: the templates of a business account at Meta.

mod bodies;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_meta::{Class, Failure};
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::meta_templates::{Known, TemplateFilter};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use self::bodies::{MetaTemplateBody, MetaTemplateList, NewMetaTemplate, SyncedBody, checked_name};
use crate::auth::ForTenant;
use crate::error::{
    ApiError, ErrorBody, bad_request, conflict, invalid_field, tenant_not_found, too_many, unavailable, unprocessable,
};
use crate::json::Json;
use crate::{Api, page};

/// Pages of Meta's list that a sync reads at the most: 20,000 templates, more than an account may have.
const PAGES: usize = 200;

/// Which account.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AccountQuery {
    /// Meta's id of the business account; that of the tenant's first number which has one when absent.
    #[serde(rename = "wabaId")]
    waba_id: Option<String>,
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MetaListQuery {
    /// One name only, in all its languages.
    name: Option<String>,
    /// One status only: `PAUSED`.
    status: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// What to delete.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// The template.
    name: Option<String>,
    /// This language only; all when absent.
    language: Option<String>,
    /// Meta's id of the business account; that of the tenant's first number which has one when absent.
    #[serde(rename = "wabaId")]
    waba_id: Option<String>,
}

/// The templates of the tenant's accounts, as far as they are known here: by a sync, by what was created here, and by
/// Meta's webhooks.
#[utoipa::path(get, path = "/tenants/{id}/meta-templates", tag = "templates",
    params(("id" = Uuid, Path, description = "The tenant"), MetaListQuery), security(("bearer" = [])),
    responses((status = 200, body = MetaTemplateList), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<MetaListQuery>, QueryRejection>,
) -> Result<axum::Json<MetaTemplateList>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(query.limit)?;
    let after = query
        .after
        .map(|after| place(&after).ok_or_else(|| invalid_field("after", "give it the `next` of the page before")));
    let filter = TemplateFilter { name: query.name, status: query.status, after: after.transpose()?, limit: limit + 1 };
    let mut found = api.store.meta_templates(tenant_id, &filter).await?;
    let has_more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| has_more);
    let next = last.map(|it| format!("{} {} {}", it.waba_id, it.name, it.language));
    Ok(axum::Json(MetaTemplateList { templates: found.into_iter().map(MetaTemplateBody::from).collect(), next }))
}

/// Submit a template to Meta for approval. Meta's webhooks tell here how it fares.
#[utoipa::path(post, path = "/tenants/{id}/meta-templates", tag = "templates", request_body = NewMetaTemplate,
    params(("id" = Uuid, Path, description = "The tenant"), AccountQuery), security(("bearer" = [])),
    responses((status = 201, body = MetaTemplateBody), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "No account is known (no_account), or Meta refuses its token (meta_token)",
            body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, description = "Meta refuses the template (meta_refused); details has Meta's code", body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn create(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<AccountQuery>, QueryRejection>,
    Json(new): Json<NewMetaTemplate>,
) -> Result<(StatusCode, axum::Json<MetaTemplateBody>), ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let new = new.checked()?;
    let Account { waba_id, token } = account(&api, tenant_id, query.waba_id).await?;
    let (name, language, components) = (new.name.clone(), new.language.clone(), json!(new.components));
    let created = api.graph.create_template(&token, &waba_id, &new.body()).await.map_err(refused)?;
    tracing::info!(tenant = %tenant_id, waba_id, template = name, language, "a template was submitted to Meta");
    let known = Known {
        meta_id: Some(created.id),
        status: Some((created.status, None)),
        category: created.category.map(|category| (category, None)),
        components: Some(components.to_string()),
        ..Known::new(name.clone(), language.clone(), api.store.ambient.now())
    };
    api.store.learn_templates(tenant_id, &waba_id, &[known]).await?;
    let filter = TemplateFilter { name: Some(name.clone()), limit: 1_000, ..TemplateFilter::default() };
    let found = api.store.meta_templates(tenant_id, &filter).await?;
    let it = found.into_iter().find(|it| it.waba_id == waba_id && it.language == language);
    // Only a deletion at the same moment leaves nothing.
    let it = it.ok_or_else(|| conflict(format!("the template {name} ({language}) was deleted meanwhile")))?;
    Ok((StatusCode::CREATED, axum::Json(it.into())))
}

/// Read an account's templates from Meta: what is new there becomes known here, what is gone there is forgotten here.
#[utoipa::path(post, path = "/tenants/{id}/meta-templates/sync", tag = "templates",
    params(("id" = Uuid, Path, description = "The tenant"), AccountQuery), security(("bearer" = [])),
    responses((status = 200, body = SyncedBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "No account is known (no_account), or Meta refuses its token (meta_token)",
            body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn sync(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<AccountQuery>, QueryRejection>,
) -> Result<axum::Json<SyncedBody>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let Account { waba_id, token } = account(&api, tenant_id, query.waba_id).await?;
    // What a webhook tells while pages are read is newer than they are.
    let started = api.store.ambient.now();
    let (mut templates, mut after) = (0, None);
    for _ in 0..PAGES {
        let page = api.graph.templates(&token, &waba_id, after.as_deref()).await.map_err(refused)?;
        let known: Vec<Known> = page.templates.into_iter().map(|template| known(template, started)).collect();
        templates += known.len();
        api.store.learn_templates(tenant_id, &waba_id, &known).await?;
        after = page.next;
        if after.is_none() {
            // What was stopped may go out now.
            api.shared.forget(Forget::One(Cache::Channels, tenant_id.to_string()));
            let removed = api.store.forget_templates(tenant_id, &waba_id, None, None, started).await?;
            tracing::info!(tenant = %tenant_id, waba_id, templates, removed, "templates were read from Meta");
            return Ok(axum::Json(SyncedBody { waba_id, templates, removed }));
        }
    }
    Err(unprocessable(format!("Meta's list of templates does not end after {PAGES} pages; those read are known now")))
}

/// Delete a template at Meta, in one language or in all. Meta keeps its name for 30 days.
#[utoipa::path(delete, path = "/tenants/{id}/meta-templates", tag = "templates",
    params(("id" = Uuid, Path, description = "The tenant"), DeleteQuery), security(("bearer" = [])),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "No account is known (no_account), Meta refuses its token (meta_token), or the \
            language's id at Meta is not known (no_meta_id)", body = ErrorBody),
        (status = 422, description = "Meta refuses (meta_refused)", body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn delete(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let name = query.name.ok_or_else(|| invalid_field("name", "it is missing; say which template to delete"))?;
    checked_name(&name)?;
    let Account { waba_id, token } = account(&api, tenant_id, query.waba_id).await?;
    let id = match &query.language {
        None => None,
        Some(language) => Some(meta_id(&api, tenant_id, &waba_id, &name, language).await?),
    };
    api.graph.delete_template(&token, &waba_id, &name, id.as_deref()).await.map_err(refused)?;
    let ever = api.store.ambient.now() + TimeDelta::days(1);
    api.store.forget_templates(tenant_id, &waba_id, Some(&name), query.language.as_deref(), ever).await?;
    tracing::info!(tenant = %tenant_id, waba_id, template = name, language = query.language, "a template was deleted at Meta");
    Ok(StatusCode::NO_CONTENT)
}

/// Account, name and language, none of which has a space in it.
fn place(after: &str) -> Option<(String, String, String)> {
    let mut parts = after.splitn(3, ' ').map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// Meta deletes a single language by its id only.
async fn meta_id(api: &Api, tenant_id: Uuid, waba_id: &str, name: &str, language: &str) -> Result<String, ApiError> {
    let filter = TemplateFilter { name: Some(name.to_owned()), limit: 1_000, ..TemplateFilter::default() };
    let found = api.store.meta_templates(tenant_id, &filter).await?;
    let it = found.into_iter().find(|it| it.waba_id == waba_id && it.language == language);
    it.and_then(|it| it.meta_id).ok_or_else(|| {
        conflict(format!(
            "Meta's id of {name} ({language}) is not known; POST /tenants/{{id}}/meta-templates/sync first"
        ))
        .with("no_meta_id", json!({ "name": name, "language": language }))
    })
}

/// A business account and a token for it.
struct Account {
    waba_id: String,
    token: SecretString,
}

/// The account that is named, or that of the tenant's first number which has one, with that number's token.
async fn account(api: &Api, tenant_id: Uuid, waba_id: Option<String>) -> Result<Account, ApiError> {
    let tenant = api.store.tenant(tenant_id).await?.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))?;
    let fits = |known: &Option<String>| known.is_some() && (waba_id.is_none() || *known == waba_id);
    let channel = tenant.channels.into_iter().find(|channel| fits(&channel.waba_id));
    let Some((channel_id, waba_id)) = channel.and_then(|channel| Some((channel.id, channel.waba_id?))) else {
        return Err(match waba_id {
            Some(_) => {
                invalid_field("wabaId", "the tenant has no number of such an account; leave it out or correct it")
            }
            None => conflict("no business account of the tenant is known; register its number with wabaId")
                .with("no_account", json!({})),
        });
    };
    let unusable = |why: String| conflict(why).with("meta_token", json!({ "wabaId": waba_id }));
    let sender = api.store.sender(tenant_id, channel_id).await?;
    let sender = sender.ok_or_else(|| unusable("the account's number is gone".to_owned()))?;
    let token = api.master_key.open(tenant_id, &sender.token).map_err(|error| unusable(error.to_string()))?;
    if token.expose_secret().starts_with("mock_") {
        return Err(unusable(
            "the number's token is for trying things out; there is no account at Meta behind it".into(),
        ));
    }
    Ok(Account { waba_id, token })
}

/// What Meta refuses, in our words.
fn refused(failure: Failure) -> ApiError {
    let Failure { class, code, subcode, message, .. } = failure;
    let details = json!({ "code": code, "subcode": subcode });
    match class {
        Class::SuspendChannel => {
            let advice = "set another token with PUT /tenants/{id}/channels/{phoneNumberId}";
            conflict(format!("Meta refuses the number's token: {message}; {advice}")).with("meta_token", details)
        }
        Class::PauseNumber | Class::PausePair => too_many(format!("Meta asks to wait: {message}")),
        Class::Transient | Class::Ambiguous => unavailable(format!("Meta does not answer: {message}; try again soon")),
        Class::Permanent | Class::SuspendTemplate => {
            unprocessable(format!("Meta refuses it: {message}")).with("meta_refused", details)
        }
    }
}

fn known(template: hoopoe_meta::templates::Template, at: DateTime<Utc>) -> Known {
    let next = template.correct_category.filter(|next| Some(next) != template.category.as_ref());
    Known {
        meta_id: template.id,
        status: Some((template.status, template.reason)),
        category: template.category.map(|category| (category, next)),
        quality: template.quality,
        components: Some(template.components.to_string()),
        ..Known::new(template.name, template.language, at)
    }
}
