//! From a webhook's bytes to committed rows.
//!
//! In: the raw body of a POST and its signature header. Out: a receipt, only after everything in the POST is
//! committed. What can fail: the signature, the envelope as a whole, and the database (the caller answers 503, Meta
//! delivers again, and what was stored already is recognised). Items fail by themselves: what cannot be read, or what
//! belongs to nobody, is kept with the reason, and its neighbours go their way.

mod arrivals;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_lanes::Gate;
use hoopoe_protocol::envelope::ItemKind;
use hoopoe_protocol::{envelope, signature};
use hoopoe_store::flow_work::Born;
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::journal::{Arrival, Kept};
use hoopoe_store::lanes::Births;
use hoopoe_store::{SqlError, Store};
use secrecy::{ExposeSecret, SecretString};

use crate::routes::Routes;

/// Items that one transaction takes.
const BATCH: usize = 256;
/// Items that may wait before load is shed: about 100 MB of the largest usual items.
const WAITING: usize = 20_000;
/// One writer keeps the order of arrival and, by group commit, is faster than several.
const WRITERS: usize = 1;
/// How long a route is remembered; other processes see a changed owner after this time.
const ROUTE_LIFETIME: Duration = Duration::from_secs(5);

/// The ingest stage. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    store: Store,
    journal: GroupCommit<Arrival, Kept>,
    routes: Routes,
    app_secret: Option<SecretString>,
}

/// Appends arrivals, and hands over those whose lanes belong to this process.
async fn append(
    store: &Store,
    flows: &Gate<Born>,
    arrivals: &[Arc<Arrival>],
    lease: TimeDelta,
) -> Result<Vec<Kept>, SqlError> {
    let tenant = |arrival: &Arc<Arrival>| arrival.tenant_id().filter(|_| arrival.is_for_flow());
    let admission = flows.admit(arrivals.iter().map(|arrival| tenant(arrival).map(|tenant_id| (tenant_id, tenant_id))));
    let appended = store.append(arrivals, Births { own: admission.own(), lease }).await?;
    // Several events may have come to one lane: there are places enough.
    flows.enter(admission, appended.born.into_iter().map(|born| (born.lease.lane.tenant_id, born)));
    Ok(appended.kept)
}

/// What a POST held.
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
    /// Events that belong to this process from birth enter the flow stage through `flows`, for `lease`.
    pub fn start(store: Store, app_secret: Option<SecretString>, flows: Gate<Born>, lease: TimeDelta) -> Self {
        let sizes = Sizes { batch: BATCH, queue: WAITING, writers: WRITERS };
        let writer = store.clone();
        let journal = GroupCommit::start(sizes, &store.turns, move |arrivals: Vec<_>| {
            let (store, flows) = (writer.clone(), flows.clone());
            Box::pin(async move { append(&store, &flows, &arrivals, lease).await })
        });
        let routes = Routes::new(store.clone(), ROUTE_LIFETIME);
        Self { store, journal, routes, app_secret }
    }

    /// Takes a POST; returns once everything in it is committed.
    pub async fn receive(&self, body: &[u8], signature: Option<&str>) -> Result<Receipt, Error> {
        if let Some(secret) = &self.app_secret {
            signature::verify(secret.expose_secret().as_bytes(), body, signature)?;
        }
        let items = envelope::parse(body)?;
        let routes = self.routes.of(&items).await?;
        let now = self.store.ambient.now();
        let mut answers = Vec::with_capacity(items.len());
        for (item, route) in items.into_iter().zip(routes) {
            if let (Some(route), ItemKind::Message(head)) = (&route, &item.kind)
                && let (false, Some(number)) = (route.number_known, &head.display_phone_number)
            {
                self.store.learn_number(route, number).await?;
                self.routes.forget();
            }
            let arrival = Arc::new(arrivals::arrival(item, route.as_deref(), now));
            answers.push((self.journal.submit(arrival.clone())?, arrival));
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
            match kept {
                Kept::New => receipt.new += 1,
                Kept::Repeated => receipt.repeated += 1,
                Kept::Unrouted => receipt.unrouted += 1,
            }
        }
        Ok(receipt)
    }

    /// Forgets the remembered routes: a number was registered or has changed hands.
    pub fn forget_routes(&self) {
        self.routes.forget();
    }
}
