//! `POST /tenants/{id}/send`: any kind of message that Meta has.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::messenger::Platform;
use hoopoe_protocol::{identity, outbound, phone};
use hoopoe_store::contacts::Party;
use hoopoe_store::group::Answer;
use hoopoe_store::messenger::{Home, person};
use hoopoe_store::outbound::{Outbound, Queued, SendRequest};
use hoopoe_telemetry::trace::TraceContext;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, conflict, invalid_field};
use crate::json::Json;
use crate::messenger;
use crate::references::References;
use crate::send_body::SendBody;
use crate::trace::Sending;

/// Priority of a single send: behind what flows answer, before bulk.
pub const SINGLE: i16 = 1;
/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

/// A queued message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The message: `GET /tenants/{id}/messages/{message id}` tells how it fares.
    pub id: Uuid,
    /// `queued`, or `scheduled` when its time is to come.
    status: &'static str,
    /// The recipient, as Meta will be told.
    to: String,
    /// Meta's type.
    #[serde(rename = "type")]
    kind: String,
    /// As given.
    #[serde(rename = "idempotency_key")]
    idempotency_key: Option<String>,
    /// Not to be sent before this moment.
    send_at: Option<DateTime<Utc>>,
    /// `outside_window`: the tenant's template goes out in place of what was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<&'static str>,
    /// When it was queued.
    created_at: DateTime<Utc>,
}

/// Send a message of any kind. It is checked against Meta's limits and queued when the answer comes; delivery follows in
/// order per contact. With `send_at` it waits for its time and holds nothing back; then it comes behind what waits for the
/// contact. docs/messages.md has an example of each kind and its limits.
#[utoipa::path(post, path = "/tenants/{id}/send", tag = "messages", request_body = SendBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 202, body = Accepted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "idempotency_key_used: the key was used before, details.messageId names the \
            message; template_stopped: Meta sends nothing with the template; outside_window: the contact wrote more \
            than 24 hours ago; opted_out: it wants no marketing", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn send(
    ForTenant(tenant_id): ForTenant,
    Sending(mut span): Sending,
    State(api): State<Api>,
    Json(body): Json<SendBody>,
) -> Result<(StatusCode, axum::Json<Accepted>), ApiError> {
    span.set("hoopoe.tenant.id", tenant_id);
    let (mut address, payload) = body.checked(api.store.ambient.now())?;
    address.trace = span.context();
    let home = channel(&api, tenant_id, address.from.as_deref()).await?;
    address.marketing |= References::default().check(&api, &home, &payload).await?;
    let accepted = submit(&api, &home, address, payload, SINGLE)?.committed().await?;
    span.set("hoopoe.message.id", accepted.id);
    Ok((StatusCode::ACCEPTED, axum::Json(accepted)))
}

/// To whom, by which number, under which key: what every send has.
pub struct Addressed {
    to: String,
    /// Meta's id of the number to send from, if one is named.
    pub from: Option<String>,
    idempotency_key: Option<String>,
    /// By [`crate::send_at::checked_time`].
    pub send_at: Option<DateTime<Utc>>,
    /// How long it is worth sending.
    pub validity: Option<TimeDelta>,
    /// Requests to Meta at the most.
    pub max_attempts: Option<i32>,
    /// Not for contacts that have opted out of marketing.
    pub marketing: bool,
    /// The request's.
    pub trace: Option<TraceContext>,
}

impl Addressed {
    /// Checks the field `idempotency_key`; `from` is looked up by [`channel`], and `to` depends on it.
    pub fn check(to: &str, from: Option<String>, idempotency_key: Option<String>) -> Result<Self, ApiError> {
        let idempotency_key = idempotency_key.map(checked_key).transpose()?;
        Ok(Self {
            to: to.to_owned(),
            from,
            idempotency_key,
            send_at: None,
            validity: None,
            max_attempts: None,
            marketing: false,
            trace: None,
        })
    }
}

/// The channel to send from: the one that is named, or the tenant's default.
pub async fn channel(api: &Api, tenant_id: Uuid, from: Option<&str>) -> Result<Home, ApiError> {
    let missing = || invalid_field("from", "the tenant has no such number; give Meta's id of one of its numbers");
    find(api, tenant_id, from).await?.ok_or_else(missing)
}

