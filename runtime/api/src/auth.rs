//! Who calls: the operator with `MASTER_KEY`, or a tenant with its API key.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::Api;
use crate::error::{ApiError, tenant_not_found, unauthorized};

/// The operator.
pub struct Admin;

/// Somebody who may act for the tenant of the path: the operator, or the tenant itself.
pub struct ForTenant(pub Uuid);

impl FromRequestParts<Api> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let key = bearer(parts)?;
        if api.master_key.matches(key.expose_secret()) {
            return Ok(Self);
        }
        Err(unauthorized("this key may not do that; use MASTER_KEY as Authorization: Bearer <MASTER_KEY>"))
    }
}

impl FromRequestParts<Api> for ForTenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let key = bearer(parts)?;
        let params = RawPathParams::from_request_parts(parts, api).await.ok();
        let id = params.iter().flatten().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
        let id = id.unwrap_or_default();
        let known = if api.master_key.matches(key.expose_secret()) {
            match Uuid::parse_str(&id) {
                Ok(uuid) => api.store.tenant(uuid).await?.map(|tenant| tenant.id),
                Err(_) => None,
            }
        } else {
            let owner = api.store.tenant_of_key(hoopoe_secrets::digest(key.expose_secret())).await?;
            let owner =
                owner.ok_or_else(|| unauthorized("this key is unknown or revoked; use the tenant's API key"))?;
            Uuid::parse_str(&id).ok().filter(|uuid| *uuid == owner)
        };
        known.map(Self).ok_or_else(|| tenant_not_found(&id))
    }
}

pub(crate) fn bearer(parts: &Parts) -> Result<SecretString, ApiError> {
    let missing = || unauthorized("no key; send Authorization: Bearer <key>");
    let value = parts.headers.get(AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| missing())?;
    let (scheme, key) = value.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() {
        Ok(key.trim().to_owned().into())
    } else {
        Err(missing())
    }
}
