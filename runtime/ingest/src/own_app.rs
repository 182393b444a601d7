//! What comes by the webhook of a tenant's own app: of its channels, and no more than its share.
//!
//! Whoever has a tenant's API key chooses the secret of its own app, and can sign anything. All webhooks wait in one
//! queue for one writer: so what came by such an app gets a small part of it, and each tenant a part of that.

use chrono::{DateTime, Utc};
use hoopoe_protocol::envelope;
use hoopoe_store::group::shares::{Limits, Share};
use hoopoe_store::routes::AccountChannel;
use uuid::Uuid;

use crate::routes::Targets;
use crate::{Error, Ingest, facts};

/// The writer is through with `all` in less than a second.
pub(crate) const LIMITS: Limits = Limits { all: 3_000, each: 1_000, unit: 4096 };

impl Ingest {
    /// The part of the queue that a POST of the tenant's own app needs.
    pub(crate) fn share(
        &self,
        tenant_id: Uuid,
        body: &[u8],
        routes: &[Targets],
        now: DateTime<Utc>,
    ) -> Result<Share, hoopoe_store::Error> {
        let strays = routes.iter().filter(|routes| routes.is_empty()).count();
        // Each item has one route by now, or none.
        let share = self.shares.take(tenant_id, (body.len(), routes.len()));
        let kept = share.filter(|_| self.strays.keep(tenant_id, strays, now));
        kept.ok_or(hoopoe_store::Error::Overloaded)
    }

    /// Takes the routes to other tenants away. An account may be shared: then its events are of this tenant's oldest
    /// channel there, and those of a number of that number's channel, if the tenant has it. At most one query, whatever
    /// the items name.
    pub(crate) async fn keep_own(
        &self,
        tenant_id: Uuid,
        items: &[envelope::Item],
        routes: &mut [Targets],
    ) -> Result<(), Error> {
        let mut channels = None;
        for (item, routes) in items.iter().zip(routes) {
            // An item that does not say which of the tenants of an account it is for has no route so far.
            if !routes.is_empty() && routes.iter().all(|route| route.tenant_id == tenant_id) {
                continue;
            }
            let own: Targets = routes.iter().filter(|route| route.tenant_id == tenant_id).cloned().collect();
            *routes = match &item.route {
                envelope::Route::Account(account) if own.is_empty() => {
                    let channels = match &channels {
                        Some(channels) => channels,
                        None => channels.insert(self.store.account_channels(tenant_id).await?),
                    };
                    let number = facts::number(item);
                    let fits =
                        |it: &&AccountChannel| it.waba_id == *account && (number.is_none() || it.number == number);
                    channels.iter().find(fits).map(|it| it.route.clone()).into_iter().collect()
                }
                _ => own,
            };
        }
        Ok(())
    }
}
