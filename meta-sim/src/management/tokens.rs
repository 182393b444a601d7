//! Codes become tokens, and what tokens permit.

use std::sync::Arc;

use axum::{
    Json,
    extract::{ConnectInfo, Query, State as Shared},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Parameters, grant_of, scripted};
use crate::{
    graph::{bearer, error},
    line::Line,
    state::State,
};

pub(super) async fn exchange(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
) -> Response {
    scripted(&state, &line, "oauth", || {
        let get = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let (app, secret) = (get("client_id"), get("client_secret"));
        if app.is_empty() || state.secret_of(app).is_none() {
            return error(400, 101, "Error validating application. Cannot get application info", None);
        }
        if state.secret_of(app).as_deref() != Some(secret) {
            return error(400, 1, "Error validating client secret.", None);
        }
        let mut directory = state.directory();
        let code = get("code");
        match directory.codes.get(code).cloned() {
            None => error(400, 100, "Invalid verification code format.", None),
            Some(None) => error(400, 100, "This authorization code has been used.", None),
            Some(Some(grant)) if state.app_of(&grant) != app => {
                error(400, 100, "This authorization code was issued for another application.", None)
            }
            Some(Some(grant)) => {
                directory.codes.insert(code.to_owned(), None);
                let token = grant.token.clone();
                directory.grants.insert(token.clone(), grant);
                Json(json!({ "access_token": token, "token_type": "bearer" })).into_response()
            }
        }
    })
}

pub(super) async fn debug_token(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    scripted(&state, &line, "debug_token", || {
        let Some(input) = parameters.get("input_token").filter(|token| !token.is_empty()) else {
            return error(400, 100, "The parameter input_token is required", None);
        };
        let viewer = parameters.get("access_token").cloned().or_else(|| bearer(&headers));
        // `<app id>|<app secret>` is an app's own token.
        let viewing_app = match viewer.as_deref().map(|viewer| (viewer, viewer.split_once('|'))) {
            Some((_, Some((app, secret)))) if state.secret_of(app).as_deref() == Some(secret) => app.to_owned(),
            Some((viewer, None)) if state.takes(viewer) => state.app_of(&grant_of(&state.directory(), viewer)),
            _ => return error(401, 190, "Invalid OAuth access token - Cannot parse access token", None),
        };
        let grant = grant_of(&state.directory(), input);
        let app_id = state.app_of(&grant);
        if !state.takes(input) {
            let why = json!({ "code": 190, "message": "Error validating access token: The session has been invalidated \
                because the user changed their password or Facebook has changed the session for security reasons.",
                "subcode": 460 });
            return Json(json!({ "data": { "app_id": app_id, "error": why, "expires_at": grant.expires_at,
                "is_valid": false, "scopes": [] } }))
            .into_response();
        }
        if viewing_app != app_id {
            return error(400, 100, "The App_id in the input_token did not match the Viewing App", None);
        }
        let granular: Vec<Value> = grant
            .scopes
            .iter()
            .map(|scope| match grant.accounts.is_empty() {
                true => json!({ "scope": scope }),
                false => json!({ "scope": scope, "target_ids": grant.accounts }),
            })
            .collect();
        Json(json!({ "data": {
            "app_id": app_id, "type": "SYSTEM_USER", "application": "Simulated", "is_valid": true,
            "expires_at": grant.expires_at, "data_access_expires_at": grant.data_access_expires_at,
            "issued_at": 1_767_225_600, "scopes": grant.scopes, "granular_scopes": granular, "user_id": "100",
        } }))
        .into_response()
    })
}
