//! The stage: claim calls, make them, write the answers down.

use std::collections::{HashMap, hash_map::Entry};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Ask, Stage};
use hoopoe_secrets::MasterKey;
use hoopoe_store::fault::crash_point;
use hoopoe_store::group::GroupCommit;
use hoopoe_store::http_calls::{Answered, Call, Share};
use hoopoe_store::plugins::open_secret;
use hoopoe_store::{Error, Store};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{self, Called};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use tokio::sync::Notify;
use url::Url;
use uuid::Uuid;

use crate::client::{Answer, Client, Failure, Ready};
use crate::guard::Rules;
use crate::request::{LONGEST_TIMEOUT, Request};
use crate::secrets;
use crate::verdict::{MOST_CLAIMS, Round, Verdict};

/// Lets a server recognise a call that is made again (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(crate) struct Caller {
    pub store: Store,
    pub master_key: MasterKey,
    pub rules: Arc<Rules>,
    pub client: Client,
    pub answers: GroupCommit<Answered, bool>,
    pub under_way: UnderWay,
    pub lease: TimeDelta,
}

impl Stage for Caller {
    type Work = (Call, Place);
    type Born = Infallible;
    const NAME: &'static str = "calls";

    async fn adopt(&self, born: Vec<Infallible>) -> Result<Vec<Self::Work>, hoopoe_store::Error> {
        Ok(born.into_iter().map(|born| match born {}).collect())
    }

    fn tenant((call, _): &Self::Work) -> Uuid {
        call.lease.tenant_id
    }

    async fn claim(&self, ask: Ask) -> Result<Vec<Self::Work>, hoopoe_store::Error> {
        let limit = i64::try_from(ask.limit).unwrap_or(i64::MAX);
        let calls = self.store.claim_calls(limit, self.lease, self.under_way.share()).await?;
        if !calls.is_empty() {
            crash_point("call.claimed");
        }
        let work = calls.into_iter().map(|call| {
            let place = self.under_way.enter(call.lease.tenant_id, self.store.clone());
            (call, place)
        });
        Ok(work.collect())
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, hoopoe_store::Error> {
        self.store.next_call(&self.under_way.share()).await
    }

    fn wake(&self) -> &Notify {
        &self.store.wakes.calls
    }

    async fn work(&self, (call, place): Self::Work) {
        let began = Instant::now();
        let (tenant, id, attempt) = (call.lease.tenant_id, call.lease.id, call.attempt);
        let request = Request::decode(&call.request);
        let timeout = request.as_ref().map_or(LONGEST_TIMEOUT, |request| request.timeout_ms);
        let timeout = TimeDelta::milliseconds(timeout.into());
        let round = Round { name: &call.name, attempt, created_at: call.created_at, timeout };
        let outcome = match request {
            Ok(request) => self.attempt(&call, request, round.time(self.store.ambient.now())).await,
            Err(error) => Err(Failure::new("invalid", error)),
        };
        crash_point("call.called");
        match &outcome {
            Ok(answer) => tracing::debug!(%tenant, call = %id, attempt, status = answer.status, "a call was answered"),
            Err(Failure { code, message, .. }) => {
                tracing::info!(%tenant, call = %id, attempt, code, reason = message, "a call has no answer");
            }
        }
        let answered = outcome.is_ok();
        let chance = |below| self.store.ambient.below(below);
        match round.verdict(outcome, self.store.ambient.now(), chance) {
            Verdict::Answer(raw) => {
                metrics().calls.of(if answered { Called::Answered } else { Called::Failed }).inc();
                let lease = (timeout + self.lease).to_std().unwrap_or_default();
                self.settle(Answered { lease: call.lease, raw }, began + lease).await;
            }
            // When this is not written the lease runs out, and the call is made again then.
            Verdict::Again(at) => {
                metrics().calls.of(Called::Again).inc();
                match self.store.retry_call(call.lease, at).await {
                    Ok(true) => {}
                    Ok(false) => taken_over(tenant, id),
                    Err(error) => tracing::warn!(%tenant, call = %id, %error, "could not give a call back"),
                }
            }
        }
        crash_point("call.settled");
        drop(place);
    }
}

impl Caller {
    async fn attempt(&self, call: &Call, request: Request, time: TimeDelta) -> Result<Answer, Failure> {
        if call.attempt > MOST_CLAIMS {
            let message = format!("the call was begun {MOST_CLAIMS} times and its outcome was lost each time");
            return Err(Failure::new("gave-up", message));
        }
        let invalid = |error: String| Failure::new("invalid", error);
        let url = Url::parse(&request.url).map_err(|error| invalid(error.to_string()))?;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| invalid(error.to_string()))?;
        // Before any secret is opened.
        self.rules.check(&url, &call.hosts)?;
        let mut headers = self.headers(call, &request).await?;
        let key = HeaderValue::from_str(&call.lease.id.to_string()).map_err(|error| invalid(error.to_string()))?;
        headers.entry(IDEMPOTENCY_KEY).or_insert(key);
        let time = time.to_std().unwrap_or_default();
        self.client.send(Ready { method, url, headers, body: request.body }, time).await
    }

