//! `/tenants/{id}/app`: the tenant's own app at Meta, whose webhooks come to `/webhook/{channel}`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_ingest::OwnApp;
use hoopoe_shared::Shared;
use hoopoe_shared::forget::Cache;
use hoopoe_store::meta_apps::{MetaApp, MetaAppChange};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, invalid_field, not_found};
use crate::json::Json;
use crate::tenants::{digits, optional_secret, secret};

/// How long a secret that was changed is taken along.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Characters of the address: 190 bits.
const KEY: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How long an app is remembered; other processes see a change after this time at the latest.
const LIFETIME: Duration = Duration::from_secs(5);
/// Apps remembered at the most; beyond that all are forgotten.
const REMEMBERED: usize = 10_000;

/// The tenant's own app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AppChange {
    /// Meta's id of the app: with it the tenant's tokens are looked at by the app that made them. What is known stays when
    /// absent.
    #[serde(default)]
    #[schema(example = "670843887433847")]
    app_id: Option<String>,
    /// The app's secret (App settings, Basic), which signs its webhooks: 16 to 128 visible ASCII characters; kept sealed.
    /// After a change the former one is taken along for 24 hours.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    app_secret: SecretString,
    /// What Meta is to repeat when it verifies the address: 8 to 128 visible ASCII characters; kept sealed. One is made
    /// for a new app when absent; later the former one stays.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>)]
    verify_token: Option<SecretString>,
    /// The former secret is not taken along: it leaked.
    #[serde(default)]
    revoke_former: bool,
}

/// The tenant's own app, without its secrets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppBody {
    /// Meta's id of the app, when it was told.
    app_id: Option<String>,
    /// The path to enter at Meta, behind this host: the callback URL of the field `messages` and all others.
    #[schema(example = "/webhook/4fGh0aXk")]
    webhook: String,
    /// What Meta is to repeat. Shown in the answer that sets it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_token: Option<String>,
    /// Until when the secret before the last change is taken along.
    former_until: Option<DateTime<Utc>>,
    /// When Meta has verified the address last.
    verified_at: Option<DateTime<Utc>>,
    /// When it was registered.
    created_at: DateTime<Utc>,
    /// When it was changed last.
    updated_at: DateTime<Utc>,
}

/// The tenant's own app.
#[utoipa::path(get, path = "/tenants/{id}/app", tag = "tenants", params(("id" = Uuid, Path, description = "The tenant")),
    security(("bearer" = [])),
    responses((status = 200, body = AppBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn show(ForTenant(tenant_id): ForTenant, State(api): State<Api>) -> Result<axum::Json<AppBody>, ApiError> {
    let app = api.store.meta_app(tenant_id).await?.ok_or_else(no_app)?;
    Ok(axum::Json(shown(app, api.store.ambient.now(), None)))
}

/// Register the tenant's own app at Meta, or change its secret or verify token. Its webhooks come to the address that the
/// answer shows, and count for the tenant's own numbers only.
#[utoipa::path(put, path = "/tenants/{id}/app", tag = "tenants", request_body = AppChange,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = AppBody), (status = 201, body = AppBody), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn put(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(change): Json<AppChange>,
) -> Result<(StatusCode, axum::Json<AppBody>), ApiError> {
    if let Some(app_id) = &change.app_id {
        digits("appId", app_id)?;
    }
    visible("appSecret", &change.app_secret, 16)?;
    if let Some(token) = &change.verify_token {
        visible("verifyToken", token, 8)?;
    }
    let (ambient, now) = (&api.store.ambient, api.store.ambient.now());
    let random = || (0..KEY).map(|_| char::from(ALPHABET[ambient.below(ALPHABET.len())])).collect::<String>();
    let seal = |plain: &SecretString| api.master_key.seal(tenant_id, plain, ambient.bytes());
    let made: SecretString = random().into();
    let before = api.store.meta_app(tenant_id).await?;
    // The same secret once more is no change of it.
    let is_same = before.as_ref().is_some_and(|app| opens_to(&api, app, &change.app_secret));
    let former_until = match &before {
        Some(app) if is_same => app.former.as_ref().map(|(_, until)| *until),
        _ => Some(now + OVERLAP),
    };
    let stored = MetaAppChange {
        webhook_key: random(),
        app_id: change.app_id,
        secret: seal(&change.app_secret),
        former_until: former_until.filter(|_| !change.revoke_former),
        keep_former: is_same,
        verify_token: change.verify_token.as_ref().map(seal),
        new_verify_token: seal(&made),
    };
    let is_new = api.store.set_meta_app(tenant_id, &stored).await?;
    api.forget_routes();
    tracing::info!(tenant = %tenant_id, new = is_new, "own app set");
    let app = api.store.meta_app(tenant_id).await?.ok_or_else(no_app)?;
    let told = change.verify_token.or(is_new.then_some(made));
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(shown(app, now, told))))
}

