//! The floor of the HTTP side: a server that takes webhooks, checks their signature and answers.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hoopoe_protocol::signature;
use tokio::net::TcpListener;

use crate::webhooks::APP_SECRET;

/// The size of the runtime's answer.
const ANSWER: &str = r#"{"ok":true,"new":1,"repeated":0,"unrouted":0}"#;

/// Serves on the threads that call it, as long as they live; gives the address.
pub async fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("there is no free port")?;
    let address = listener.local_addr().context("there is no free port")?;
    let router = Router::new().route("/whatsapp/webhook", post(check));
    // It ends with its threads.
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn check(headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    match signature::verify(APP_SECRET.as_bytes(), &body, signature) {
        Ok(()) => (StatusCode::OK, ANSWER),
        Err(_) => (StatusCode::UNAUTHORIZED, "the signature does not fit"),
    }
}
