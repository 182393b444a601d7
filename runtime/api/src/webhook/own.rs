//! `GET` and `POST /webhook/{channel}`: the same for a tenant's own app at Meta.
//!
//! The address names the app; its verify token and its secret count in place of the platform's. What such a body says of
//! other tenants' numbers is kept without an owner.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::HeaderMap;
use hoopoe_ingest::Error;
use hoopoe_protocol::signature;

use super::{LARGEST, ReceiptBody, Verification, receipted, refusal, verified};
use crate::Api;
use crate::apps::KnownApp;
use crate::error::{ApiError, ErrorBody, not_found, unauthorized};
use crate::json;

/// Meta verifies the address of a tenant's own app.
#[utoipa::path(get, path = "/webhook/{channel}", tag = "webhook",
    params(("channel" = String, Path, description = "As GET /tenants/{id}/app says"), Verification),
    responses((status = 200, description = "The challenge", body = String, content_type = "text/plain"),
        (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn verify_own(
    State(api): State<Api>,
    Path(channel): Path<String>,
    query: Result<Query<Verification>, QueryRejection>,
) -> Result<String, ApiError> {
    let app = known(&api, &channel).await?;
    let challenge = verified(query, &app.verify_token, "the app's verify token")?;
    api.store.meta_app_verified(app.own.tenant_id).await?;
    Ok(challenge)
}

/// The tenant's own app delivers events. 200 means that everything in the body is committed; what is of other tenants'
/// numbers counts as unrouted.
#[utoipa::path(post, path = "/webhook/{channel}", tag = "webhook", request_body = Object,
    params(("channel" = String, Path, description = "As GET /tenants/{id}/app says"),
        ("X-Hub-Signature-256" = String, Header, description = "sha256=<hex HMAC-SHA256 of the raw body>")),
    responses((status = 200, body = ReceiptBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn receive_own(
    State(api): State<Api>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<ReceiptBody>, ApiError> {
    // Who knows no address does not get to send megabytes.
    let app = known(&api, &channel).await?;
    let body = json::bytes(request, &api, LARGEST).await?;
    let received = api.ingest.receive_own(&app.own, &body, super::signature(&headers)).await;
    let receipt = received.map_err(|error| match error {
        Error::Signature(signature::Error::Mismatch) => unauthorized(
            "the signature does not fit the body; check that the app's secret is the one of PUT /tenants/{id}/app and \
             that nothing changes the body on its way",
        ),
        error => refusal(error),
    })?;
    Ok(receipted(receipt))
}

async fn known(api: &Api, channel: &str) -> Result<KnownApp, ApiError> {
    let app = api.apps.get(api, channel).await?;
    app.ok_or_else(|| not_found("there is no such webhook; GET /tenants/{id}/app says the address of the tenant's app"))
}
