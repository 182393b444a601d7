//! The whole runtime within the test's process, on a clock that stands until the test moves it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_runtime::{Config, Options, Roles, Running};
use hoopoe_sandbox::compile::{Compiler, Process};
use hoopoe_store::Store;
use hoopoe_store::ambient::Ambient;
use meta_sim::{Inbound, Sim};

use crate::{Client, Database, PATIENCE, Tenant, eventually, settings, sim_options};

/// What a [`World`] is made of.
pub struct Builder {
    ambient: Ambient,
    roles: Roles,
    plugins: Vec<String>,
    changes: HashMap<String, String>,
    compiler: Compiler,
    sim: meta_sim::Options,
}

impl Builder {
    /// Sets a variable of the configuration, `LEASE` for example.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.changes.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The system's clock in place of one that stands.
    pub fn system_clock(mut self) -> Self {
        self.ambient = Ambient::system();
        self
    }

    /// Only these roles: `flows,delivery` for example.
    pub fn roles(mut self, roles: &str) -> Self {
        self.roles = roles.parse().unwrap();
        self
    }

    /// With this plugin of `plugins/`, beside the built-in ones; a flow of this name runs it.
    pub fn plugin(mut self, name: &str) -> Self {
        self.plugins.push(name.to_owned());
        self
    }

    /// Compiles tenants' plugins in processes of the binary `hoopoe`, as in production. Tests of the package that has
    /// the binary know its path as `env!("CARGO_BIN_EXE_hoopoe")`.
    pub fn compiler(mut self, binary: &str) -> Self {
        self.compiler = Compiler::Process(Process::new(binary, [hoopoe_runtime::compile::SUBCOMMAND]));
        self
    }

    /// Changes how the simulated Meta behaves.
    pub fn sim(mut self, change: impl FnOnce(&mut meta_sim::Options)) -> Self {
        change(&mut self.sim);
        self
    }

    /// Starts simulator and runtime on a new database.
    pub async fn start(self) -> World {
        let Builder { ambient, roles, plugins, changes, compiler, sim } = self;
        let components = tokio::task::spawn_blocking(|| {
            plugins
                .into_iter()
                .map(|name| {
                    let component = hoopoe_plugin_build::test_component(&name);
                    (name, component.unwrap_or_else(|error| panic!("{error}")))
                })
                .collect()
        });
        let db = Database::create().await;
        let sim = Sim::start(sim).await.unwrap();
        let mut configuration = settings(&db, &sim);
        configuration.extend(changes);
        let start = Start { ambient, roles, plugins: components.await.unwrap(), compiler, configuration };
        let running = start.run().await;
        let api = Client::new(running.address);
        sim.set_webhook(&api.webhook_url());
        World { api, sim, running: Some(running), start, db }
    }
}

/// How to start the runtime, also once more.
struct Start {
    ambient: Ambient,
    roles: Roles,
    plugins: Vec<(String, Vec<u8>)>,
    compiler: Compiler,
    configuration: HashMap<String, String>,
}

