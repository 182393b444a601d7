//! Conversations: who has them, the flow or people.

use axum::extract::{Path, Query, State};
use chrono::{DateTime, Utc};
use hoopoe_store::conversation_settings::WINDOW;
use hoopoe_store::conversations::Conversation;
use hoopoe_store::messenger::person;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, invalid_field, not_found};
use crate::json::OptionalJson;

/// Most conversations of one answer.
const MOST: i64 = 200;
/// Longest reason of a hand-off, in characters.
const LONGEST_REASON: usize = 1000;

/// A contact on a channel.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    /// Stable id; ids grow with time.
    id: Uuid,
    /// The tenant's number.
    channel_id: Uuid,
    /// The contact.
    contact_id: Uuid,
    /// The contact's WhatsApp id, digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<String>,
    /// The contact's business-scoped user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// The contact's profile name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The contact's tags, sorted.
    tags: Vec<String>,
    /// When the contact wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_inbound_at: Option<DateTime<Utc>>,
    /// Until when free-form messages may be sent: 24 hours after the contact wrote last, known to a minute. Absent when
    /// it never wrote to this number, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_until: Option<DateTime<Utc>>,
    /// The contact has opted out of marketing.
    opted_out: bool,
    /// Since when people have it; its flow is silent meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    handed_off_at: Option<DateTime<Utc>>,
    /// Why people have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    handed_off_reason: Option<String>,
    /// The plugin (name@version) that left the conversation's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_plugin: Option<String>,
    /// The state's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_bytes: Option<i32>,
    /// The conversation that goes on in its place: the contact turned out to be one that was known already.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<Uuid>,
    /// When it began.
    created_at: DateTime<Utc>,
}

impl From<Conversation> for ConversationView {
    fn from(it: Conversation) -> Self {
        Self {
            id: it.id,
            channel_id: it.channel_id,
            contact_id: it.contact_id,
            wa_id: it.wa_id,
            user_id: it.user_id.map(|id| person(&id).to_owned()),
            name: it.name,
            tags: it.tags,
            last_inbound_at: it.last_inbound_at,
            window_until: it.last_inbound_at.map(|at| at + WINDOW),
            opted_out: it.opted_out,
            handed_off_at: it.handed_off_at,
            handed_off_reason: it.handed_off_reason,
            state_plugin: it.state_plugin,
            state_bytes: it.state_bytes,
            merged_into: it.merged_into,
            created_at: it.created_at,
        }
    }
}

/// Some conversations.
#[derive(Serialize, ToSchema)]
pub struct Conversations {
    conversations: Vec<ConversationView>,
}

/// Which conversations.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Which {
    /// Only those that people have, the longest waiting first.
    #[serde(default)]
    handed_off: bool,
    /// Only those before this one: the last id of the page before.
    before: Option<Uuid>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// Why people take over.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOff {
    /// At most 1,000 characters.
    #[serde(default)]
    #[schema(example = "asked for a person")]
    reason: String,
}

/// A tenant's conversations, newest first.
#[utoipa::path(get, path = "/tenants/{id}/conversations", tag = "conversations", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The tenant"), Which),
    responses((status = 200, body = Conversations), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Query(which): Query<Which>,
) -> Result<axum::Json<Conversations>, ApiError> {
    let limit = which.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(invalid_field("limit", format!("it is {limit}; give 1 to {MOST}")));
    }
    let found = match which.handed_off {
        true => api.store.handed_off(tenant_id, limit).await?,
        false => api.store.conversations(tenant_id, which.before, limit).await?,
    };
    Ok(axum::Json(Conversations { conversations: found.into_iter().map(Into::into).collect() }))
}

/// One conversation.
#[utoipa::path(get, path = "/tenants/{id}/conversations/{conversation}", tag = "conversations",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The tenant"), ("conversation" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = ConversationView), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path((_id, conversation)): Path<(String, String)>,
) -> Result<axum::Json<ConversationView>, ApiError> {
    let id = known(&conversation)?;
    let found = api.store.conversation(tenant_id, id).await?;
    found.map(|found| axum::Json(found.into())).ok_or_else(|| missing(&conversation))
}

/// Give a conversation to people: its flow is silent until it is released.
#[utoipa::path(post, path = "/tenants/{id}/conversations/{conversation}/hand-off", tag = "conversations",
    security(("bearer" = [])), request_body = Option<HandOff>,
    params(("id" = Uuid, Path, description = "The tenant"), ("conversation" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = ConversationView), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn hand_off(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path((id, conversation)): Path<(String, String)>,
    OptionalJson(body): OptionalJson<HandOff>,
) -> Result<axum::Json<ConversationView>, ApiError> {
    let length = body.reason.chars().count();
    if length > LONGEST_REASON || body.reason.contains('\0') {
        let advice = format!("it has {length} characters; give it at most {LONGEST_REASON}, none of them NUL");
        return Err(invalid_field("reason", advice));
    }
    if !api.store.hand_off(tenant_id, known(&conversation)?, &body.reason).await? {
        return Err(missing(&conversation));
    }
    show(ForTenant(tenant_id), State(api), Path((id, conversation))).await
}

/// Give a conversation back to its flow, from the contact's next message on.
#[utoipa::path(post, path = "/tenants/{id}/conversations/{conversation}/release", tag = "conversations",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The tenant"), ("conversation" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = ConversationView), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn release(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path((id, conversation)): Path<(String, String)>,
) -> Result<axum::Json<ConversationView>, ApiError> {
    if !api.store.release(tenant_id, known(&conversation)?).await? {
        return Err(missing(&conversation));
    }
    show(ForTenant(tenant_id), State(api), Path((id, conversation))).await
}

fn known(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| missing(id))
}

fn missing(id: &str) -> ApiError {
    not_found(format!("there is no conversation {id}"))
}
