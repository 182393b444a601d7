//! The trace that a request goes on with: the header `traceparent` of W3C Trace Context.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::HeaderMap;
use axum::http::request::Parts;
use hoopoe_telemetry::trace::{Kind, Span};

/// The header, as the caller sent it.
pub fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

/// The span of a request that queues messages.
pub struct Sending(pub Span);

impl<S: Sync> FromRequestParts<S> for Sending {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Span::first("send", Kind::Server, traceparent(&parts.headers))))
    }
}
