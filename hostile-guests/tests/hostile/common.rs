//! The production wiring with two tenants in it: one that attacks, and one that only wants its messages answered.

use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hoopoe_testing::{Builder, Client, Tenant, World, eventually_some};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Within this time the bystander is answered, whatever the attacker does.
pub const BOUND: Duration = Duration::from_secs(5);
/// Contact of every attacker.
pub const CONTACT: &str = "16505551234";

static PANICS: AtomicUsize = AtomicUsize::new(0);
static WATCH: Once = Once::new();

/// A running Hoopoe, a bystander, and room for attackers.
pub struct Stage {
    pub world: World,
    pub cache: TempDir,
    bystander: Tenant,
    names: AtomicUsize,
}

/// A run, as `GET /tenants/{id}/runs/{eventId}` tells it.
#[derive(Debug, Clone)]
pub struct Run(pub Value);

impl Run {
    pub fn result(&self) -> &str {
        self.0["result"].as_str().unwrap_or_default()
    }

    pub fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap_or_default()
    }
}

impl Stage {
    pub async fn start() -> Stage {
        Self::start_with(|builder| builder).await
    }

    /// On the system's clock, compiling in processes, with a cache of compiled plugins of its own.
    pub async fn start_with(change: impl FnOnce(Builder) -> Builder) -> Stage {
        WATCH.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                PANICS.fetch_add(1, Ordering::SeqCst);
                usual(info);
            }));
        });
        let cache = tempfile::tempdir().unwrap();
        let builder = World::builder()
            .system_clock()
            .compiler(env!("CARGO_BIN_EXE_hoopoe-hostile-compiler"))
            .set("LOG", "error")
            .set("FLOW_RETRIES", "0")
            .set("PLUGIN_CACHE", cache.path().to_str().unwrap());
        let world = change(builder).start().await;
        let bystander = world.api.register("Bystander", "206540352242922", "token").await;
        let stage = Stage { world, cache, bystander, names: AtomicUsize::new(0) };
        stage.bystander_is_answered().await;
        stage
    }

    /// Nothing panicked; ends.
    pub async fn end(self) {
        self.bystander_is_answered().await;
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "the host panicked");
        self.world.end().await;
    }

    /// A tenant that has done nothing yet.
    pub async fn tenant(&self) -> Tenant {
        let number = self.names.fetch_add(1, Ordering::SeqCst);
        self.world.api.register(&format!("Attacker {number}"), &format!("3065403522{number:05}"), "token").await
    }

    /// Uploads under the name `evil`; `?activate=true` lets it take over.
    pub async fn put(&self, tenant: &Tenant, query: &str, bytes: Vec<u8>) -> (u16, Value) {
        let path = format!("/tenants/{}/plugins/evil{query}", tenant.id);
        let request =
            self.world.api.request(Method::PUT, &path, &tenant.key).header("content-type", "application/wasm");
        Client::answer(request.timeout(Duration::from_secs(200)).body(bytes)).await
    }

    /// A new tenant with this plugin in charge.
    pub async fn attacker(&self, label: &str, plugin: Vec<u8>) -> Tenant {
        let tenant = self.tenant().await;
        let (status, answer) = self.put(&tenant, "?activate=true", plugin).await;
        assert_eq!(status, 201, "{label}: {answer}");
        tenant
    }

    /// The tenant's contact writes, and the run of that message has come to its end.
    pub async fn says(&self, tenant: &Tenant, text: &str) -> Run {
        let before = self.runs(tenant).await.len();
        self.world.says(tenant, CONTACT, text).await;
        eventually_some("the message has a run", async || self.runs(tenant).await.into_iter().rev().nth(before)).await
    }

    /// The tenant's last runs, newest first.
    pub async fn runs(&self, tenant: &Tenant) -> Vec<Run> {
        let path = format!("/tenants/{}/runs?limit=200", tenant.id);
        let (status, mut answer) = self.world.api.get(&path, &tenant.key).await;
        assert_eq!(status, 200, "{answer}");
        let Value::Array(runs) = answer["runs"].take() else { panic!("no runs in {answer}") };
        runs.into_iter().map(Run).collect()
    }

    /// A run with all that it was given and gave.
    pub async fn detail(&self, tenant: &Tenant, run: &Run) -> Value {
        let path = format!("/tenants/{}/runs/{}", tenant.id, run.0["eventId"]);
        let (status, mut answer) = self.world.api.get(&path, &tenant.key).await;
        assert_eq!(status, 200, "{answer}");
        answer["runs"][0].take()
    }

    /// What the attacker's contact was sent by this tenant.
    pub fn heard(&self, tenant: &Tenant) -> Vec<String> {
        let accepted = self.world.sim.accepted().into_iter();
        accepted
            .filter(|reply| reply.phone_number_id == tenant.phone_number_id)
            .filter_map(|reply| reply.text)
            .collect()
    }

    /// Runs without effect, through the API.
    pub async fn simulate(&self, tenant: &Tenant, digest: &str) -> (u16, Value) {
        let path = format!("/tenants/{}/plugins/evil/simulate", tenant.id);
        let event = json!({ "text": "hello" });
        self.world.api.post(&path, &tenant.key, &json!({ "digest": digest, "event": event })).await
    }

    /// Does something, while a contact of the bystander writes again and again and is always answered in time.
    pub async fn meanwhile<T>(&self, label: &str, attack: impl Future<Output = T>) -> T {
        let over = AtomicBool::new(false);
        let attack = async {
            let outcome = attack.await;
            over.store(true, Ordering::SeqCst);
            outcome
        };
        let bystander = async {
            let mut longest = Duration::ZERO;
            loop {
                longest = longest.max(self.bystander_is_answered().await);
                if over.load(Ordering::SeqCst) {
                    return longest;
                }
            }
        };
        let start = Instant::now();
        let (outcome, longest) = tokio::join!(attack, bystander);
        println!("{label}: {:?}, the bystander waited at most {longest:?}", start.elapsed());
        assert!(longest < BOUND, "{label}: the bystander waited {longest:?}");
        outcome
    }

    /// How long a new contact of the bystander waits for its answer.
    pub async fn bystander_is_answered(&self) -> Duration {
        let contact = format!("1212555{:06}", self.names.fetch_add(1, Ordering::SeqCst));
        let start = Instant::now();
        self.world.says(&self.bystander, &contact, "hello").await;
        let reply = format!("thanks for reaching us\n- team {}", self.bystander.name);
        hoopoe_testing::eventually("the bystander is answered", async || self.world.sim.times(&contact, &reply) == 1)
            .await;
        start.elapsed()
    }
}

/// A flow that answers its own doings may not go on.
pub async fn chain_is_stopped(stage: &Stage, attacker: &Tenant) {
    let refused = eventually_some("the chain is refused", async || {
        stage.runs(attacker).await.into_iter().find(|run| run.result() == "chain-limit")
    });
    let refused = refused.await;
    assert!(refused.reason().contains("60 are allowed"), "{}", refused.reason());
}
