//! `/tenants/{id}/plugins`: a tenant's own plugins, from the upload of a version to its replay.

pub mod activation;
mod bodies;
mod errors;
mod event;
pub mod removal;
pub mod replay;
pub mod secrets;
pub mod settings;
pub mod show;
pub mod simulate;
pub mod upload;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::ApiError;

/// Simulations and replays at the same time in this process: the rest of the processors is for events.
static TRIALS: Semaphore = Semaphore::const_new(2);

/// Somebody who may act for the tenant of the path, and the plugin that the path names.
pub struct ForPlugin {
    tenant_id: Uuid,
    name: String,
}

impl FromRequestParts<Api> for ForPlugin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let ForTenant(tenant_id) = ForTenant::from_request_parts(parts, api).await?;
        let params = RawPathParams::from_request_parts(parts, api).await.ok();
        let name = params.iter().flatten().find(|(name, _)| *name == "name").map(|(_, value)| value.to_owned());
        Ok(Self { tenant_id, name: name.unwrap_or_default() })
    }
}
