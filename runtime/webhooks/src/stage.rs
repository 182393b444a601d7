//! The stage: claim notices, post them, write the outcomes down.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_lanes::{Ask, Stage};
use hoopoe_outcalls::client::{Answer, Client, Failure, Ready};
use hoopoe_outcalls::guard::Rules;
use hoopoe_secrets::MasterKey;
use hoopoe_store::fault::crash_point;
use hoopoe_store::group::GroupCommit;
use hoopoe_store::webhooks::{Claimed, NoticeAsk, NoticeSettlement, Outcome, Turn, open_secret};
use hoopoe_store::{Error, Store};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;
use url::Url;
use uuid::Uuid;

use crate::places::{Place, Places};
use crate::signature::sign;
use crate::verdict::{self, EXCERPT};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// From the lookup of the name to the status of the answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);
/// Notices of an endpoint at the same time while its attempts fail: enough to see that it is back, and not so many that
/// endpoints that hang take the room of others.
const MOST_FAILING: usize = 2;

pub(crate) struct Poster {
    pub store: Store,
    pub master_key: MasterKey,
    pub rules: Arc<Rules>,
    pub client: Client,
    pub settlements: GroupCommit<NoticeSettlement, bool>,
    pub places: Places,
    pub turn: Mutex<Turn>,
    pub lease: TimeDelta,
    pub per_webhook: usize,
}

impl Stage for Poster {
    type Work = (Claimed, Place);
    type Born = Infallible;
    const NAME: &'static str = "webhooks";

    async fn adopt(&self, born: Vec<Infallible>) -> Result<Vec<Self::Work>, Error> {
        Ok(born.into_iter().map(|born| match born {}).collect())
    }

    /// Endpoints share the gate, not tenants: one that hangs is not to be in the way of its tenant's others either.
    fn tenant((notice, _): &Self::Work) -> Uuid {
        notice.lease.webhook_id
    }

    async fn claim(&self, ask: Ask) -> Result<Vec<Self::Work>, Error> {
        let (claimed, turn) = self.store.claim_notices(&self.ask(ask.limit, ask.full)).await?;
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
        if !claimed.is_empty() {
            crash_point("notice.claimed");
        }
        let work = claimed.into_iter().map(|notice| {
            let most = if notice.failing { self.most_failing() } else { self.per_webhook };
            let place = self.places.enter(notice.lease.webhook_id, most, self.store.clone());
            (notice, place)
        });
        Ok(work.collect())
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, Error> {
        self.store.next_notice(&self.ask(0, Vec::new())).await
    }

    fn wake(&self) -> &Notify {
        &self.store.wakes.webhooks
    }

    async fn work(&self, (notice, place): Self::Work) {
        let until = Instant::now() + self.lease().to_std().unwrap_or_default();
        let (tenant, webhook, id) = (notice.lease.tenant_id, notice.lease.webhook_id, notice.lease.notice_id.clone());
        let answer = self.attempt(&notice).await;
        crash_point("notice.called");
        let chance = |below| self.store.ambient.below(below);
        let verdict = verdict::of(answer, notice.attempt, self.store.ambient.now(), chance);
        tracing::debug!(%tenant, %webhook, id, attempt = notice.attempt, status = verdict.status, "a notice was posted");
        metrics().notices.of(posted(&verdict.outcome)).inc();
        let settlement = NoticeSettlement {
            lease: notice.lease,
            outcome: verdict.outcome,
            status: verdict.status,
            response: verdict.response,
            was_failing: notice.failing,
        };
        let again = |error: &Error| {
            tracing::warn!(%tenant, %webhook, id, %error, "could not write an outcome down; trying again");
        };
        // As long as it is owned: an outcome that is not written down costs a repeated post.
        match self.settlements.write_until(Arc::new(settlement), until, again).await {
            Ok(true) => {}
            Ok(false) => {
                metrics().lanes_lost.of(labels::Stage::Webhooks).inc();
                tracing::warn!(%tenant, %webhook, id, "the notice was taken over by another owner");
            }
            // The lease runs out, and the notice is posted again then, under the same id.
            Err(error) => tracing::warn!(%tenant, %webhook, id, %error, "could not write an outcome down"),
        }
        crash_point("notice.settled");
        drop(place);
    }
}

fn posted(outcome: &Outcome) -> labels::Posted {
    match outcome {
        Outcome::Delivered => labels::Posted::Delivered,
        Outcome::Again(_) => labels::Posted::Again,
        Outcome::Failed => labels::Posted::Failed,
        Outcome::Gone(_) => labels::Posted::Gone,
    }
}

impl Poster {
    fn most_failing(&self) -> usize {
        MOST_FAILING.min(self.per_webhook)
    }

    /// How long a claimed notice is owned.
    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(TIMEOUT).unwrap_or_default() + self.lease
    }

    fn ask(&self, limit: usize, full: Vec<Uuid>) -> NoticeAsk {
        NoticeAsk {
            limit,
            lease: self.lease(),
            full,
            under_way: self.places.taken(),
            most: self.per_webhook,
            most_failing: self.most_failing(),
            turn: *self.turn.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    async fn attempt(&self, notice: &Claimed) -> Result<Answer, Failure> {
        let url = Url::parse(&notice.url).map_err(|error| Failure::new("invalid", error.to_string()))?;
        self.rules.check_place(&url)?;
        let headers = self.headers(notice)?;
        let body = notice.body.clone().into_bytes();
        self.client.notify(Ready { method: Method::POST, url, headers, body }, TIMEOUT, EXCERPT).await
    }

    /// Signed by each secret that counts, as the standard has it, at the present moment: a repeat is signed anew.
    fn headers(&self, notice: &Claimed) -> Result<HeaderMap, Failure> {
        let (tenant_id, webhook_id) = (notice.lease.tenant_id, notice.lease.webhook_id);
        let (id, timestamp) = (&notice.lease.notice_id, self.store.ambient.now().timestamp());
        let mut signatures = Vec::new();
        for sealed in &notice.secrets {
            let secret = open_secret(&self.master_key, tenant_id, webhook_id, sealed)
                .map_err(|error| Failure::new("secret", format!("{error}; rotate the secret")))?;
            signatures.extend(sign(&secret, id, timestamp, &notice.body));
        }
        let value =
            |text: &str| HeaderValue::from_str(text).map_err(|error| Failure::new("invalid", error.to_string()));
        Ok(HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (ID, value(id)?),
            (TIMESTAMP, value(&timestamp.to_string())?),
            (SIGNATURE, value(&signatures.join(" "))?),
        ]))
    }
}
