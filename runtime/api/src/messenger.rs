//! Messenger and Instagram: `POST /tenants/{id}/channels/messenger` and `.../instagram`, and what differs in sends.

use axum::extract::State;
use axum::http::StatusCode;
use hoopoe_protocol::messenger::Platform;
use hoopoe_protocol::messenger::send::{self, Purpose};
use hoopoe_protocol::outbound::Invalid;
use hoopoe_store::messenger::{Home, NewHome, scoped};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::{Admin, ForTenant};
use crate::channels;
use crate::error::{ApiError, ErrorBody, conflict, invalid_field};
use crate::json::Json;
use crate::tenants::{checked_token, digits, secret};

/// A Facebook page to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewPage {
    /// Meta's id of the page: 5 to 32 digits, unique in the installation.
    #[schema(example = "100841475479486")]
    page_id: String,
    /// The page's access token; kept sealed. One that begins with `mock_` simulates sends.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, example = "EAAG...")]
    access_token: SecretString,
}

/// An Instagram professional account to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewAccount {
    /// Meta's id of the account: 5 to 32 digits, unique in the installation.
    #[schema(example = "17841405822304914")]
    instagram_id: String,
    /// The Facebook page that the account is linked to; without it the token says which it is.
    #[serde(default)]
    #[schema(example = "100841475479486")]
    page_id: Option<String>,
    /// The access token of that page; kept sealed. One that begins with `mock_` simulates sends.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, example = "EAAG...")]
    access_token: SecretString,
}

/// A channel of Messenger or Instagram.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessengerChannel {
    /// Stable id.
    id: Uuid,
    /// `messenger` or `instagram`.
    kind: String,
    /// Meta's id of the page or account; sends name it in `from`.
    #[schema(example = "100841475479486")]
    meta_id: String,
    /// Sends go out by it that name no channel.
    default: bool,
}

/// Register a Facebook page: Messenger is a channel of the tenant then, beside others. Needs `MASTER_KEY`: whose a page is
/// decides who gets its messages. The app has to be subscribed to the page's fields `messages`, `messaging_postbacks`,
/// `message_deliveries`, `message_reads`, `message_echoes`, `message_reactions` and `messaging_referrals`.
#[utoipa::path(post, path = "/tenants/{id}/channels/messenger", tag = "tenants", request_body = NewPage,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 201, body = MessengerChannel), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The page is registered already (channel_taken)", body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn add_page(
    _: Admin,
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(new): Json<NewPage>,
) -> Result<(StatusCode, axum::Json<MessengerChannel>), ApiError> {
    digits("pageId", &new.page_id)?;
    add(&api, tenant_id, "messenger", ("pageId", &new.page_id), None, &new.access_token).await
}

/// Register an Instagram account: it is a channel of the tenant then, beside others. Needs `MASTER_KEY`. The app has to be
/// subscribed to the fields `messages`, `messaging_postbacks`, `messaging_seen`, `message_reactions`,
/// `messaging_referral` and `message_echoes`.
#[utoipa::path(post, path = "/tenants/{id}/channels/instagram", tag = "tenants", request_body = NewAccount,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 201, body = MessengerChannel), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The account is registered already (channel_taken)", body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn add_account(
    _: Admin,
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(new): Json<NewAccount>,
) -> Result<(StatusCode, axum::Json<MessengerChannel>), ApiError> {
    digits("instagramId", &new.instagram_id)?;
    if let Some(page_id) = &new.page_id {
        digits("pageId", page_id)?;
    }
    let meta_id = ("instagramId", new.instagram_id.as_str());
    add(&api, tenant_id, "instagram", meta_id, new.page_id.as_deref(), &new.access_token).await
}

async fn add(
    api: &Api,
    tenant_id: Uuid,
    kind: &str,
    (field, meta_id): (&str, &str),
    page_id: Option<&str>,
    token: &SecretString,
) -> Result<(StatusCode, axum::Json<MessengerChannel>), ApiError> {
    checked_token(token)?;
    let token = api.master_key.seal(tenant_id, token, api.store.ambient.bytes());
    let added = api.store.add_home(tenant_id, &NewHome { kind, meta_id, page_id, token: &token }).await?;
    let home = added.ok_or_else(|| {
        conflict(format!("{field} {meta_id} is registered already; a channel belongs to one tenant"))
            .with("channel_taken", json!({ field: meta_id }))
    })?;
    api.forget_routes();
    tracing::info!(tenant = %tenant_id, kind, meta_id, "channel registered");
    let default = channels::channel(api, tenant_id, meta_id).await?.is_default;
    let channel = MessengerChannel { id: home.channel_id, kind: home.kind, meta_id: home.meta_id, default };
    Ok((StatusCode::CREATED, axum::Json(channel)))
}

/// WhatsApp id and user id of a recipient: on Messenger and Instagram people have an id of that channel's.
pub fn recipient(home: &Home, to: &str) -> Result<(Option<String>, Option<String>), ApiError> {
    let Some(platform) = Platform::of(&home.kind) else { return crate::send::recipient(to) };
    if (1..=32).contains(&to.len()) && to.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok((None, Some(scoped(&home.meta_id, to))));
    }
    let name = platform.name();
    let advice =
        format!("{to} is no person of {name}; give the id that came with the person's messages: 1 to 32 digits");
    Err(invalid_field("to", advice))
}

/// The payload for the channel, from a checked one.
pub fn payload(home: &Home, payload: Value) -> Result<Value, ApiError> {
    let refused = |Invalid { field, message }: Invalid| invalid_field(&field, message);
    match Platform::of(&home.kind) {
        Some(platform) => send::payload(platform, Purpose::Update, &payload).map_err(refused),
        None => send::refuse(&payload).map(|()| payload).map_err(refused),
    }
}
