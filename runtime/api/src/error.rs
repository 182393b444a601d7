//! The one error of the HTTP edge: `{"error": "<status text>", "message": "<what and what to do>"}` plus, where they
//! help, `code` and `details`. Handlers return it; inner errors become it here and nowhere else.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Seconds after which a client may come back when we are too busy or the database is away.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");
/// The same for a client who asks for too much at once: something of it has to end first.
const RETRY_AFTER_OWN: HeaderValue = HeaderValue::from_static("10");

/// An answer that says what is wrong and what to do.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The status in words.
    #[schema(example = "Bad Request")]
    error: String,
    /// What is wrong and what to do.
    #[schema(example = "text: it has 5000 characters; at most 4096 are allowed")]
    message: String,
    /// For programs: stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// More, by code.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let error = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { status, body: ErrorBody { error, message: message.into(), code: None, details: None } }
    }

    /// The status and the body, for an answer that has several.
    pub fn into_parts(self) -> (StatusCode, ErrorBody) {
        (self.status, self.body)
    }

    /// With a stable word for programs and more details.
    pub fn with(mut self, code: &'static str, details: Value) -> Self {
        self.body.code = Some(code);
        self.body.details = Some(details);
        self
    }
}

/// 400, naming the field.
pub fn invalid_field(field: &str, message: impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, format!("{field}: {message}"))
        .with("invalid_field", serde_json::json!({ "field": field }))
}

/// 400.
pub fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, message)
}

/// 401.
pub fn unauthorized(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, message)
}

/// 403.
pub fn forbidden(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, message)
}

/// 404.
pub fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, message)
}

/// 404 for a tenant that does not exist or is not the caller's: the two look the same.
pub fn tenant_not_found(id: &str) -> ApiError {
    not_found(format!("there is no tenant {id} for this key"))
}

/// 409.
pub fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, message)
}

/// 422: something of the tenant's own failed.
pub fn unprocessable(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}

/// 429: too much of the caller's own waits.
pub fn too_many(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, message)
}

/// 503: the same request can succeed soon.
pub fn busy() -> ApiError {
    unavailable("the service is busy or its database is away; try again soon")
}

/// 503, saying what is busy.
pub fn unavailable(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message)
}

/// 410: it was here.
pub fn gone(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::GONE, message)
}

/// 413, with the reason.
pub fn too_long(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// 415, saying what is taken.
pub fn unsupported_type(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

/// 416.
pub fn no_such_range(size: u64) -> ApiError {
    ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("Range: the file has {size} bytes; ask for some of them"))
}

/// 413.
pub fn too_large(limit: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {limit} bytes; send less"))
}

/// 408.
pub fn too_slow(patience: Duration) -> ApiError {
    let seconds = patience.as_secs();
    ApiError::new(StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {seconds} seconds; send it again"))
}

/// 415.
pub fn not_json(found: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the body's type is {found}; send JSON with Content-Type: application/json"),
    )
}

/// 404 of a path that is none.
pub async fn no_such_route(method: Method, uri: Uri) -> ApiError {
    not_found(format!("there is no route {method} {}; GET /docs shows all", uri.path()))
}

/// 405.
pub async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not take {method}; GET /docs shows what it takes", uri.path()),
    )
}

impl From<hoopoe_store::Error> for ApiError {
    fn from(error: hoopoe_store::Error) -> Self {
        if error.is_passing() {
            tracing::warn!(%error, "answered 503");
            return busy();
        }
        if error.is_nul() {
            return bad_request("the request holds the character U+0000 (%00), which is never part of a name or an id");
        }
        tracing::error!(%error, "answered 500");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here; it is in the log")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(header::RETRY_AFTER, RETRY_AFTER)),
            StatusCode::TOO_MANY_REQUESTS => drop(headers.insert(header::RETRY_AFTER, RETRY_AFTER_OWN)),
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
