//! `/tenants/{id}/channels`: a tenant's numbers. Further ones, a new access token or rate, an end to a suspension, the
//! default, and what Meta says of a number.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use hoopoe_onboarding::{Look, NotAtMeta};
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::numbers::NewNumber;
use hoopoe_store::tenants::{Channel, Tenant};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::{Admin, ForTenant};
use crate::channels_body::{ChannelBody, ChannelList, ChannelWithMeta, MetaErrorBody};
use crate::error::{ApiError, ErrorBody, invalid_field, not_found, tenant_not_found};
use crate::json::Json;
use crate::send;
use crate::tenants::{TenantBody, checked_token, digits, optional_secret, secret};

/// The kind of channel whose numbers and tokens Meta is asked of.
const WHATSAPP: &str = "whatsapp";

/// A further number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewChannel {
    /// Meta's id of the number: 5 to 32 digits, unique in the installation.
    #[schema(example = "111111111111112")]
    phone_number_id: String,
    /// The number's access token; kept sealed. One that begins with `mock_` simulates sends.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, example = "EAAG...")]
    access_token: SecretString,
    /// Meta's id of the business account: 5 to 32 digits.
    #[serde(default)]
    waba_id: Option<String>,
    /// Messages per second that the number may send, 0.01 to 10,000; NUMBER_RATE when absent.
    #[serde(default)]
    messages_per_second: Option<f64>,
    /// Sends go out by it that name no number.
    #[serde(default)]
    default: bool,
}

/// What changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ChannelUpdate {
    /// The channel's new access token; the old one stays when absent. For a number of WhatsApp Meta is asked whether it
    /// is valid.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>, example = "EAAG...")]
    access_token: Option<SecretString>,
    /// Messages per second that the number may send, 0.01 to 10,000: 20 in coexistence, up to 1,000 where Meta has raised
    /// it. NUMBER_RATE counts until one is set.
    #[serde(default)]
    #[schema(example = 80.0)]
    messages_per_second: Option<f64>,
    /// True: sends go out by it that name no number. A change of nothing else leaves a suspension as it is.
    #[serde(default)]
    default: Option<bool>,
}

/// The tenant's channels: numbers, pages and Instagram accounts.
#[utoipa::path(get, path = "/tenants/{id}/channels", tag = "tenants",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = ChannelList), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
) -> Result<axum::Json<ChannelList>, ApiError> {
    let channels = tenant(&api, tenant_id).await?.channels.into_iter().map(ChannelBody::from).collect();
    Ok(axum::Json(ChannelList { channels }))
}

/// Register a further number of the tenant. Needs `MASTER_KEY`: whose a number is decides who gets its messages.
#[utoipa::path(post, path = "/tenants/{id}/channels", tag = "tenants", request_body = NewChannel,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 201, body = ChannelBody),
        (status = 400, description = "A field is wrong, or Meta does not take the token", body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The number is registered already (phone_number_taken)", body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn add(
    _: Admin,
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(new): Json<NewChannel>,
) -> Result<(StatusCode, axum::Json<ChannelBody>), ApiError> {
    digits("phoneNumberId", &new.phone_number_id)?;
    if let Some(waba_id) = &new.waba_id {
        digits("wabaId", waba_id)?;
    }
    checked_token(&new.access_token)?;
    checked_rate(new.messages_per_second)?;
    let look = checked_with_meta(&api, tenant_id, &new.access_token).await?;
    let number = NewNumber {
        phone_number_id: &new.phone_number_id,
        waba_id: new.waba_id.as_deref(),
        display_phone_number: None,
        token: &api.master_key.seal(tenant_id, &new.access_token, api.store.ambient.bytes()),
        rate: new.messages_per_second,
    };
    api.store.add_number(tenant_id, &number).await?;
    if new.default {
        api.store.set_default_number(tenant_id, &new.phone_number_id).await?;
    }
    api.forget_routes();
    kept(&api, tenant_id, &new.phone_number_id, &new.access_token, &look).await;
    tracing::info!(tenant = %tenant_id, number = new.phone_number_id, "number registered");
    let added = channel(&api, tenant_id, &new.phone_number_id).await?;
    Ok((StatusCode::CREATED, axum::Json(added.into())))
}

