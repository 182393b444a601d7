//! `GET` and `POST /whatsapp/webhook` (also `/webhook`): Meta's verification and events.

pub mod own;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::HeaderMap;
use hoopoe_ingest::{Error, Receipt};
use hoopoe_store::fault::crash_point;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::error::{ApiError, ErrorBody, bad_request, forbidden, unauthorized};
use crate::json;
use crate::trace::traceparent;

/// Largest webhook, in bytes (Meta: up to 3 MB).
pub const LARGEST: usize = 3 * 1024 * 1024;

/// What Meta asks when it verifies the address.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Verification {
    /// `subscribe`.
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    /// VERIFY_TOKEN.
    #[serde(rename = "hub.verify_token")]
    verify_token: Option<String>,
    /// What to answer.
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

/// What a POST held; every item of it is committed.
#[derive(Serialize, ToSchema)]
pub struct ReceiptBody {
    /// Always true.
    ok: bool,
    /// Items stored now.
    new: usize,
    /// Items that had been stored before.
    repeated: usize,
    /// Items that belong to no tenant; they are kept and counted.
    unrouted: usize,
}

/// Meta verifies the address.
#[utoipa::path(get, path = "/whatsapp/webhook", tag = "webhook", params(Verification),
    responses((status = 200, description = "The challenge", body = String, content_type = "text/plain"),
        (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn verify(
    State(api): State<Api>,
    query: Result<Query<Verification>, QueryRejection>,
) -> Result<String, ApiError> {
    verified(query, &api.verify_token, "the configured VERIFY_TOKEN")
}

/// The challenge, for who knows the token; `what` says which token that is.
fn verified(
    query: Result<Query<Verification>, QueryRejection>,
    expected: &SecretString,
    what: &str,
) -> Result<String, ApiError> {
    let Query(asked) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let expected = expected.expose_secret().as_bytes();
    let token = asked.verify_token.as_deref().unwrap_or_default().as_bytes();
    if asked.mode.as_deref() != Some("subscribe") || !hoopoe_secrets::constant_time_eq(token, expected) {
        return Err(forbidden(format!("hub.mode must be subscribe and hub.verify_token must be {what}")));
    }
    asked.challenge.ok_or_else(|| bad_request("hub.challenge: it is missing"))
}

/// Meta delivers events. 200 means that everything in the body is committed.
#[utoipa::path(post, path = "/whatsapp/webhook", tag = "webhook", request_body = Object,
    params(("X-Hub-Signature-256" = String, Header, description = "sha256=<hex HMAC-SHA256 of the raw body>")),
    responses((status = 200, body = ReceiptBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn receive(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<ReceiptBody>, ApiError> {
    let body = json::bytes(request, &api, LARGEST).await?;
    let receipt = api.ingest.receive(&body, signature(&headers), traceparent(&headers)).await.map_err(refusal)?;
    Ok(receipted(receipt))
}

fn signature(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-hub-signature-256").map(|value| value.to_str().unwrap_or("not ASCII"))
}

fn receipted(Receipt { new, repeated, unrouted }: Receipt) -> Json<ReceiptBody> {
    crash_point("webhook.committed");
    Json(ReceiptBody { ok: true, new, repeated, unrouted })
}

/// As `/whatsapp/webhook`.
#[utoipa::path(get, path = "/webhook", tag = "webhook", params(Verification),
    responses((status = 200, description = "The challenge", body = String, content_type = "text/plain"),
        (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn verify_short(
    state: State<Api>,
    query: Result<Query<Verification>, QueryRejection>,
) -> Result<String, ApiError> {
    verify(state, query).await
}

/// As `/whatsapp/webhook`.
#[utoipa::path(post, path = "/webhook", tag = "webhook", request_body = Object,
    params(("X-Hub-Signature-256" = String, Header, description = "sha256=<hex HMAC-SHA256 of the raw body>")),
    responses((status = 200, body = ReceiptBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn receive_short(
    state: State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<ReceiptBody>, ApiError> {
    receive(state, headers, request).await
}

fn refusal(error: Error) -> ApiError {
    match error {
        Error::Signature(error) => unauthorized(error.to_string()),
        Error::Envelope(error) => bad_request(error.to_string()),
        Error::Store(error) => error.into(),
    }
}
