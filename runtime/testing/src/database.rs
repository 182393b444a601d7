//! A database for one test, cloned from a template that holds the migrations.
//!
//! The template is made once per server and set of migrations, whichever test comes first. The server is the one of
//! `DATABASE_URL`; nothing but databases whose name begins with `hoopoe_test_` or `hoopoe_template_` is touched there.

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use hoopoe_store::Store;
use hoopoe_store::ambient::Ambient;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool};
use uuid::Uuid;

use crate::eventually;

/// Guards the making of templates, among all test processes of a server.
const TEMPLATE_LOCK: i64 = 0x486f_6f70_6f65;

/// A database of a test's own, with all migrations applied. It is dropped with this value.
pub struct Database {
    /// Its address, for `DATABASE_URL`.
    pub url: String,
    /// A few connections for the test itself.
    pub pool: PgPool,
    name: String,
    server: PgConnectOptions,
}

impl Database {
    /// Makes a database on the server of the environment's `DATABASE_URL`.
    ///
    /// Panics when that is not set or the server does not answer.
    pub async fn create() -> Self {
        let Ok(url) = std::env::var("DATABASE_URL") else {
            panic!(
                "DATABASE_URL is not set: run cargo xtask test, or set DATABASE_URL to a Postgres that tests may \
                 create databases in"
            );
        };
        let server = PgConnectOptions::from_str(&url).unwrap_or_else(|error| panic!("DATABASE_URL: {error}"));
        let mut admin = PgConnection::connect_with(&server)
            .await
            .unwrap_or_else(|error| panic!("the server of DATABASE_URL does not answer: {error}"));
        let template = template(&mut admin, &server).await;
        let name = format!("hoopoe_test_{}", Uuid::now_v7().simple());
        run(&mut admin, format!("create database {name} template {template}")).await;
        admin.close().await.unwrap();
        let options = server.clone().database(&name);
        let url = options.to_url_lossy().to_string();
        let pool = PgPoolOptions::new().max_connections(3).connect_lazy_with(options);
        Self { url, pool, name, server }
    }

    /// The number that a query counts.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until no lane, no message and no HTTP call waits for work.
    pub async fn idle(&self) {
        let work = "select (select count(*) from lanes) + (select count(*) from outbox)
                         + (select count(*) from http_calls)";
        eventually("lanes, outbox and calls are empty", async || self.count(work).await == 0).await;
    }

    /// Runs a statement.
    pub async fn execute(&self, statement: &'static str) {
        self.pool.execute(statement).await.unwrap();
    }
}

impl Drop for Database {
    /// Best effort, also when the test panics: a database that stays costs room only.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        let drop = async move {
            if let Ok(mut admin) = PgConnection::connect_with(&server).await {
                let _ = admin.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await;
            }
        };
        // A thread of its own, because the test's runtime may be the one that is blocked here.
        let thread = std::thread::spawn(|| {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), drop).await });
            }
        });
        let _ = thread.join();
    }
}

/// The template's name; it is made if it is not there.
async fn template(admin: &mut PgConnection, server: &PgConnectOptions) -> String {
    let name = format!("hoopoe_template_{}", migrations_hash());
    if exists(admin, &name).await {
        return name;
    }
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.unwrap();
    if !exists(admin, &name).await {
        // Under a name of its own until it is complete.
        let draft = format!("{name}_draft");
        run(admin, format!("drop database if exists {draft} with (force)")).await;
        run(admin, format!("create database {draft}")).await;
        let settings = hoopoe_store::Settings {
            url: server.clone().database(&draft).to_url_lossy().to_string(),
            connections: 1,
            writers: 1,
            acquire_timeout: Duration::from_secs(10),
        };
        let store = Store::connect(&settings, Ambient::system()).unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        run(admin, format!("alter database {draft} rename to {name}")).await;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.unwrap();
    name
}

async fn exists(admin: &mut PgConnection, name: &str) -> bool {
    let query = "select exists (select from pg_database where datname = $1)";
    sqlx::query_scalar(query).bind(name).fetch_one(admin).await.unwrap()
}

async fn run(admin: &mut PgConnection, statement: String) {
    if let Err(error) = admin.execute(AssertSqlSafe(statement.clone())).await {
        panic!("{statement}: {error}; the user of DATABASE_URL must be allowed to create databases");
    }
}

/// Names a set of migrations: 16 hex digits.
fn migrations_hash() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let digest = files.iter().fold(Sha256::new(), |digest, file| digest.chain_update(fs::read(file).unwrap()));
    digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
