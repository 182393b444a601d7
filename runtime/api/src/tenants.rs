//! `POST /tenants/register`, `GET /tenants/{id}` and `PUT /tenants/{id}/quota`.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use hoopoe_secrets::ApiKey;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::suspended_templates::TemplateSuspension;
use hoopoe_store::tenants::{RegisterError, Registration, Tenant};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::{Admin, ForTenant};
use crate::channels::{checked_rate, checked_with_meta, kept};
use crate::channels_body::ChannelBody;
use crate::error::{ApiError, ErrorBody, conflict, invalid_field, tenant_not_found};
use crate::json::Json;

/// Longest name, in characters.
const LONGEST_NAME: usize = 200;
/// Longest access token, in bytes.
const LONGEST_TOKEN: usize = 4096;

/// A tenant to register, with its first number.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRequest {
    /// 1 to 200 characters.
    #[schema(example = "Tenant A")]
    name: String,
    /// Meta's id of the number: 5 to 32 digits, unique in the installation.
    #[schema(example = "111111111111111")]
    phone_number_id: String,
    /// The number's access token; kept sealed. One that begins with `mock_` simulates sends.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, example = "mock_token_tenant_A")]
    access_token: SecretString,
    /// Meta's id of the business account: 5 to 32 digits.
    #[serde(default)]
    waba_id: Option<String>,
}

/// What a tenant may send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Quota {
    /// Messages per second of all that the tenant sends, 0.01 to 10,000; TENANT_RATE when null or absent.
    #[serde(default)]
    #[schema(example = 20.0)]
    messages_per_second: Option<f64>,
}

/// A tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantBody {
    /// Stable id.
    id: Uuid,
    /// As registered.
    name: String,
    /// The plugin that handles its events.
    flow: String,
    /// Messages per second of all that it sends, when it has a quota of its own.
    messages_per_second: Option<f64>,
    /// Its numbers, oldest first; sends go out by the default one unless they name another.
    channels: Vec<ChannelBody>,
    /// Approved templates that Meta has paused or disabled and that are not tried at present.
    suspended_templates: Vec<SuspendedTemplateBody>,
    /// When it was registered.
    created_at: DateTime<Utc>,
}

/// A template that is not tried at present.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspendedTemplateBody {
    /// Meta's id of the business account; null: of the numbers whose account is not known.
    waba_id: Option<String>,
    /// As Meta knows it.
    name: String,
    /// Its language.
    language: String,
    /// What Meta said.
    reason: String,
    /// When it is tried again.
    until: DateTime<Utc>,
}

/// A registered tenant and its key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// The tenant.
    #[serde(flatten)]
    tenant: TenantBody,
    /// The tenant's API key. It is shown this once.
    #[schema(example = "hoopoe_4fGh...")]
    api_key: String,
}

/// Register a tenant with its first number. Needs `MASTER_KEY`.
#[utoipa::path(post, path = "/tenants/register", tag = "tenants", request_body = RegisterRequest,
    security(("bearer" = [])),
    responses((status = 201, body = Registered), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 409, description = "The number is registered already", body = ErrorBody)))]
pub async fn register(
    _: Admin,
    State(api): State<Api>,
    Json(request): Json<RegisterRequest>,
) -> Result<(StatusCode, axum::Json<Registered>), ApiError> {
    let request = request.checked()?;
    let look = checked_with_meta(&api, Uuid::nil(), &request.access_token).await?;
    let ambient = &api.store.ambient;
    let tenant_id = ambient.id();
    let key = ApiKey::generate(|below| ambient.below(below));
    let registration = Registration {
        tenant_id,
        name: request.name,
        phone_number_id: request.phone_number_id,
        waba_id: request.waba_id,
        token: api.master_key.seal(tenant_id, &request.access_token, ambient.bytes()),
        key_prefix: key.prefix,
        key_sha256: key.sha256,
    };
    api.store.register(&registration).await?;
    api.forget_routes();
    kept(&api, tenant_id, &registration.phone_number_id, &request.access_token, &look).await;
    let tenant = api.store.tenant(tenant_id).await?.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))?;
    tracing::info!(tenant = %tenant.id, "tenant registered");
    let api_key = key.secret.expose_secret().to_owned();
    Ok((StatusCode::CREATED, axum::Json(Registered { tenant: tenant.into(), api_key })))
}