/// Remove the tenant's own app: its address is none any more. A new one gets another address.
#[utoipa::path(delete, path = "/tenants/{id}/app", tag = "tenants",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn delete(ForTenant(tenant_id): ForTenant, State(api): State<Api>) -> Result<StatusCode, ApiError> {
    if !api.store.delete_meta_app(tenant_id).await? {
        return Err(no_app());
    }
    api.forget_routes();
    tracing::info!(tenant = %tenant_id, "own app removed");
    Ok(StatusCode::NO_CONTENT)
}

fn no_app() -> ApiError {
    not_found("the tenant has no app of its own; PUT /tenants/{id}/app registers one")
}

fn opens_to(api: &Api, app: &MetaApp, secret: &SecretString) -> bool {
    let opened = api.master_key.open(app.tenant_id, &app.secret);
    opened.is_ok_and(|opened| opened.expose_secret() == secret.expose_secret())
}

fn visible(field: &str, secret: &SecretString, least: usize) -> Result<(), ApiError> {
    let secret = secret.expose_secret();
    if (least..=128).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(invalid_field(field, format!("give it {least} to 128 visible ASCII characters")))
}

fn shown(app: MetaApp, now: DateTime<Utc>, verify_token: Option<SecretString>) -> AppBody {
    AppBody {
        app_id: app.app_id,
        webhook: format!("/webhook/{}", app.webhook_key),
        verify_token: verify_token.map(|token| token.expose_secret().to_owned()),
        former_until: app.former.map(|(_, until)| until).filter(|until| *until > now),
        verified_at: app.verified_at,
        created_at: app.created_at,
        updated_at: app.updated_at,
    }
}

/// An app with its secrets open.
#[derive(Clone)]
pub struct KnownApp {
    /// What ingest needs.
    pub own: Arc<OwnApp>,
    /// What Meta repeats.
    pub verify_token: SecretString,
}

/// Apps by address, remembered for some seconds. Unknown addresses are not remembered.
#[derive(Clone, Default)]
pub struct Known(Arc<RwLock<HashMap<String, (KnownApp, Instant)>>>);

impl Known {
    /// Forgets all when a route has changed.
    pub fn forget_with(&self, shared: &Shared) {
        let known = Arc::downgrade(&self.0);
        shared.on_forget(move |forget| {
            if let Some(known) = known.upgrade().filter(|_| forget.concerns(Cache::Routes)) {
                known.write().unwrap_or_else(PoisonError::into_inner).clear();
            }
        });
    }

    /// The app of this address.
    pub async fn get(&self, api: &Api, webhook_key: &str) -> Result<Option<KnownApp>, ApiError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(webhook_key).cloned();
        if let Some((app, _)) = known.filter(|(_, since)| since.elapsed() < LIFETIME) {
            return Ok(Some(app));
        }
        if webhook_key.len() != KEY || !webhook_key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let Some(app) = api.store.meta_app_of_webhook(webhook_key).await? else { return Ok(None) };
        let now = api.store.ambient.now();
        let former = app.former.as_ref().filter(|(_, until)| *until > now).map(|(sealed, _)| sealed);
        let open = |sealed| api.master_key.open(app.tenant_id, sealed).map_err(|error| unopened(&app, &error));
        let secrets = std::iter::once(&app.secret).chain(former).map(open).collect::<Result<_, _>>()?;
        let own = Arc::new(OwnApp { tenant_id: app.tenant_id, secrets });
        let opened = KnownApp { own, verify_token: open(&app.verify_token)? };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(webhook_key.to_owned(), (opened.clone(), Instant::now()));
        Ok(Some(opened))
    }
}

/// Meta delivers again, so nothing is lost while the operator brings the right key back.
fn unopened(app: &MetaApp, error: &hoopoe_secrets::Error) -> ApiError {
    tracing::error!(tenant = %app.tenant_id, %error, "the secrets of an app cannot be opened");
    crate::error::unavailable("the app's secrets cannot be opened; the log says why")
}
