//! A tiny runtime: takes webhooks, checks their signature with code of its own, answers as told.
#![allow(missing_docs, dead_code, clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use meta_sim::{Options, Sim};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

pub const SECRET: &str = "the-secret";
pub const SOON: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct Inbox {
    pub posts: Mutex<Vec<Value>>,
    pub answers: Mutex<VecDeque<u16>>,
}

impl Inbox {
    pub async fn start() -> (Arc<Inbox>, String) {
        let inbox = Arc::new(Inbox::default());
        let routes = Router::new().route("/webhook", post(take)).with_state(inbox.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (inbox, url)
    }

    pub fn posts(&self) -> Vec<Value> {
        self.posts.lock().unwrap().clone()
    }

    /// All statuses, in the order of their arrival, as (message id, status).
    pub fn statuses(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for post in self.posts() {
            for entry in post["entry"].as_array().unwrap() {
                for change in entry["changes"].as_array().unwrap() {
                    for item in change["value"]["statuses"].as_array().into_iter().flatten() {
                        let text = |name: &str| item[name].as_str().unwrap().to_owned();
                        all.push((text("id"), text("status")));
                    }
                }
            }
        }
        all
    }
}

async fn take(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let claimed = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let claimed = hex::decode(claimed.strip_prefix("sha256=").unwrap_or_default()).unwrap_or_default();
    if mac.verify_slice(&claimed).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let answer = inbox.answers.lock().unwrap().pop_front().unwrap_or(200);
    if answer == 200 {
        inbox.posts.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    }
    StatusCode::from_u16(answer).unwrap()
}

/// A simulator with a runtime behind it.
pub async fn pair(options: Options) -> (Sim, Arc<Inbox>) {
    let (inbox, url) = Inbox::start().await;
    let options = Options { app_secret: SECRET.to_owned(), webhook_url: Some(url), ..options };
    (Sim::start(options).await.unwrap(), inbox)
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).retry(reqwest::retry::never()).build().unwrap()
}

pub fn text(to: &str, body: &str) -> Value {
    json!({ "messaging_product": "whatsapp", "to": to, "type": "text", "text": { "body": body },
        "biz_opaque_callback_data": format!("our-{to}") })
}

/// Posts a body to the messages endpoint of number 111.
pub async fn post_message(sim: &Sim, body: &Value) -> reqwest::Result<(u16, Value)> {
    let url = format!("{}/v24.0/111/messages", sim.url());
    let answer = client().post(url).bearer_auth("token-1").json(body).send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
