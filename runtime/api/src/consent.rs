//! `/tenants/{id}/consent`: who has opted out of marketing, and every change of that.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use hoopoe_store::consent::{ConsentChange, Wish};
use hoopoe_store::contacts::Party;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field};
use crate::json::Json;
use crate::messenger::recipient;
use crate::page;
use crate::send::channel;

/// Longest reason, in characters.
const LONGEST_REASON: usize = 1000;

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those of this contact.
    contact_id: Option<Uuid>,
    /// Only those before this one: the page before gave it as `next`.
    before: Option<i64>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// A change of a contact's consent to marketing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsentChangeBody {
    /// Grows.
    id: i64,
    /// The contact.
    contact_id: Uuid,
    /// WhatsApp id, else business-scoped user id.
    contact: Option<String>,
    /// `opt-out` or `opt-in`.
    change: String,
    /// `message`: a word of the contact; `meta`: its preference in WhatsApp; `api`: the tenant.
    source: String,
    /// The word, Meta's words, or the reason that was given.
    detail: Option<String>,
    /// The event that brought it.
    event_id: Option<i64>,
    /// When the contact wished it, by Meta's clock.
    occurred_at: DateTime<Utc>,
    /// When it was written down.
    recorded_at: DateTime<Utc>,
}

/// A page of changes.
#[derive(Serialize, ToSchema)]
pub struct ConsentPage {
    /// Newest first.
    changes: Vec<ConsentChangeBody>,
    /// For `before`, when there may be more.
    next: Option<i64>,
}

/// A contact's consent, as the tenant knows it from elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConsentUpdate {
    /// A phone number with its country code, or Meta's business-scoped user id.
    #[schema(example = "+919012345678")]
    to: String,
    /// Whether the contact has opted out of marketing.
    opted_out: bool,
    /// For the record: at most 1,000 characters.
    #[serde(default)]
    #[schema(example = "asked for it on the phone")]
    reason: Option<String>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsentSet {
    /// As given.
    opted_out: bool,
    /// False when it was so before.
    changed: bool,
}

/// Every change of a contact's consent to marketing, newest first.
#[utoipa::path(get, path = "/tenants/{id}/consent", tag = "conversations",
    params(("id" = Uuid, Path, description = "The tenant"), ListQuery), security(("bearer" = [])),
    responses((status = 200, body = ConsentPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<axum::Json<ConsentPage>, ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(query.limit)?;
    let changes = api.store.consent_changes(tenant_id, query.contact_id, query.before, limit).await?;
    let full = i64::try_from(changes.len()).is_ok_and(|found| found == limit);
    let next = changes.last().filter(|_| full).map(|change| change.id);
    Ok(axum::Json(ConsentPage { changes: changes.into_iter().map(Into::into).collect(), next }))
}

/// Opt a contact out of marketing, or in again. It is written down; the contact is not told.
#[utoipa::path(post, path = "/tenants/{id}/consent", tag = "conversations", request_body = ConsentUpdate,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = ConsentSet), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn set(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(update): Json<ConsentUpdate>,
) -> Result<axum::Json<ConsentSet>, ApiError> {
    if let Some(reason) = &update.reason
        && (reason.chars().count() > LONGEST_REASON || reason.contains('\0'))
    {
        return Err(invalid_field("reason", format!("give it at most {LONGEST_REASON} characters, none of them NUL")));
    }
    let home = channel(&api, tenant_id, None).await?;
    let (wa_id, user_id) = recipient(&home, &update.to)?;
    let party = Party { tenant_id, channel_id: home.channel_id, wa_id, user_id };
    let wish = if update.opted_out { Wish::OptOut } else { Wish::OptIn };
    let changed = api.store.set_consent(&party, wish, update.reason.as_deref()).await?;
    Ok(axum::Json(ConsentSet { opted_out: update.opted_out, changed }))
}

impl From<ConsentChange> for ConsentChangeBody {
    fn from(it: ConsentChange) -> Self {
        Self {
            id: it.id,
            contact_id: it.contact_id,
            contact: it.wa_id.or(it.user_id),
            change: it.change,
            source: it.source,
            detail: it.detail,
            event_id: it.event_id,
            occurred_at: it.occurred_at,
            recorded_at: it.recorded_at,
        }
    }
}
