//! A database with tenants, a server that keeps what it sees, and the stage between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chrono::{DateTime, TimeDelta};
use hoopoe_outcalls::request;
use hoopoe_secrets::{MasterKey, Sealed};
use hoopoe_store::ambient::Ambient;
use hoopoe_store::plugins::seal_secret;
use hoopoe_store::tenants::Registration;
use hoopoe_store::{Settings as StoreSettings, Store};
use hoopoe_testing::{Database, MASTER_KEY, eventually_some};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const LEASE: TimeDelta = TimeDelta::seconds(30);
/// What every tenant's plugin is called.
pub const PLUGIN: &str = "shop";

/// A tenant with a conversation and a plugin that may call `localhost`.
#[derive(Clone, Copy)]
pub struct Tenant {
    pub id: Uuid,
    channel: Uuid,
    contact: Uuid,
    conversation: Uuid,
}

pub struct Ground {
    pub db: Database,
    pub store: Store,
    pub server: Server,
    stop: CancellationToken,
    stage: Option<JoinHandle<Result<(), hoopoe_outcalls::Error>>>,
}

fn key() -> MasterKey {
    MasterKey::new(MASTER_KEY.to_owned().into()).unwrap()
}

impl Ground {
    /// Without the stage.
    pub async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let db = Database::create().await;
        let ambient = Ambient::manual(DateTime::from_timestamp(1_767_225_600, 0).unwrap(), 1);
        let settings =
            StoreSettings { url: db.url.clone(), connections: 4, writers: 1, acquire_timeout: Duration::from_secs(10) };
        let store = Store::connect(&settings, ambient).unwrap();
        Self { db, store, server: Server::start().await, stop: CancellationToken::new(), stage: None }
    }

    /// Starts the stage, as for development.
    pub fn start(&mut self) {
        let settings = hoopoe_outcalls::Settings {
            allowed_hosts: vec!["*".to_owned()],
            allow_http: true,
            allow_private: true,
            concurrency: 8,
            per_tenant: 2,
            lease: LEASE,
            poll: Duration::from_millis(20),
        };
        self.stage = Some(tokio::spawn(hoopoe_outcalls::run(self.store.clone(), key(), settings, self.stop.clone())));
    }

    /// Moves the clock, and lets the stage look at it.
    pub fn advance(&self, by: TimeDelta) {
        self.store.ambient.advance(by);
        self.store.wakes.calls.notify_one();
    }

    pub async fn tenant(&self, phone_number_id: &str) -> Tenant {
        let ambient = &self.store.ambient;
        let registration = Registration {
            tenant_id: ambient.id(),
            name: "Acme".to_owned(),
            phone_number_id: phone_number_id.to_owned(),
            waba_id: None,
            token: Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] },
            key_prefix: "hoopoe_test".to_owned(),
            key_sha256: ambient.bytes(),
        };
        let registered = self.store.register(&registration).await.unwrap();
        let tenant = Tenant {
            id: registered.id,
            channel: registered.channels[0].id,
            contact: ambient.id(),
            conversation: ambient.id(),
        };
        let statements = [
            "insert into contacts (tenant_id, id, wa_id, created_at) select $1, $2, '16505551234', $5
             where $3::uuid is not null and $4::uuid is not null",
            "insert into conversations (tenant_id, contact_id, channel_id, id, created_at) values ($1, $2, $3, $4, $5)",
            "insert into plugins (tenant_id, name, world, hosts, created_at) select $1, 'shop', 'flow', '{localhost}', $5
             where $2::uuid is not null and $3::uuid is not null and $4::uuid is not null",
        ];
        for statement in statements {
            sqlx::query(statement)
                .bind(tenant.id)
                .bind(tenant.contact)
                .bind(tenant.channel)
                .bind(tenant.conversation)
                .bind(ambient.now())
                .execute(&self.db.pool)
                .await
                .unwrap();
        }
        tenant
    }

    pub async fn secret(&self, tenant: Tenant, name: &str, value: &str) {
        let nonce = self.store.ambient.bytes();
        let sealed = seal_secret(&key(), tenant.id, (PLUGIN, name), &value.to_owned().into(), nonce);
        self.store.put_plugin_secret(tenant.id, PLUGIN, name, &sealed).await.unwrap();
    }

    /// As the commit of a run does it. The URL's `{port}` is the server's.
    pub async fn call(&self, tenant: Tenant, name: &str, url: &str, headers: &[(&str, &str)]) -> Uuid {
        let url = url.replace("{port}", &self.server.port.to_string());
        let request = request::Request {
            method: "POST".to_owned(),
            url,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: b"body".to_vec(),
            timeout_ms: 10_000,
        };
        let id = self.store.ambient.id();
        sqlx::query(
            "insert into http_calls (tenant_id, id, conversation_id, contact_id, channel_id, plugin, name, request,
                                     ready_at, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $9)",
        )
        .bind(tenant.id)
        .bind(id)
        .bind(tenant.conversation)
        .bind(tenant.contact)
        .bind(tenant.channel)
        .bind(PLUGIN)
        .bind(name)
        .bind(request.encode().unwrap())
        .bind(self.store.ambient.now())
        .execute(&self.db.pool)
        .await
        .unwrap();
        self.store.wakes.calls.notify_one();
        id
    }

    /// Waits for the event that a call becomes.
    pub async fn answer(&self, tenant: Tenant, call: Uuid) -> Value {
        eventually_some("the call is answered", async || {
            let query = "select raw::text from events
                         where tenant_id = $1 and kind = 'http-response' and external_id = $2";
            let raw: Option<String> = sqlx::query_scalar(query)
                .bind(tenant.id)
                .bind(call.to_string())
                .fetch_optional(&self.db.pool)
                .await
                .unwrap();
            raw.map(|raw| serde_json::from_str(&raw).unwrap())
        })
        .await
    }

    /// Stops in order.
    pub async fn end(mut self) {
        self.stop.cancel();
        self.server.gate.add_permits(1000);
        if let Some(stage) = self.stage.take() {
            stage.await.unwrap().unwrap();
        }
    }
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub headers: Vec<(String, String)>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Answers `/later` with 503 at the first time, holds `/gate` until a permit is given, and all else with 200.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    pub gate: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, gate: Arc::new(Semaphore::new(0)), seen: Arc::default() };
        let router = Router::new().fallback(any(handle)).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn handle(State(server): State<Server>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let pairs = request.headers().iter();
    let headers = pairs.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let is_first = {
        let mut seen = server.seen.lock().unwrap();
        seen.push(Seen { path: path.clone(), headers });
        seen.iter().filter(|one| one.path == path).count() == 1
    };
    match path.as_str() {
        "/later" if is_first => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "2")]).into_response(),
        "/gate" => {
            server.gate.acquire().await.unwrap().forget();
            "through".into_response()
        }
        "/redirect" => (StatusCode::FOUND, [("location", "http://169.254.169.254/")]).into_response(),
        _ => "hello".into_response(),
    }
}