/// The same, if there is one.
pub async fn find(api: &Api, tenant_id: Uuid, from: Option<&str>) -> Result<Option<Home>, ApiError> {
    let Some(channel_id) = api.store.channel(tenant_id, from).await? else { return Ok(None) };
    Ok(api.store.home(tenant_id, channel_id).await?)
}

/// A send on its way into the database.
pub struct Submitted {
    answer: Answer<Queued>,
    accepted: Accepted,
    tenant_id: Uuid,
}

/// Submits a checked payload from this tenant's channel.
pub fn submit(
    api: &Api,
    home: &Home,
    address: Addressed,
    payload: Value,
    priority: i16,
) -> Result<Submitted, ApiError> {
    let Addressed { to, from: _, idempotency_key, send_at, validity, max_attempts, marketing, trace } = address;
    let Home { tenant_id, channel_id, .. } = *home;
    let (wa_id, user_id) = messenger::recipient(home, &to)?;
    if marketing && Platform::of(&home.kind).is_some() {
        return Err(invalid_field(
            "marketing",
            "opt-out is known of WhatsApp alone, and so marketing goes out there alone",
        ));
    }
    let body = outbound::text_of(&payload);
    let payload = messenger::payload(home, payload)?;
    let (id, now) = (api.store.ambient.id(), api.store.ambient.now());
    let kind = payload.get("type").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    // What waits for its time says itself how long it is valid: the stage's own rule counts from when it was queued.
    let validity = validity.or(send_at.map(|_| api.validity));
    let to = wa_id.as_deref().or(user_id.as_deref().map(person)).unwrap_or_default().to_owned();
    let request = SendRequest {
        party: Party { tenant_id, channel_id, wa_id, user_id },
        message: Outbound {
            id,
            kind: kind.clone(),
            body,
            payload: payload.to_string(),
            idempotency_key: idempotency_key.clone(),
            event_id: None,
            send_at,
            expires_at: validity.map(|validity| send_at.unwrap_or(now) + validity),
            max_attempts,
            marketing,
            // What the window will be at a later time nobody knows.
            free_form: outbound::is_free_form(&payload) && send_at.is_none_or(|at| at <= now),
            trace,
        },
        priority,
    };
    let status = if send_at.is_some_and(|at| at > now) { "scheduled" } else { "queued" };
    let accepted = Accepted { id, status, to, kind, idempotency_key, send_at, replaced: None, created_at: now };
    Ok(Submitted { answer: api.sends.submit(request)?, accepted, tenant_id })
}

impl Submitted {
    /// Waits until it is queued. 409 when its key was used before.
    pub async fn committed(self) -> Result<Accepted, ApiError> {
        let Submitted { answer, accepted, tenant_id } = self;
        match answer.committed().await? {
            Queued::New { created_at } => {
                tracing::debug!(tenant = %tenant_id, message = %accepted.id, "message queued");
                Ok(Accepted { created_at, ..accepted })
            }
            Queued::Repeated { first } => Err(conflict("Request with the given idempotency_key already processed")
                .with("idempotency_key_used", json!({ "messageId": first }))),
            Queued::Replaced { created_at } => {
                tracing::info!(tenant = %tenant_id, message = %accepted.id, "replaced by a template: outside of the window");
                let (kind, replaced) = ("template".to_owned(), Some("outside_window"));
                Ok(Accepted { created_at, kind, replaced, ..accepted })
            }
            Queued::OutsideWindow { last_inbound_at } => Err(conflict(
                "the contact wrote more than 24 hours ago: until it writes again Meta takes templates only; send a \
                 template, or set what becomes of such messages by PUT /tenants/{id}/conversation-settings",
            )
            .with("outside_window", json!({ "lastInboundAt": last_inbound_at }))),
            Queued::OptedOut { since } => Err(conflict(
                "the contact has opted out of marketing messages; it gets them again when it writes START, or when you \
                 set its consent by POST /tenants/{id}/consent",
            )
            .with("opted_out", json!({ "since": since }))),
        }
    }
}

/// A phone number becomes a WhatsApp id; a user id has the form `US.13491208655302741918` or `US.ENT.11815799212886844830`.
pub fn recipient(to: &str) -> Result<(Option<String>, Option<String>), ApiError> {
    if identity::is_user_id(to) {
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
