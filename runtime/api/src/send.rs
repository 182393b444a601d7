//! `POST /tenants/{id}/send`: a text, or a custom payload for Meta.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use hoopoe_protocol::outbound::{self, Content};
use hoopoe_protocol::phone;
use hoopoe_store::contacts::Party;
use hoopoe_store::outbound::{Outbound, Queued, SendRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, conflict, invalid_field};
use crate::json::Json;

/// Priority of a single send: behind what flows answer, before bulk.
const SINGLE: i16 = 1;
/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

/// A message to send: `to` and either `text` or `payload`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendBody {
    /// The recipient: a phone number with its country code, or Meta's business-scoped user id.
    #[schema(example = "+919012345678")]
    to: String,
    /// 1 to 4096 characters.
    #[serde(default)]
    #[schema(example = "Hello there")]
    text: Option<String>,
    /// A Graph API message without recipient: an object with `type` and the object of that type.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"type": "text", "text": {"body": "Hello there"}}))]
    payload: Option<Map<String, Value>>,
    /// Unique per tenant, 1 to 256 characters: a second request with the same key sends nothing.
    #[serde(default, alias = "idempotencyKey")]
    #[schema(example = "order-1234")]
    idempotency_key: Option<String>,
    /// The number to send from, by Meta's id; the tenant's first number when absent.
    #[serde(default)]
    from: Option<String>,
}

/// A queued message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The message: `GET /tenants/{id}/messages/{message id}` tells how it fares.
    id: Uuid,
    /// `queued`.
    status: &'static str,
    /// The recipient, as Meta will be told.
    to: String,
    /// Meta's type.
    #[serde(rename = "type")]
    kind: String,
    /// As given.
    #[serde(rename = "idempotency_key")]
    idempotency_key: Option<String>,
    /// When it was queued.
    created_at: DateTime<Utc>,
}

/// Send a message. It is queued when the answer comes; delivery follows in order per contact.
#[utoipa::path(post, path = "/tenants/{id}/send", tag = "messages", request_body = SendBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The idempotency key was used before; details.messageId names the message",
            body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn send(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(body): Json<SendBody>,
) -> Result<(StatusCode, axum::Json<Accepted>), ApiError> {
    let payload = payload(body.text, body.payload)?;
    let address = Addressed::check(&body.to, body.from, body.idempotency_key)?;
    queue(&api, tenant_id, address, payload).await
}

/// To whom, by which number, under which key: what every send has.
pub struct Addressed {
    wa_id: Option<String>,
    user_id: Option<String>,
    from: Option<String>,
    idempotency_key: Option<String>,
}

impl Addressed {
    /// Checks the fields `to` and `idempotency_key`; `from` is looked up by [`queue`].
    pub fn check(to: &str, from: Option<String>, idempotency_key: Option<String>) -> Result<Self, ApiError> {
        let (wa_id, user_id) = recipient(to)?;
        Ok(Self { wa_id, user_id, from, idempotency_key: idempotency_key.map(checked_key).transpose()? })
    }
}

/// Queues a checked payload. 409 when the key was used before.
pub async fn queue(
    api: &Api,
    tenant_id: Uuid,
    address: Addressed,
    payload: Value,
) -> Result<(StatusCode, axum::Json<Accepted>), ApiError> {
    let Addressed { wa_id, user_id, from, idempotency_key } = address;
    let channel_id =
        api.store.channel(tenant_id, from.as_deref()).await?.ok_or_else(|| {
            invalid_field("from", "the tenant has no such number; give Meta's id of one of its numbers")
        })?;
    let id = api.store.ambient.id();
    let kind = payload.get("type").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let to = wa_id.clone().or(user_id.clone()).unwrap_or_default();
    let request = SendRequest {
        party: Party { tenant_id, channel_id, wa_id, user_id },
        message: Outbound {
            id,
            kind: kind.clone(),
            body: outbound::text_of(&payload),
            payload: payload.to_string(),
            idempotency_key: idempotency_key.clone(),
            event_id: None,
        },
        priority: SINGLE,
    };
    match api.sends.submit(request)?.committed().await? {
        Queued::New { created_at } => {
            tracing::debug!(tenant = %tenant_id, message = %id, "message queued");
            let accepted = Accepted { id, status: "queued", to, kind, idempotency_key, created_at };
            Ok((StatusCode::ACCEPTED, axum::Json(accepted)))
        }
        Queued::Repeated { first } => Err(conflict("Request with the given idempotency_key already processed")
            .with("idempotency_key_used", json!({ "messageId": first }))),
    }
}

fn payload(text: Option<String>, payload: Option<Map<String, Value>>) -> Result<Value, ApiError> {
    let (content, whole) = match (text, payload) {
        (Some(body), None) => (Content::Text { body, preview_url: false }, "text"),
        (None, Some(object)) => (Content::Raw(object), "payload"),
        (None, None) => return Err(bad_request("text or payload: one of the two is needed")),
        (Some(_), Some(_)) => return Err(bad_request("text and payload: give one of the two, not both")),
    };
    content.payload(None).map_err(|invalid| {
        // For a text the request has one field where Meta has an object.
        let field = if whole == "text" { whole.to_owned() } else { format!("{whole}.{}", invalid.field) };
        invalid_field(&field, invalid.message)
    })
}

/// A phone number becomes a WhatsApp id; a user id has the form `US.13491208655302741918`.
fn recipient(to: &str) -> Result<(Option<String>, Option<String>), ApiError> {
    let is_user_id = to.split_once('.').is_some_and(|(country, id)| {
        country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if is_user_id {
        return Ok((None, Some(to.to_owned())));
    }
    phone::normalise(to).map(|digits| (Some(digits), None)).map_err(|error| invalid_field("to", error))
}

fn checked_key(key: String) -> Result<String, ApiError> {
    let length = key.chars().count();
    if (1..=LONGEST_KEY).contains(&length) && !key.contains('\0') {
        return Ok(key);
    }
    let found = format!("it has {length} characters; give it 1 to {LONGEST_KEY}, none of them NUL");
    Err(invalid_field("idempotency_key", found))
}
