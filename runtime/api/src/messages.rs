//! `GET /tenants/{id}/messages` and `GET /tenants/{id}/messages/{message}`: how messages fare.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use chrono::{DateTime, Utc};
use hoopoe_store::messages::{Filter, Message, Step};
use hoopoe_store::messenger::person;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, conflict, invalid_field, not_found};
use crate::{Api, page};

/// Statuses to filter by.
const STATUSES: [&str; 10] =
    ["received", "scheduled", "queued", "sending", "sent", "delivered", "read", "played", "canceled", "failed"];

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// `IN` or `OUT`.
    direction: Option<String>,
    /// `received`, `scheduled`, `queued`, `sending`, `sent`, `delivered`, `read`, `played`, `canceled` or `failed`.
    status: Option<String>,
    /// Only messages older than this one: the page before gave it as `next`.
    before: Option<Uuid>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageBody {
    /// Stable id.
    id: Uuid,
    /// `IN` or `OUT`.
    direction: String,
    /// `received`, or `scheduled`, `queued`, `sending`, `sent`, `delivered`, `read`, `played`, `canceled`, `failed`.
    status: String,
    /// Meta's type.
    #[serde(rename = "type")]
    kind: String,
    /// What people read: text, caption, title.
    body: Option<String>,
    /// The contact: WhatsApp id, else business-scoped user id.
    contact: Option<String>,
    /// The tenant's number, by Meta's id.
    phone_number_id: String,
    /// Meta's id of the message.
    wa_message_id: Option<String>,
    /// As given by the sender, or made by the flow stage.
    #[serde(rename = "idempotency_key")]
    idempotency_key: Option<String>,
    /// Requests made for it.
    attempts: i32,
    /// Why the last one failed: class, code, message.
    error: Option<Value>,
    /// When it was given up: it is a dead letter.
    dead_at: Option<DateTime<Utc>>,
    /// Not to be sent before this moment, when it was scheduled.
    send_at: Option<DateTime<Utc>>,
    /// When it was stored.
    created_at: DateTime<Utc>,
    /// When it changed last.
    updated_at: DateTime<Utc>,
}

/// One step of a message's way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepBody {
    /// `accepted`, `sent`, `delivered`, `read`, `retry`, `unknown`, `failed`, ...
    status: String,
    /// Meta's clock for what Meta reports.
    occurred_at: DateTime<Utc>,
    /// When it was written down.
    recorded_at: DateTime<Utc>,
    /// Meta's status item, or the error.
    detail: Option<Value>,
}

/// A message and its way.
#[derive(Serialize, ToSchema)]
pub struct MessageWithTimeline {
    #[serde(flatten)]
    message: MessageBody,
    /// Oldest first.
    timeline: Vec<StepBody>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub struct MessagePage {
    /// Newest first.
    messages: Vec<MessageBody>,
    /// For `before`, when there may be more.
    next: Option<Uuid>,
}

/// A tenant's messages, newest first.
#[utoipa::path(get, path = "/tenants/{id}/messages", tag = "messages",
    params(("id" = Uuid, Path, description = "The tenant"), ListQuery), security(("bearer" = [])),
    responses((status = 200, body = MessagePage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<MessagePage>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(query.limit)?;
    let known = |field: &str, value: &Option<String>, words: &[&str]| match value {
        Some(word) if !words.contains(&word.as_str()) => {
            Err(invalid_field(field, format!("it is {word:?}; give one of {}", words.join(", "))))
        }
        _ => Ok(()),
    };
    known("direction", &query.direction, &["IN", "OUT"])?;
    known("status", &query.status, &STATUSES)?;
    let ListQuery { direction, status, before, .. } = query;
    let filter = Filter { direction, status, before, limit };
    Ok(Json(MessagePage::of(api.store.messages(tenant_id, &filter).await?, limit)))
}

impl MessagePage {
    /// Of what was found for a page of `limit`.
    pub fn of(messages: Vec<Message>, limit: i64) -> Self {
        let full = i64::try_from(messages.len()).is_ok_and(|found| found == limit);
        let next = messages.last().filter(|_| full).map(|message| message.id);
        Self { messages: messages.into_iter().map(MessageBody::from).collect(), next }
    }
}

/// Take a message back that Meta does not have. 409 when it is too late: it was sent, or a request is under way, or
/// nobody knows whether Meta has it.
#[utoipa::path(post, path = "/tenants/{id}/messages/{message}/cancel", tag = "messages",
    params(("id" = Uuid, Path, description = "The tenant"), ("message" = Uuid, Path, description = "The message")),
    security(("bearer" = [])),
    responses((status = 200, body = MessageWithTimeline), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn cancel(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<Json<MessageWithTimeline>, ApiError> {
    let missing = || not_found(format!("the tenant has no outgoing message {}", ids.1));
    let id = Uuid::parse_str(&ids.1).map_err(|_| missing())?;
    let canceled = api.store.cancel(tenant_id, id).await?.ok_or_else(missing)?;
    if !canceled {
        let why = "it cannot be taken back: it was sent or given up, a request is under way, or Meta may have it";
        return Err(conflict(why).with("too_late", serde_json::json!({ "messageId": id })));
    }
    tracing::info!(tenant = %tenant_id, message = %id, "message canceled");
    whole(&api, tenant_id, id).await?.ok_or_else(missing)
}

async fn whole(api: &Api, tenant_id: Uuid, id: Uuid) -> Result<Option<Json<MessageWithTimeline>>, ApiError> {
    let found = api.store.message(tenant_id, id).await?;
    Ok(found.map(|(message, steps)| {
        let timeline = steps.into_iter().map(StepBody::from).collect();
        Json(MessageWithTimeline { message: message.into(), timeline })
    }))
}

/// A message with its timeline.
#[utoipa::path(get, path = "/tenants/{id}/messages/{message}", tag = "messages",
    params(("id" = Uuid, Path, description = "The tenant"), ("message" = Uuid, Path, description = "The message")),
    security(("bearer" = [])),
    responses((status = 200, body = MessageWithTimeline), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<Json<MessageWithTimeline>, ApiError> {
    let id = ids.1;
    let missing = || not_found(format!("the tenant has no message {id}"));
    let uuid = Uuid::parse_str(&id).map_err(|_| missing())?;
    whole(&api, tenant_id, uuid).await?.ok_or_else(missing)
}

impl From<Message> for MessageBody {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            direction: message.direction,
            status: message.status,
            kind: message.kind,
            body: message.body,
            contact: message.wa_id.or(message.user_id.map(|id| person(&id).to_owned())),
            phone_number_id: message.phone_number_id,
            wa_message_id: message.wa_message_id,
            idempotency_key: message.idempotency_key,
            attempts: message.attempts,
            error: message.error,
            dead_at: message.dead_at,
            send_at: message.send_at,
            created_at: message.created_at,
            updated_at: message.updated_at,
        }
    }
}

impl From<Step> for StepBody {
    fn from(step: Step) -> Self {
        let Step { status, occurred_at, recorded_at, detail } = step;
        Self { status, occurred_at, recorded_at, detail }
    }
}
