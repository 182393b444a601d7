//! `GET` and `DELETE /{version}/{id}`: whatever has this id. Files and numbers share the space of Meta's ids.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Path, Query, State as Shared},
    http::HeaderMap,
    response::Response,
    routing::get,
};

use crate::{line::Line, management, media, state::State};

pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new().route("/{version}/{id}", get(show).delete(media::delete))
}

/// A number is asked for its fields, a file never.
async fn show(
    state: Shared<Arc<State>>,
    path: Path<(String, String)>,
    line: ConnectInfo<Line>,
    query: Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let is_number = query.contains_key("fields") || state.directory().knows_number(&path.0.1);
    match is_number {
        true => management::number(state, path, line, query, headers).await,
        false => media::place(state, path, query, headers).await,
    }
}
