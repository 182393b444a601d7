//! `/tenants/{id}/dead-letters`: messages that were given up, to look at, to send once more, to take off the list.

use axum::Json;
use axum::extract::{Query, State, rejection::QueryRejection};
use chrono::TimeDelta;
use hoopoe_store::dead_letters::Which;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, invalid_field};
use crate::messages::MessagePage;
use crate::send_body::checked_validity;
use crate::{json, page};

/// Dead letters that one request may name or take.
const MOST: usize = 1_000;
/// Validity when none is given.
const VALIDITY: TimeDelta = TimeDelta::days(1);

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only messages older than this one: the page before gave it as `next`.
    before: Option<Uuid>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
}

/// Which dead letters: `messages`, or `oldest`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// These, at most 1,000; those that are no dead letters are passed over.
    messages: Option<Vec<Uuid>>,
    /// So many, the oldest first; at most 1,000.
    oldest: Option<usize>,
    /// For a redrive: seconds for which they are worth sending from now, 1 to 2,592,000; a day when absent.
    #[serde(default, alias = "expiresIn")]
    expires_in: Option<u32>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// The dead letters that it was done to.
    messages: Vec<Uuid>,
}

/// A tenant's dead letters, newest first; `error` says why each was given up.
#[utoipa::path(get, path = "/tenants/{id}/dead-letters", tag = "dead letters",
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
    Ok(Json(MessagePage::of(api.store.dead_letters(tenant_id, query.before, limit).await?, limit)))
}

/// Queue dead letters once more, with all of their attempts. They come behind what waits for their contacts.
#[utoipa::path(post, path = "/tenants/{id}/dead-letters/redrive", tag = "dead letters", request_body = Selection,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = Done), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn redrive(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    json::Json(selection): json::Json<Selection>,
) -> Result<Json<Done>, ApiError> {
    let validity = checked_validity(selection.expires_in)?.unwrap_or(VALIDITY);
    let messages = api.store.redrive(tenant_id, &selection.checked()?, validity).await?;
    tracing::info!(tenant = %tenant_id, count = messages.len(), "dead letters are sent once more");
    Ok(Json(Done { messages }))
}

/// Take dead letters off the list. The messages stay, as failed.
#[utoipa::path(post, path = "/tenants/{id}/dead-letters/purge", tag = "dead letters", request_body = Selection,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = Done), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn purge(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    json::Json(selection): json::Json<Selection>,
) -> Result<Json<Done>, ApiError> {
    let messages = api.store.purge(tenant_id, &selection.checked()?).await?;
    tracing::info!(tenant = %tenant_id, count = messages.len(), "dead letters are taken off the list");
    Ok(Json(Done { messages }))
}

impl Selection {
    fn checked(self) -> Result<Which, ApiError> {
        let within = |field: &str, count: usize| match count {
            1..=MOST => Ok(count),
            _ => Err(invalid_field(field, format!("it is {count}; give it 1 to {MOST}"))),
        };
        match (self.messages, self.oldest) {
            (Some(ids), None) => within("messages", ids.len()).map(|_| Which::These(ids)),
            (None, Some(count)) => within("oldest", count).map(|count| Which::Oldest(count as i64)),
            (None, None) => Err(bad_request("messages or oldest: one of the two is needed")),
            (Some(_), Some(_)) => Err(bad_request("messages and oldest: give one of the two, not both")),
        }
    }
}