/// A tenant with its numbers.
#[utoipa::path(get, path = "/tenants/{id}", tag = "tenants", params(("id" = Uuid, Path, description = "The tenant")),
    security(("bearer" = [])),
    responses((status = 200, body = TenantBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn show(ForTenant(id): ForTenant, State(api): State<Api>) -> Result<axum::Json<TenantBody>, ApiError> {
    let tenant = api.store.tenant(id).await?.ok_or_else(|| tenant_not_found(&id.to_string()))?;
    Ok(axum::Json(tenant.into()))
}

/// Give a tenant a quota of its own, or none. Needs `MASTER_KEY`. It holds at once, over all the tenant's numbers and beside
/// their own rates; what is over it waits.
#[utoipa::path(put, path = "/tenants/{id}/quota", tag = "tenants", request_body = Quota,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = TenantBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn set_quota(
    _: Admin,
    ForTenant(id): ForTenant,
    State(api): State<Api>,
    Json(quota): Json<Quota>,
) -> Result<axum::Json<TenantBody>, ApiError> {
    let rate = quota.messages_per_second;
    checked_rate(rate)?;
    api.store.set_tenant_rate(id, rate).await?;
    // It is remembered with the numbers.
    api.shared.forget(Forget::One(Cache::Channels, id.to_string()));
    tracing::info!(tenant = %id, rate, "quota changed");
    show(ForTenant(id), State(api)).await
}

impl RegisterRequest {
    fn checked(self) -> Result<Self, ApiError> {
        let name = checked_name(&self.name)?;
        digits("phoneNumberId", &self.phone_number_id)?;
        if let Some(waba_id) = &self.waba_id {
            digits("wabaId", waba_id)?;
        }
        checked_token(&self.access_token)?;
        Ok(Self { name, ..self })
    }
}

/// A tenant's name, without spaces at its ends.
pub fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim().to_owned();
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.contains('\0') {
        return Ok(name);
    }
    let found = format!("it has {length} characters; give it 1 to {LONGEST_NAME}, none of them NUL");
    Err(invalid_field("name", found))
}

/// An access token as Meta's are.
pub fn checked_token(token: &SecretString) -> Result<(), ApiError> {
    let token = token.expose_secret();
    if token.trim().is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let expected = format!("give it the number's access token: 1 to {LONGEST_TOKEN} visible ASCII characters");
        return Err(invalid_field("accessToken", expected));
    }
    Ok(())
}

/// Reads a text that may be missing as a secret.
pub fn optional_secret<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(json)?.map(SecretString::from))
}

/// Reads a text as a secret.
pub fn secret<'de, D: serde::Deserializer<'de>>(json: D) -> Result<SecretString, D::Error> {
    String::deserialize(json).map(SecretString::from)
}

/// One of Meta's ids.
pub fn digits(field: &str, value: &str) -> Result<(), ApiError> {
    if (5..=32).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(invalid_field(field, "give it Meta's id: 5 to 32 digits (an id, not the phone number itself)"))
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::PhoneNumberTaken(number) => phone_number_taken(&number),
            RegisterError::Store(error) => error.into(),
        }
    }
}

/// 409: the number is somebody's already.
pub fn phone_number_taken(number: &str) -> ApiError {
    conflict(format!("phoneNumberId {number} is registered already; a number belongs to one tenant"))
        .with("phone_number_taken", serde_json::json!({ "phoneNumberId": number }))
}

impl From<Tenant> for TenantBody {
    fn from(tenant: Tenant) -> Self {
        let channels = tenant.channels.into_iter().map(ChannelBody::from).collect();
        let suspended_templates = tenant.suspended_templates.into_iter().map(SuspendedTemplateBody::from).collect();
        let Tenant { id, name, flow, rate: messages_per_second, created_at, .. } = tenant;
        Self { id, name, flow, messages_per_second, channels, suspended_templates, created_at }
    }
}

impl From<TemplateSuspension> for SuspendedTemplateBody {
    fn from(suspension: TemplateSuspension) -> Self {
        let TemplateSuspension { waba_id, name, language, reason, until } = suspension;
        Self { waba_id, name, language, reason, until }
    }
}
