//! A tenant's endpoint, and a runtime that may post to it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hoopoe_testing::{Builder, Tenant, World, eventually, eventually_some};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

pub const CONTACT: &str = "16505551234";

/// What an endpoint was told.
#[derive(Debug, Clone)]
pub struct Heard {
    pub id: String,
    pub timestamp: i64,
    pub signatures: Vec<String>,
    pub raw: String,
    pub body: Value,
}

impl Heard {
    /// Whether it is signed with this secret: HMAC-SHA-256 as RFC 2104 has it, by hand.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&key.len()), "{} bytes", key.len());
        let pad = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(&key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.raw);
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(signed).finalize();
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        self.signatures.contains(&format!("v1,{}", STANDARD.encode(outer)))
    }

    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }
}

/// How an endpoint answers: a status with headers, or never.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    RetryAfter(u16, u32),
    Never,
}

#[derive(Default)]
struct Inner {
    heard: Mutex<Vec<Heard>>,
    answers: Mutex<VecDeque<Answer>>,
    always: Mutex<Option<Answer>>,
}

/// A tenant's endpoint. It answers 204 unless it is told otherwise.
#[derive(Clone)]
pub struct Endpoint {
    pub port: u16,
    inner: Arc<Inner>,
}

impl Endpoint {
    pub async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(receive).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, inner }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    /// Answers the next posts so.
    pub fn next(&self, answers: &[Answer]) {
        self.inner.answers.lock().unwrap().extend(answers.iter().cloned());
    }

    /// Answers so from now on.
    pub fn always(&self, answer: Answer) {
        *self.inner.always.lock().unwrap() = Some(answer);
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.inner.heard.lock().unwrap().clone()
    }

    /// Sorted.
    pub fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = self.heard().iter().map(|heard| heard.kind().to_owned()).collect();
        kinds.sort();
        kinds
    }

    /// The one notice of this type, once it has come.
    pub async fn told(&self, kind: &str) -> Heard {
        eventually_some(kind, async || self.heard().into_iter().find(|heard| heard.kind() == kind)).await
    }

    /// Waits for so many posts.
    pub async fn posts(&self, count: usize) -> Vec<Heard> {
        eventually(&format!("{count} posts"), async || self.heard().len() >= count).await;
        self.heard()
    }
}

async fn receive(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    let raw = String::from_utf8(body.to_vec()).unwrap();
    let heard = Heard {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap(),
        signatures: header("webhook-signature").split(' ').map(str::to_owned).collect(),
        body: serde_json::from_str(&raw).unwrap(),
        raw,
    };
    inner.heard.lock().unwrap().push(heard);
    let always = inner.always.lock().unwrap().clone();
    let next = inner.answers.lock().unwrap().pop_front().or(always);
    match next {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Answer::Status(status)) => (StatusCode::from_u16(status).unwrap(), "no, thanks").into_response(),
        Some(Answer::RetryAfter(status, seconds)) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", seconds.to_string())]).into_response()
        }
        Some(Answer::Never) => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
    }
}

/// A runtime that may post to this machine.
pub fn builder() -> Builder {
    World::builder().set("HTTP_ALLOW_PRIVATE", "true")
}

/// Calls of the API about one webhook.
pub struct Hook<'a> {
    pub world: &'a World,
    pub tenant: &'a Tenant,
    pub id: String,
    pub secret: String,
}

impl<'a> Hook<'a> {
    pub async fn create(world: &'a World, tenant: &'a Tenant, endpoint: &Endpoint, types: &[&str]) -> Self {
        let body = json!({ "url": endpoint.url(), "types": types });
        let (status, answer) = world.api.post(&format!("/tenants/{}/webhooks", tenant.id), &tenant.key, &body).await;
        assert_eq!(status, 201, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self { world, tenant, id: text("id"), secret: text("secret") }
    }

    fn path(&self, rest: &str) -> String {
        format!("/tenants/{}/webhooks/{}{rest}", self.tenant.id, self.id)
    }

    pub async fn show(&self) -> Value {
        self.get("").await
    }

    pub async fn get(&self, rest: &str) -> Value {
        let (status, answer) = self.world.api.get(&self.path(rest), &self.tenant.key).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn put(&self, body: &Value) -> Value {
        let (status, answer) = self.world.api.put(&self.path(""), &self.tenant.key, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn post(&self, rest: &str, body: &Value) -> Value {
        let (status, answer) = self.world.api.post(&self.path(rest), &self.tenant.key, body).await;
        assert!(status == 200 || status == 202, "{status} {answer}");
        answer
    }

    /// Sends a test; gives the notice's id.
    pub async fn test(&self) -> String {
        self.post("/test", &json!({})).await["id"].as_str().unwrap().to_owned()
    }

    /// This notice, once so many attempts are written down.
    pub async fn delivery(&self, notice: &str, status: &str, attempts: i64) -> Value {
        eventually_some(&format!("{notice} is {status} after {attempts}"), async || {
            self.find(notice).await.filter(|found| found["status"] == status && found["attempts"] == attempts)?;
            // One that is under way counts. With a clock that stands there is no other after it.
            (self.under_way().await == 0).then_some(())?;
            self.find(notice).await.filter(|found| found["status"] == status)
        })
        .await
    }

    async fn find(&self, notice: &str) -> Option<Value> {
        let page = self.get("/deliveries").await;
        page["deliveries"].as_array().unwrap().iter().find(|it| it["id"] == notice).cloned()
    }

    /// Attempts that are not written down yet.
    pub async fn under_way(&self) -> i64 {
        self.world.db.count("select count(*) from webhook_queue where lease_token <> 0").await
    }

    /// Waits until nothing waits for a webhook.
    pub async fn settled(&self) {
        let db = &self.world.db;
        eventually("nothing waits", async || db.count("select count(*) from webhook_queue").await == 0).await;
    }
}
