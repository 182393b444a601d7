//! Rate limits: token buckets of tenants, numbers and pairs, the same for all nodes.
//!
//! In: batches of [`Ask`]s, and what Meta said about going too fast. Out: a [`Verdict`] for each ask. Nothing fails:
//! while Redis is away each node takes its share of every limit, as if the nodes last seen alive asked equally, and a
//! call waits for Redis at the most for [`crate::Options::call_timeout`], once, before the others go on without it.
//!
//! Buckets start full. So does what Redis lost or a node took over: Meta's limits are then exceeded by one burst at the
//! most, and its answer pauses and slows the bucket again.

mod ask;
mod bucket;
mod local;
mod remote;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use ask::{Ask, Scope, Verdict};
pub use bucket::Limit;
pub(crate) use remote::SCRIPTS;

use crate::Shared;
use local::Local;

/// The rate limits. See the [module](self).
pub struct Limits<'s> {
    shared: &'s Shared,
}

impl Shared {
    /// The rate limits.
    pub fn limits(&self) -> Limits<'_> {
        Limits { shared: self }
    }
}

/// What the limits keep in the process.
pub(crate) struct Memory {
    local: Local,
}

impl Memory {
    pub fn new() -> Self {
        Self { local: Local::new() }
    }
}

impl Limits<'_> {
    /// Takes, for each ask, a token from all of its buckets or from none. The asks are answered in their order, all of
    /// them in one round trip; hundreds are fine.
    ///
    /// ```
    /// # use hoopoe_shared::{Clock, Shared};
    /// # use hoopoe_shared::limits::{Ask, Limit, Verdict};
    /// # async fn story(shared: Shared, tenant: uuid::Uuid) {
    /// let asks = ["16505551234", "16505555678"].map(|contact| {
    ///     Ask::of(tenant)
    ///         .number("106540352242922", Limit::per_second(80.0))
    ///         .pair("106540352242922", contact, Limit::new(1.0 / 6.0, 45.0))
    /// });
    /// for (ask, verdict) in asks.iter().zip(shared.limits().take(&asks).await) {
    ///     match verdict {
    ///         Verdict::Granted => println!("{ask:?} may go out"),
    ///         Verdict::Wait { until, bucket } => println!("{ask:?} waits for {bucket:?}, until {until}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn take<'a>(&self, asks: &[Ask<'a>]) -> Vec<Verdict<'a>> {
        let inner = &self.shared.inner;
        let (local, now) = (&inner.limits.local, inner.clock.now());
        let Some(link) = &inner.link else { return local.take(asks, 1, now) };
        match remote::take(inner, link, asks).await {
            Some(verdicts) => {
                local.spend(asks, &verdicts, inner.nodes.seen(), now);
                verdicts
            }
            None => local.take(asks, inner.nodes.seen(), now),
        }
    }

    /// The bucket gives nothing until then; a longer pause stays. For a number after 130429, a pair after 131056.
    pub async fn pause(&self, tenant: Uuid, scope: Scope<'_>, until: DateTime<Utc>) {
        let inner = &self.shared.inner;
        let now = inner.clock.now();
        inner.limits.local.change(tenant, scope, now, |bucket, _| bucket.pause(crate::clock::micros(until)));
        if let Some(link) = &inner.link {
            remote::change(inner, link, tenant, scope, remote::Change::Pause(until - now)).await;
        }
    }

    /// Halves what the bucket gives; it creeps up again, a hundredth of its limit per second. Asked again within two
    /// seconds, it changes nothing: answers to requests that were under way together tell of one event.
    pub async fn slow_down(&self, tenant: Uuid, scope: Scope<'_>) {
        let inner = &self.shared.inner;
        inner.limits.local.change(tenant, scope, inner.clock.now(), |bucket, now| bucket.slow_down(now));
        if let Some(link) = &inner.link {
            remote::change(inner, link, tenant, scope, remote::Change::SlowDown).await;
        }
    }
}