/// A number with its name, quality, throughput and profile, which Meta is asked for.
#[utoipa::path(get, path = "/tenants/{id}/channels/{phoneNumberId}", tag = "tenants",
    params(("id" = Uuid, Path, description = "The tenant"),
        ("phoneNumberId" = String, Path, description = "Meta's id of the number")),
    security(("bearer" = [])),
    responses((status = 200, description = "When Meta cannot be asked, `meta` is null and `metaError` says why",
            body = ChannelWithMeta),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<axum::Json<ChannelWithMeta>, ApiError> {
    let number = ids.1;
    let found = channel(&api, tenant_id, &number).await?;
    if found.kind != WHATSAPP {
        let message = format!("Meta is asked of numbers of WhatsApp; this channel is one of {}", found.kind);
        return Ok(axum::Json(ChannelWithMeta::new(found, Err(MetaErrorBody { code: None, message }))));
    }
    let asked = match api.onboarding.at_meta(tenant_id, &number).await {
        Ok(at_meta) => Ok(at_meta),
        Err(NotAtMeta::Store(error)) => return Err(error.into()),
        Err(NotAtMeta::NoNumber) => return Err(no_number(&number)),
        Err(NotAtMeta::Meta(failure)) => Err(failure.into()),
        Err(error @ NotAtMeta::Mock) => Err(MetaErrorBody { code: None, message: error.to_string() }),
    };
    Ok(axum::Json(ChannelWithMeta::new(found, asked)))
}

/// Change a channel's access token or rate and let it send again, or make it the default. Messages that waited because
/// Meta refused the channel are tried at once.
#[utoipa::path(put, path = "/tenants/{id}/channels/{phoneNumberId}", tag = "tenants", request_body = ChannelUpdate,
    params(("id" = Uuid, Path, description = "The tenant"),
        ("phoneNumberId" = String, Path, description = "Meta's id of the number, page or Instagram account")),
    security(("bearer" = [])),
    responses((status = 200, body = TenantBody),
        (status = 400, description = "A field is wrong, or Meta does not take the token: the old one stays",
            body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
    Json(update): Json<ChannelUpdate>,
) -> Result<axum::Json<TenantBody>, ApiError> {
    let number = ids.1;
    if let Some(token) = &update.access_token {
        checked_token(token)?;
    }
    let home = send::find(&api, tenant_id, Some(&number)).await?.ok_or_else(|| no_number(&number))?;
    let look = match &update.access_token {
        Some(token) if home.kind == WHATSAPP => Some(checked_with_meta(&api, tenant_id, token).await?),
        _ => None,
    };
    checked_rate(update.messages_per_second)?;
    if update.default == Some(false) {
        return Err(invalid_field("default", "there is always one; set it at the number that is to be the default"));
    }
    let is_default = update.default.is_some();
    if is_default && !api.store.set_default_number(tenant_id, &number).await? {
        return Err(no_number(&number));
    }
    if update.access_token.is_some() || update.messages_per_second.is_some() || !is_default {
        let seal = |token: &SecretString| api.master_key.seal(tenant_id, token, api.store.ambient.bytes());
        let token = update.access_token.as_ref().map(seal);
        if !api.store.resume_channel(tenant_id, &number, token.as_ref(), update.messages_per_second).await? {
            return Err(no_number(&number));
        }
        api.shared.forget(Forget::One(Cache::Channels, tenant_id.to_string()));
        api.store.wakes.delivery.notify_one();
        tracing::info!(tenant = %tenant_id, number, token = token.is_some(), "channel resumed");
        if let (Some(token), Some(look)) = (&update.access_token, &look) {
            kept(&api, tenant_id, &number, token, look).await;
        }
    }
    Ok(axum::Json(tenant(&api, tenant_id).await?.into()))
}

async fn tenant(api: &Api, tenant_id: Uuid) -> Result<Tenant, ApiError> {
    api.store.tenant(tenant_id).await?.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))
}

/// The tenant's channel of this id at Meta.
pub async fn channel(api: &Api, tenant_id: Uuid, meta_id: &str) -> Result<Channel, ApiError> {
    let channels = tenant(api, tenant_id).await?.channels;
    let found = channels.into_iter().find(|channel| channel.phone_number_id == meta_id);
    found.ok_or_else(|| no_number(meta_id))
}

fn no_number(number: &str) -> ApiError {
    not_found(format!(
        "the tenant has no channel {number}; give Meta's id of one of its numbers, pages or Instagram accounts"
    ))
}

/// Messages per second of a number or a tenant.
pub fn checked_rate(rate: Option<f64>) -> Result<(), ApiError> {
    if rate.is_some_and(|rate| !(0.01..=10_000.0).contains(&rate)) {
        return Err(invalid_field("messagesPerSecond", "give it 0.01 to 10000"));
    }
    Ok(())
}

/// What Meta says of a token that somebody gives. Only a clear no is an error; who cannot ask Meta now goes on, and the
/// token is looked at later.
pub async fn checked_with_meta(api: &Api, tenant_id: Uuid, token: &SecretString) -> Result<Look, ApiError> {
    match api.onboarding.look(tenant_id, token).await? {
        Look::Refused(reason) => {
            Err(invalid_field("accessToken", format!("Meta does not take it: {reason}; give one that is valid")))
        }
        look => Ok(look),
    }
}

/// Keeps what Meta said of the token that a number was just given. The number is stored by then: should this fail, the
/// token is looked at once more, soon.
pub async fn kept(api: &Api, tenant_id: Uuid, number: &str, token: &SecretString, look: &Look) {
    if let Look::Unknown(reason) = look {
        tracing::warn!(tenant = %tenant_id, number, reason, "Meta said nothing of an access token; it is asked again");
    }
    if let Err(error) = api.onboarding.keep(tenant_id, number, token, look).await {
        tracing::warn!(tenant = %tenant_id, number, %error, "could not keep what Meta said of an access token");
    }
}
