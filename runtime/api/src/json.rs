//! JSON bodies, with errors that name the field.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::error::{ApiError, bad_request, invalid_field, not_json, too_large, too_slow};

/// Largest body of a request to the API, in bytes, unless its route takes more.
pub const LARGEST: usize = 1024 * 1024;
/// Longest time for a body to come, once its head is there: who sends it slower holds memory for nothing. The largest,
/// a batch, needs 2.3 Mbit/s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body of JSON of `MOST` bytes at the most; the route's limit must be at least as large.
pub struct Json<T, const MOST: usize = LARGEST>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MOST: usize> FromRequest<S> for Json<T, MOST> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let found = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let found = found.unwrap_or("missing").to_owned();
        let essence = found.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(not_json(&found));
        }
        let body = bytes(request, state, MOST).await?;
        parse(&body).map(Self)
    }
}

/// What a text of JSON says; 400 when it says something else, naming the field.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| explain(&error))?;
    json.end().map_err(|error| bad_request(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// A body of JSON in which everything is optional: without a body all of it is left out, and the content type does not
/// matter then.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let body = bytes(Request::from_parts(head.clone(), body), state, LARGEST).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        let Json(value): Json<T> = Json::from_request(Request::from_parts(head, body.into()), state).await?;
        Ok(Self(value))
    }
}

/// The body, up to `limit` bytes; the route's limit must be at least as large. 408 when it does not come in time.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S, limit: usize) -> Result<Bytes, ApiError> {
    within(PATIENCE, request, state, limit).await
}

async fn within<S: Send + Sync>(
    patience: Duration,
    request: Request,
    state: &S,
    limit: usize,
) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(patience, Bytes::from_request(request, state)).await {
        Err(_) => Err(too_slow(patience)),
        Ok(Ok(body)) if body.len() > limit => Err(too_large(limit)),
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large(limit)),
        Ok(Err(rejection)) => Err(bad_request(format!("the body could not be read: {}", rejection.body_text()))),
    }
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let (path, inner) = (error.path().to_string(), error.inner());
    if inner.is_syntax() || inner.is_eof() {
        return bad_request(format!("the body is not JSON: {inner}"));
    }
    // serde's "missing field `x`" names the field itself; its path names the object around it.
    let text = inner.to_string();
    let text = text.split(" at line ").next().unwrap_or_default().to_owned();
    match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) if path == "." => invalid_field(field, "it is missing"),
        Some(field) => invalid_field(&format!("{path}.{field}"), "it is missing"),
        None if path == "." => bad_request(text),
        None => invalid_field(&path, text),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_only_trickles_is_given_up() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        });
        let request = Request::new(Body::from_stream(drops));
        let refused = within(Duration::from_millis(50), request, &(), LARGEST).await.expect_err("it has no end");
        assert_eq!(refused.into_parts().0, StatusCode::REQUEST_TIMEOUT);
    }
}
