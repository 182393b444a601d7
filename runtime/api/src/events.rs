//! `GET /tenants/{id}/events` and `GET /tenants/{id}/events/{eventId}`: what Meta told besides messages and their
//! progress, as it came.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use chrono::{DateTime, Utc};
use hoopoe_store::events::{Event, Filter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, not_found};
use crate::{Api, page};

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only of this kind: `calls`, `history`, `echo`, ...
    kind: Option<String>,
    /// Only events older than this one: the page before gave it as `next`.
    before: Option<i64>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// An event of the journal.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalEvent {
    /// Grows.
    id: i64,
    /// Meta's field, for example `calls`, `history` or `group_lifecycle_update`; `echo` of a message that people of the
    /// business wrote elsewhere; `error`; `invalid` when it cannot be read.
    kind: String,
    /// The tenant's number, page or account, by Meta's id.
    phone_number_id: String,
    /// By Meta's clock, as far as it tells.
    occurred_at: DateTime<Utc>,
    /// When it came.
    received_at: DateTime<Utc>,
    /// What could not be read in it.
    note: Option<String>,
    /// The item as Meta sent it. A list leaves it out when it has more than 64 KiB.
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub struct JournalPage {
    /// Newest first.
    events: Vec<JournalEvent>,
    /// For `before`, when there may be more.
    next: Option<i64>,
}

/// What Meta told of a tenant's numbers, pages and accounts besides messages and their progress, newest first.
///
/// Calls, history, groups, echoes, templates, preferences, and whatever is not known yet: as it came.
#[utoipa::path(get, path = "/tenants/{id}/events", tag = "events",
    params(("id" = Uuid, Path, description = "The tenant"), ListQuery), security(("bearer" = [])),
    responses((status = 200, body = JournalPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn list(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<JournalPage>, ApiError> {
    let Query(ListQuery { kind, before, limit }) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let limit = page::size(limit)?;
    let events = api.store.events(tenant_id, &Filter { kind, before, limit }).await?;
    let full = i64::try_from(events.len()).is_ok_and(|found| found == limit);
    let next = events.last().filter(|_| full).map(|event| event.id);
    Ok(Json(JournalPage { events: events.into_iter().map(JournalEvent::from).collect(), next }))
}

/// An event of the journal whole, whatever its kind.
///
/// Also one that brought a message: runs and notices name it.
#[utoipa::path(get, path = "/tenants/{id}/events/{eventId}", tag = "events",
    params(("id" = Uuid, Path, description = "The tenant"), ("eventId" = i64, Path, description = "The event")),
    security(("bearer" = [])),
    responses((status = 200, body = JournalEvent), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<Json<JournalEvent>, ApiError> {
    let missing = || not_found(format!("the tenant has no event {}", ids.1));
    let id: i64 = ids.1.parse().map_err(|_| missing())?;
    let event = api.store.event(tenant_id, id).await?.ok_or_else(missing)?;
    Ok(Json(event.into()))
}

impl From<Event> for JournalEvent {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            kind: event.kind,
            phone_number_id: event.phone_number_id,
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            note: event.note,
            // Postgres has taken it as JSON.
            payload: event.payload.and_then(|text| RawValue::from_string(text).ok()),
        }
    }
}
