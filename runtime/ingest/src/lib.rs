//! From a webhook's bytes to committed rows.
//!
//! In: the raw body of a POST and its signature header. Out: a receipt, only after everything in the POST is
//! committed. What can fail: the signature, the envelope as a whole, and the database (the caller answers 503, Meta
//! delivers again, and what was stored already is recognised). Items fail by themselves: what cannot be read, or what
//! belongs to nobody, is kept with the reason, and its neighbours go their way.

mod append;
mod arrivals;
mod counting;
mod echoes;
mod facts;
mod messaging;
mod own_app;
mod reported;
mod routes;
mod strays;
mod templates;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use hoopoe_lanes::Gate;
use hoopoe_protocol::envelope::ItemKind;
use hoopoe_protocol::{envelope, signature};
use hoopoe_shared::Shared;
use hoopoe_store::Store;
use hoopoe_store::flow_work::Born;
use hoopoe_store::group::shares::Shares;
use hoopoe_store::group::{GroupCommit, Linger, Sizes, Turns};
use hoopoe_store::journal::{Arrival, Kept};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{self, Answer, Writer};
use hoopoe_telemetry::trace::{Kind, Span, TraceContext};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use uuid::Uuid;

use crate::reported::Reported;
use crate::routes::Routes;
use crate::strays::Strays;

/// Items that one transaction takes.
const BATCH: usize = 256;
/// Items that may wait before load is shed.
const WAITING: usize = 20_000;
/// One writer keeps the order of arrival and, by group commit, is faster than several.
const WRITERS: usize = 1;
/// Meta waits for the answer to a status, but nobody else does. Three come for each message, one after the other.
const LINGER: Linger = Linger { time: Duration::from_millis(20), items: 64, rest: Duration::from_millis(50) };
/// How long a route is remembered; other processes see a changed owner after this time.
const ROUTE_LIFETIME: Duration = Duration::from_secs(5);

/// The ingest stage. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    store: Store,
    journal: GroupCommit<Arrival, Kept>,
    /// Statuses that no flow waits for: they become no work, and their order is that of their steps.
    statuses: GroupCommit<Arrival, Kept>,
    routes: Routes,
    /// Of what comes by tenants' own apps.
    shares: Shares,
    strays: Strays,
    room: Arc<Semaphore>,
    shared: Shared,
    reported: Arc<Reported>,
    app_secret: Option<SecretString>,
}

/// A tenant's own app at Meta: what it signs is of that tenant's channels alone.
#[derive(Debug, Clone)]
pub struct OwnApp {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Any of them signs: the app's secret, and after a change for a while the former one.
    pub secrets: Vec<SecretString>,
}

/// What a POST held. What concerns an account that tenants share counts once for each of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Items stored now.
    pub new: usize,
    /// Items that had been stored before.
    pub repeated: usize,
    /// Items that belong to no tenant.
    pub unrouted: usize,
}