    /// The request's headers with the plugin's secrets in them.
    async fn headers(&self, call: &Call, request: &Request) -> Result<HeaderMap, Failure> {
        let names = secrets::names(&request.headers).map_err(|error| Failure::new("invalid", error))?;
        let mut known: HashMap<String, SecretString> = HashMap::new();
        if let (Some(plugin), false) = (&call.plugin, names.is_empty()) {
            let tenant_id = call.lease.tenant_id;
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            // Nothing was sent: the call can wait for the database.
            let away = |error: Error| {
                tracing::warn!(tenant = %tenant_id, call = %call.lease.id, %error, "could not read a plugin's secrets");
                Failure {
                    unsent: true,
                    ..Failure::new("unavailable", "the plugin's secrets cannot be read at present")
                }
            };
            for (name, sealed) in self.store.plugin_secrets(tenant_id, plugin, &names).await.map_err(away)? {
                let opened = open_secret(&self.master_key, tenant_id, (plugin, &name), &sealed);
                let opened =
                    opened.map_err(|error| Failure::new("secret", format!("{name}: {error}; set it again")))?;
                known.insert(name, opened);
            }
        }
        secrets::fill(&request.headers, &known).map_err(|error| Failure::new("secret", error))
    }

    /// Writes the answer down, however long the database is away within the lease, which lasts until `until`: an answer
    /// that is not written down costs a repeated call.
    async fn settle(&self, answered: Answered, until: Instant) {
        let (tenant, call) = (answered.lease.tenant_id, answered.lease.id);
        let again =
            |error: &Error| tracing::warn!(%tenant, %call, %error, "could not write an answer down; trying again");
        match self.answers.write_until(Arc::new(answered), until, again).await {
            Ok(true) => {}
            Ok(false) => taken_over(tenant, call),
            Err(error) => tracing::error!(%tenant, %call, %error, "could not write an answer down"),
        }
    }
}

fn taken_over(tenant: Uuid, call: Uuid) {
    metrics().lanes_lost.of(labels::Stage::Calls).inc();
    tracing::warn!(%tenant, %call, "the call was taken over by another owner");
}

/// Which tenants have how many calls under way in this process.
#[derive(Clone)]
pub(crate) struct UnderWay {
    calls: Arc<Mutex<HashMap<Uuid, usize>>>,
    most: usize,
}

impl UnderWay {
    /// With room for `most` calls of each tenant.
    pub(crate) fn new(most: usize) -> Self {
        Self { calls: Arc::default(), most }
    }

    fn share(&self) -> Share {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        Share { under_way: calls.clone(), most: self.most }
    }

    fn enter(&self, tenant_id: Uuid, store: Store) -> Place {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant_id).or_default() += 1;
        Place { under_way: self.clone(), tenant_id, store }
    }
}

/// A call's place among its tenant's; free again when this is dropped.
pub(crate) struct Place {
    under_way: UnderWay,
    tenant_id: Uuid,
    store: Store,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut calls = self.under_way.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = calls.entry(self.tenant_id) {
            let was_full = *entry.get() >= self.under_way.most;
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
            if was_full {
                // Its other calls were passed over so far.
                self.store.wakes.calls.notify_one();
            }
        }
    }
}
