//! HTTP calls that flows asked for, guarded against the network behind the host.
//!
//! In: calls that the commit of a run queued. Out: for each an `http-response` event of its conversation, with the
//! server's answer or the reason why there is none. What can fail: the server and the way to it, which is an answer as
//! well; this process, after which another makes the call again under the same `Idempotency-Key`; the database, for
//! which an answer waits as long as its lease lasts.
//!
//! Secrets are opened here and nowhere else, for hosts that have passed the guard, and stand in headers only.

mod address;
pub mod client;
pub mod guard;
mod hosts;
pub mod request;
mod secrets;
mod stage;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_lanes::{Gate, Options};
use hoopoe_secrets::MasterKey;
use hoopoe_store::Store;
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_telemetry::metrics::labels::Writer;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::guard::{Rules, System};
pub use crate::hosts::check_host;
use crate::stage::{Caller, UnderWay};

/// Answers that one transaction takes: each may have 1.4 MB.
const BATCH: usize = 16;

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Hosts that plugins may call, besides being on their own lists: `api.example.com`, `*.example.com`, `*` for any,
    /// each with `:PORT` for another port than 443.
    pub allowed_hosts: Vec<String>,
    /// `http` beside `https`. For development and tests.
    pub allow_http: bool,
    /// This machine and its own network, on any port. For development and tests: plugins could otherwise reach what is
    /// behind the host. The metadata services of clouds stay closed.
    pub allow_private: bool,
    /// Calls under way at the same time. Each may hold some 5 MB.
    pub concurrency: usize,
    /// Calls of one tenant under way at the same time, so that slow servers of one do not keep others waiting.
    pub per_tenant: usize,
    /// How long a claimed call belongs to its claimer beyond the time that the request may take.
    pub lease: TimeDelta,
    /// Longest time between two looks at the queue.
    pub poll: Duration,
}

/// Why the stage could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry of [`Settings::allowed_hosts`] makes no sense.
    #[error("the list of allowed hosts cannot be used: {0}")]
    Hosts(String),
    /// TLS cannot be set up.
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// Makes calls until `stop`, then until what is under way has ended.
pub async fn run(
    store: Store,
    master_key: MasterKey,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), Error> {
    let rules = Rules::new(&settings.allowed_hosts, settings.allow_http, settings.allow_private);
    let rules = Arc::new(rules.map_err(Error::Hosts)?);
    let client = Client::new(rules.clone(), Arc::new(System))?;
    let sizes = Sizes { batch: BATCH, queue: settings.concurrency.max(1), writers: 1, linger: None };
    let writer = store.clone();
    let answers = GroupCommit::start(Writer::Calls, sizes, &store.turns, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { store.settle_calls(&batch).await })
    });
    let lease = settings.lease.to_std().unwrap_or_default();
    let options = Options { poll: settings.poll, lease, deadline: lease };
    let ambient = store.ambient.clone();
    let under_way = UnderWay::new(settings.per_tenant.max(1));
    let caller = Caller { store, master_key, rules, client, answers, under_way, lease: settings.lease };
    hoopoe_lanes::drive(Arc::new(caller), Gate::new(settings.concurrency), options, ambient, stop).await;
    Ok(())
}