/// Why a POST is refused; nothing of it is acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not signed, or not by Meta.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// Not a webhook.
    #[error(transparent)]
    Envelope(#[from] envelope::Error),
    /// Not stored: deliver it again later.
    #[error(transparent)]
    Store(#[from] hoopoe_store::Error),
}

impl Ingest {
    /// Starts the journal's writer. Without an `app_secret` signatures are not checked: development only.
    /// Events that belong to this process from birth enter the flow stage through `flows`, for `lease`. The writer waits
    /// for no other: what holds up the stages behind it is not to hold up Meta. `shared` shows what is new to who watches.
    /// Bodies of `room` bytes in all may be under way: their items are held until they are committed, and may be large.
    pub fn start(
        store: Store,
        shared: Shared,
        app_secret: Option<SecretString>,
        flows: Gate<Born>,
        (lease, room): (TimeDelta, usize),
    ) -> Self {
        let sizes = Sizes { batch: BATCH, queue: WAITING, writers: WRITERS, linger: None };
        let start = |name, sizes, turns: &Turns| {
            let (store, shared, flows) = (store.clone(), shared.clone(), flows.clone());
            GroupCommit::start(name, sizes, turns, move |arrivals: Vec<_>| {
                let (store, shared, flows) = (store.clone(), shared.clone(), flows.clone());
                Box::pin(async move { append::append(&store, &shared, &flows, &arrivals, lease).await })
            })
        };
        let turns = Turns::new(WRITERS);
        let journal = start(Writer::Journal, sizes, &turns);
        let statuses = start(Writer::Statuses, Sizes { linger: Some(LINGER), ..sizes }, &turns);
        let routes = Routes::new(store.clone(), ROUTE_LIFETIME);
        Self {
            store,
            journal,
            statuses,
            routes,
            shares: Shares::new(own_app::LIMITS),
            strays: Strays::default(),
            room: Arc::new(Semaphore::new((room / 1024).min(Semaphore::MAX_PERMITS))),
            shared,
            reported: Arc::default(),
            app_secret,
        }
    }

    /// Takes a POST; returns once everything in it is committed. `traceparent` is the header of that name.
    /// [`hoopoe_store::Error::Overloaded`] when so much is under way that the database cannot keep up.
    pub async fn receive(
        &self,
        body: &[u8],
        signature: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Receipt, Error> {
        self.receive_by(None, body, signature, traceparent).await
    }

    /// Takes a POST of a tenant's own app. Items of channels that are not the tenant's are kept without an owner. What is
    /// traced is not the tenant's to say. [`hoopoe_store::Error::Overloaded`] when more of it is under way than it may have.
    pub async fn receive_own(&self, app: &OwnApp, body: &[u8], signature: Option<&str>) -> Result<Receipt, Error> {
        self.receive_by(Some(app), body, signature, None).await
    }

    async fn receive_by(
        &self,
        app: Option<&OwnApp>,
        body: &[u8],
        signature: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Receipt, Error> {
        let start = Instant::now();
        let genuine = match app {
            None => self.verify(body, signature),
            Some(app) => verify_any(&app.secrets, body, signature),
        };
        // Who is not Meta is not to say what is traced.
        let mut span = Span::first("webhook", Kind::Server, traceparent.filter(|_| genuine.is_ok()));
        let received = match genuine {
            Ok(()) => self.take(body, app.map(|app| app.tenant_id), span.context()).await,
            Err(error) => Err(error.into()),
        };
        let answer = match &received {
            Ok(receipt) => {
                span.set_number("hoopoe.items.new", receipt.new as i64);
                span.set_number("hoopoe.items.repeated", receipt.repeated as i64);
                Answer::Accepted
            }
            Err(Error::Signature(_)) => Answer::BadSignature,
            Err(Error::Envelope(_)) => Answer::Malformed,
            Err(Error::Store(hoopoe_store::Error::Overloaded)) => Answer::Shed,
            Err(Error::Store(_)) => Answer::Unavailable,
        };
        span.set("hoopoe.outcome", labels::Label::value(answer));
        metrics().webhooks.of(answer).inc();
        metrics().webhook_ack.observe(start.elapsed().as_secs_f64());
        received
    }

    fn verify(&self, body: &[u8], signature: Option<&str>) -> Result<(), signature::Error> {
        match &self.app_secret {
            Some(secret) => signature::verify(secret.expose_secret().as_bytes(), body, signature),
            None => Ok(()),
        }
    }

    /// Of a tenant's own app only what is of its channels has an owner.
    async fn take(&self, body: &[u8], of: Option<Uuid>, trace: Option<TraceContext>) -> Result<Receipt, Error> {
        let size = u32::try_from(body.len() / 1024 + 1).unwrap_or(u32::MAX);
        let _room = self.room.try_acquire_many(size).map_err(|_| hoopoe_store::Error::Overloaded)?;
        let items = envelope::parse(body)?;
        let mut routes = self.routes.of(&items).await?;
        let now = self.store.ambient.now();
        let _share = match of {
            Some(tenant_id) => {
                self.keep_own(tenant_id, &items, &mut routes).await?;
                Some(self.share(tenant_id, body, &routes, now)?)
            }
            None => None,
        };
        let mut suspended = reported::suspended(&routes);
        let mut answers = Vec::with_capacity(items.len());
        for (item, routes) in items.into_iter().zip(routes) {
            // By its number facts of an account find a channel: Meta tells it, and nobody's own app.
            if let (None, [route], ItemKind::Message(head)) = (of, &*routes, &item.kind)
                && let (false, Some(number)) = (route.number_known, &head.display_phone_number)
            {
                self.store.learn_number(route, number).await?;
                self.routes.forget();
            }
            for route in routes.iter() {
                templates::follow(&self.store, &item, route, now).await?;
            }
            // What is told of one message of Messenger stays together: each part helps to understand the others.
            let may_linger = !messaging::is_event(&item);
            let arrivals = match (&*routes, of) {
                ([], Some(tenant_id)) => vec![arrivals::foreign(item, tenant_id, now)],
                ([], None) => {
                    let is_shared = self.routes.is_shared(&item).await?;
                    vec![arrivals::unowned(item, is_shared, now)]
                }
                ([route], _) => arrivals::arrivals(item, route, now, trace),
                // An account that tenants share: each is told.
                (shared, _) => {
                    let told = |route| arrivals::arrivals(item.clone(), route, now, trace);
                    shared.iter().flat_map(told).collect()
                }
            };
            for arrival in arrivals {
                let arrival = Arc::new(arrival);
                let group = if may_linger && arrival.is_mere_status() { &self.statuses } else { &self.journal };
                answers.push((group.submit(arrival.clone())?, arrival));
            }
        }
        let mut receipt = Receipt::default();
        for (answer, arrival) in answers {
            let kept = match answer.committed().await {
                Err(hoopoe_store::Error::Refused(error)) => {
                    tracing::error!(%error, "an item was refused by the database; it is kept among the unrouted items");
                    let reason = format!("refused by the database: {error}");
                    let unrouted = Arrival::Unrouted(arrivals::refused(&arrival, reason, now).into());
                    self.journal.write(unrouted).await?
                }
                kept => kept?,
            };
            counting::item(&arrival, kept);
            if let (Arrival::Status(status), Kept::New) = (&*arrival, kept) {
                self.reported.follow((&self.store, &self.shared), status, &mut suspended, now).await;
            }
            match kept {
                Kept::New => receipt.new += 1,
                Kept::Repeated => receipt.repeated += 1,
                Kept::Unrouted => receipt.unrouted += 1,
            }
        }
        Ok(receipt)
    }

    /// Forgets the remembered routes: a number was registered, has changed hands, or was suspended or resumed.
    pub fn forget_routes(&self) {
        self.routes.forget();
    }
}

/// Fits when one of the secrets does.
fn verify_any(secrets: &[SecretString], body: &[u8], signature: Option<&str>) -> Result<(), signature::Error> {
    let mut verdict = Err(signature::Error::Mismatch);
    for secret in secrets {
        verdict = signature::verify(secret.expose_secret().as_bytes(), body, signature);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}
