//! HTTP as the runtime's users speak it.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::MASTER_KEY;

/// A registered tenant, with what it needs to call the API.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its API key.
    pub key: String,
    /// Meta's id of its number.
    pub phone_number_id: String,
}

/// Calls one runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    /// `http://host:port`, without a slash at the end.
    pub base: String,
    /// For requests that are unlike what the methods here send.
    pub http: reqwest::Client,
}

impl Client {
    /// For the runtime at this address.
    pub fn new(address: SocketAddr) -> Self {
        // The client wants a provider even for plain HTTP; somebody else may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { base: format!("http://{address}"), http }
    }

    /// Where Meta posts.
    pub fn webhook_url(&self) -> String {
        format!("{}/whatsapp/webhook", self.base)
    }

    /// A request with this bearer key; an empty key sends no such header.
    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if key.is_empty() { request } else { request.bearer_auth(key) }
    }

    /// GET: status and body; a body that is not JSON comes as a text.
    pub async fn get(&self, path: &str, key: &str) -> (u16, Value) {
        Self::answer(self.request(Method::GET, path, key)).await
    }

    /// POST of JSON: status and body.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        Self::answer(self.request(Method::POST, path, key).json(body)).await
    }

    /// PUT of JSON: status and body.
    pub async fn put(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        Self::answer(self.request(Method::PUT, path, key).json(body)).await
    }

    /// DELETE: status and body.
    pub async fn delete(&self, path: &str, key: &str) -> (u16, Value) {
        Self::answer(self.request(Method::DELETE, path, key)).await
    }

    /// Uploads a component as a version of the tenant's plugin and gives its digest.
    pub async fn upload(&self, tenant: &Tenant, plugin: &str, component: Vec<u8>) -> String {
        let path = format!("/tenants/{}/plugins/{plugin}", tenant.id);
        let request = self.request(Method::PUT, &path, &tenant.key).header("content-type", "application/wasm");
        let (status, answer) = Self::answer(request.body(component)).await;
        assert!(status == 201 || status == 200, "{status} {answer}");
        answer["digest"].as_str().unwrap().to_owned()
    }

    /// POST to one of the plugin's actions, `activate` for example; it has to succeed.
    pub async fn plugin(&self, tenant: &Tenant, plugin: &str, action: &str, body: &Value) -> Value {
        let path = format!("/tenants/{}/plugins/{plugin}/{action}", tenant.id);
        let (status, answer) = self.post(&path, &tenant.key, body).await;
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// Sends a request: status and body; a body that is not JSON comes as a text.
    pub async fn answer(request: RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Registers a tenant. `phone_number_id` is 5 to 32 digits.
    pub async fn register(&self, name: &str, phone_number_id: &str, token: &str) -> Tenant {
        let body = json!({ "name": name, "phoneNumberId": phone_number_id, "accessToken": token });
        let (status, answer) = self.post("/tenants/register", MASTER_KEY, &body).await;
        assert_eq!(status, 201, "{answer}");
        Tenant {
            id: answer["id"].as_str().unwrap().parse().unwrap(),
            name: name.to_owned(),
            key: answer["apiKey"].as_str().unwrap().to_owned(),
            phone_number_id: phone_number_id.to_owned(),
        }
    }

    /// Queues a text by the send API and gives the message's id.
    pub async fn send(&self, tenant: &Tenant, to: &str, text: &str) -> Uuid {
        let body = json!({ "to": to, "text": text });
        let (status, answer) = self.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
        assert_eq!(status, 202, "{answer}");
        answer["id"].as_str().unwrap().parse().unwrap()
    }

    /// A tenant's messages, oldest first; at most 200.
    pub async fn messages(&self, tenant: &Tenant) -> Vec<Value> {
        let (status, mut answer) = self.get(&format!("/tenants/{}/messages?limit=200", tenant.id), &tenant.key).await;
        assert_eq!(status, 200, "{answer}");
        let Value::Array(mut messages) = answer["messages"].take() else { panic!("no messages in {answer}") };
        messages.reverse();
        messages
    }

    /// A message with its timeline.
    pub async fn message(&self, tenant: &Tenant, id: Uuid) -> Value {
        let (status, answer) = self.get(&format!("/tenants/{}/messages/{id}", tenant.id), &tenant.key).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}
