//! Tells tenants' own endpoints what happens to their messages and flows, by Standard Webhooks
//! (https://www.standardwebhooks.com).
//!
//! In: notices, written by the transactions of the changes that they tell of. Out: each posted, signed, at least once,
//! until its endpoint takes it or all attempts are used up. What can fail: the endpoint and the way to it, after which
//! there is another attempt; this process, after which another posts the notice again under the same `webhook-id`. No
//! order is kept: a notice says itself when what it tells of happened.

mod places;
mod signature;
mod stage;
mod verdict;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_lanes::{Gate, Options};
use hoopoe_outcalls::client::Client;
pub use hoopoe_outcalls::guard::Rules;
use hoopoe_outcalls::guard::System;
use hoopoe_secrets::MasterKey;
use hoopoe_shared::Shared;
use hoopoe_shared::forget::Cache;
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::{Store, alerts};
use hoopoe_telemetry::metrics::labels::Writer;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::places::Places;
pub use crate::signature::{secret, sign};
use crate::stage::Poster;
pub use crate::verdict::PAUSES;

/// Outcomes that one transaction takes.
const BATCH: usize = 128;
/// Time between two looks at which tenants have webhooks: so long a process may not know of the first webhook of a
/// tenant that was registered at another while Redis is away.
const REFRESH: Duration = Duration::from_secs(5);
/// Longest URL, in bytes.
const LONGEST_URL: usize = 2_048;

/// How notices are posted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Posts under way at the same time.
    pub concurrency: usize,
    /// Posts to one endpoint at the same time.
    pub per_webhook: usize,
    /// How long a claimed notice belongs to its claimer beyond the time that a post may take.
    pub lease: TimeDelta,
    /// Longest time between two looks at the queue.
    pub poll: Duration,
}

/// Posts notices until `stop`, then until what is under way has ended. Fails when TLS cannot be set up.
pub async fn run(
    store: Store,
    master_key: MasterKey,
    rules: Arc<Rules>,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), reqwest::Error> {
    let client = Client::with_kept_connections(rules.clone(), Arc::new(System))?;
    let sizes = Sizes { batch: BATCH, queue: settings.concurrency.max(1), writers: 1, linger: None };
    let writer = store.clone();
    let settlements = GroupCommit::start(Writer::Notices, sizes, &store.turns, move |batch: Vec<_>| {
        let store = writer.clone();
        Box::pin(async move { store.settle_notices(&batch).await })
    });
    let lease = settings.lease.to_std().unwrap_or_default();
    let options = Options { poll: settings.poll, lease, deadline: lease };
    let (ambient, per_webhook) = (store.ambient.clone(), settings.per_webhook.max(1));
    let (places, turn, lease) = (Places::default(), Mutex::default(), settings.lease);
    let poster = Poster { store, master_key, rules, client, settlements, places, turn, lease, per_webhook };
    hoopoe_lanes::drive(Arc::new(poster), Gate::new(settings.concurrency), options, ambient, stop).await;
    Ok(())
}

/// Keeps what this process remembers of tenants' webhooks up to date, until `stop`. Every process that commits changes
/// needs it. The first look has to be made before the process begins to work.
pub async fn listen(store: Store, shared: Shared, stop: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let told = changed.clone();
    shared.on_forget(move |forget| {
        if forget.concerns(Cache::Webhooks) {
            told.notify_one();
        }
    });
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = changed.notified() => {}
            () = tokio::time::sleep(REFRESH) => {}
        }
        if let Err(error) = store.refresh_listeners().await {
            tracing::warn!(%error, "could not look which tenants have webhooks; trying again soon");
        }
    }
}

/// Looks every few seconds whether alerts are to be raised or are over, until `stop`.
pub async fn watch(store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(alerts::EVERY)).await.is_some() {
        if let Err(error) = store.check_alerts().await {
            tracing::warn!(%error, "could not look after alerts; trying again soon");
        }
    }
}

/// What is wrong with the URL of an endpoint, if anything. Where its name leads to is seen at each post.
pub fn check_url(rules: &Rules, url: &str) -> Result<(), String> {
    if url.len() > LONGEST_URL {
        return Err(format!("it has {} bytes; at most {LONGEST_URL} are allowed", url.len()));
    }
    let parsed = Url::parse(url).map_err(|error| format!("{error}; give it https://host/path"))?;
    rules.check_place(&parsed).map_err(|refused| refused.to_string())?;
    match parsed.fragment() {
        Some(_) => Err("a fragment (#...) is not sent to the server; leave it out".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_endpoints_are_checked() {
        let (production, development) = (Rules::of_places(false, false), Rules::of_places(true, true));
        for (url, in_production, in_development) in [
            ("https://example.com/hooks", true, true),
            ("https://example.com:8443/hooks?a=b", true, true),
            ("http://example.com/hooks", false, true),
            ("http://127.0.0.1:4000/hooks", false, true),
            ("https://127.0.0.1/hooks", false, true),
            ("https://10.1.2.3/", false, true),
            ("https://[::1]/", false, true),
            ("https://169.254.169.254/latest/meta-data/", false, false),
            ("https://user:password@example.com/", false, false),
            ("ftp://example.com/", false, false),
            ("https://example.com/#a", false, false),
            ("example.com", false, false),
            ("", false, false),
        ] {
            let checked = |rules| check_url(rules, url);
            assert_eq!(checked(&production).is_ok(), in_production, "{url}: {:?}", checked(&production));
            assert_eq!(checked(&development).is_ok(), in_development, "{url}: {:?}", checked(&development));
        }
        assert!(check_url(&production, &format!("https://example.com/{}", "a".repeat(2_048))).is_err());
    }
}