impl Start {
    async fn run(&self) -> Running {
        let config = Config::from(&self.configuration).unwrap_or_else(|error| panic!("{error}"));
        let options = Options {
            ambient: Some(self.ambient.clone()),
            plugins: self.plugins.clone(),
            compiler: self.compiler.clone(),
        };
        Running::start(config, self.roles.clone(), options).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A running runtime with its surroundings. Everything stops with it.
pub struct World {
    /// Calls the runtime.
    pub api: Client,
    /// Meta.
    pub sim: Sim,
    running: Option<Running>,
    start: Start,
    /// The database.
    pub db: Database,
}

impl World {
    /// All roles, a clock that stands at the first second of 2026, no plugins but the built-in ones.
    pub fn builder() -> Builder {
        let start = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        Builder {
            ambient: Ambient::manual(start, 1),
            roles: Roles::default(),
            plugins: Vec::new(),
            changes: HashMap::new(),
            compiler: Compiler::InProcess,
            sim: sim_options(),
        }
    }

    /// [`World::builder`] without changes, started.
    pub async fn start() -> World {
        Self::builder().start().await
    }

    /// The runtime's store, with its clock and wake-ups. Panics between [`World::stop`] and [`World::restart`].
    pub fn store(&self) -> &Store {
        &self.running.as_ref().expect("the runtime runs").store
    }

    /// The runtime's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.start.ambient.now()
    }

    /// Moves the clock forward and lets the stages look at it.
    pub fn advance(&self, by: TimeDelta) {
        self.start.ambient.advance(by);
        if let Some(running) = &self.running {
            running.store.wakes.flow.notify_one();
            running.store.wakes.delivery.notify_one();
            running.store.wakes.scheduled.notify_one();
            running.store.wakes.timers.notify_one();
            running.store.wakes.calls.notify_one();
            running.store.wakes.webhooks.notify_one();
            running.store.wakes.media.notify_one();
        }
    }

    /// Waits until nothing is being worked on, and gives how long each lane still waits: a flow or a message to be
    /// tried again, or a message in doubt. For a clock that stands.
    pub async fn waits(&self) -> Vec<TimeDelta> {
        let config = Config::from(&self.start.configuration).unwrap_or_else(|error| panic!("{error}"));
        eventually("every lane waits for a later time", async || {
            // With a clock that stands, a lane under way is known by the end of its lease.
            let busy: i64 = sqlx::query_scalar(
                "select (select count(*) from lanes where ready_at <= $1 or (stage = 0 and ready_at = $2))
                      + (select count(*) from outbox where state = 'sending')",
            )
            .bind(self.now())
            .bind(self.now() + config.lease)
            .fetch_one(&self.db.pool)
            .await
            .unwrap();
            busy == 0
        })
        .await;
        let ready: Vec<DateTime<Utc>> =
            sqlx::query_scalar("select ready_at from lanes order by ready_at").fetch_all(&self.db.pool).await.unwrap();
        ready.into_iter().map(|at| at - self.now()).collect()
    }

    /// Moves the clock to the moment at which the last of [`World::waits`] is over; not at all when nothing waits.
    pub async fn advance_past_waits(&self) {
        self.advance(self.waits().await.pop().unwrap_or_default());
    }

    /// Gives the tenant's events to this plugin: `message` and `status` are what it may want. To be called before
    /// the tenant's first webhook: what it wants is remembered for some seconds.
    pub async fn set_flow(&self, tenant: &Tenant, flow: &str, wants: &[&str]) {
        sqlx::query("update tenants set flow = $2, flow_wants = $3 where id = $1")
            .bind(tenant.id)
            .bind(flow)
            .bind(wants)
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// What the simulated Meta accepted for this contact, in order: texts and bodies.
    pub fn heard(&self, contact: &str) -> Vec<String> {
        let accepted = self.sim.accepted().into_iter().filter(|reply| reply.to == contact);
        accepted.filter_map(|reply| reply.text).collect()
    }

    /// A contact writes to the tenant: a signed webhook, acknowledged. Gives Meta's id of the message.
    pub async fn says(&self, tenant: &Tenant, from: &str, text: &str) -> String {
        let message = Inbound::text(&tenant.phone_number_id, from, text);
        let id = message.id.clone();
        let delivery = self.sim.receive(message).await;
        assert!(delivery.is_acknowledged(), "{delivery:?}");
        id
    }

    /// Waits until nothing is left to do: no lane, nothing in the outbox, no status on its way. Not for tests in
    /// which something waits for a later time.
    pub async fn idle(&self) {
        self.db.idle().await;
        self.sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
        self.db.idle().await;
    }

    /// Stops the runtime in order; what it had taken is finished.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            assert!(running.stop().await, "the runtime did not finish its work");
        }
    }

    /// Stops the runtime, if it runs, and starts it on the same database, with the same clock.
    pub async fn restart(&mut self) {
        self.stop().await;
        let running = self.start.run().await;
        self.api = Client::new(running.address);
        self.sim.set_webhook(&self.api.webhook_url());
        self.running = Some(running);
    }

    /// Changes a variable of the configuration; it holds from the next [`World::restart`].
    pub fn set(&mut self, name: &str, value: &str) {
        self.start.configuration.insert(name.to_owned(), value.to_owned());
    }

    /// Changes the roles; they hold from the next [`World::restart`].
    pub fn set_roles(&mut self, roles: &str) {
        self.start.roles = roles.parse().unwrap();
    }

    /// Stops everything in order. A world that is dropped stops as well, in whatever order.
    pub async fn end(mut self) {
        self.stop().await;
        self.sim.stop().await;
    }
}
