//! The tenants that make the noise.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use crate::guests;
use crate::load::{Posted, Sent};
use crate::report::Report;
use crate::requests::Audience;
use crate::runtime::{Hoopoe, Tenant};
use crate::sends::Sends;
use crate::stream::{SENDS, Stream};
use crate::webhooks::Webhooks;
use crate::world::World;

const PLUGIN: &str = "endless";
/// Contacts of the tenant whose plugin loops, and how many connections post for them.
const CONTACTS: usize = 200;
const CONNECTIONS: usize = 8;
/// Numbers of the first contacts.
const FIRST_OF_HOSTILE: usize = 500_000;
const FIRST_OF_BULK: usize = 1_000_000;

/// One tenant with bulk, one with a plugin that loops.
pub struct Neighbours {
    bulk: Sends,
    /// To the tenant whose plugin loops.
    pub webhooks: Webhooks,
    component: Vec<u8>,
    /// Inbound messages so far.
    pub inbound: u64,
    /// Outbound messages so far.
    pub outbound: u64,
    /// Webhooks that were answered, because the plugin was taken out of charge before it had them.
    answered: u64,
}

impl Neighbours {
    /// The first tenant has the bulk, the last the plugin.
    pub fn new(tenants: Vec<Tenant>, bulk: usize) -> Result<Self> {
        let (with_bulk, hostile) = tenants.split_first().context("there are no neighbours")?;
        let bulk = Audience { tenants: vec![with_bulk.clone()], first: FIRST_OF_BULK, contacts: bulk, connections: 1 };
        let hostile = Audience {
            tenants: hostile.to_vec(),
            first: FIRST_OF_HOSTILE,
            contacts: CONTACTS,
            connections: CONNECTIONS,
        };
        Ok(Neighbours {
            bulk: Sends::new(bulk),
            webhooks: Webhooks::new(hostile),
            component: guests::endless()?,
            inbound: 0,
            outbound: 0,
            answered: 0,
        })
    }

    /// The plugin takes over and the bulk is queued; some of it goes out meanwhile, at this rate.
    pub async fn move_in(&mut self, hoopoe: &Hoopoe, rate: f64) -> Result<()> {
        hoopoe.install(self.hostile(), PLUGIN, &self.component).await?;
        self.limit(hoopoe, rate).await?;
        self.bulk.queue(hoopoe).await?;
        self.outbound += self.bulk.audience.contacts as u64;
        Ok(())
    }

    /// Sets the bulk's rate in messages per second.
    pub async fn limit(&self, hoopoe: &Hoopoe, rate: f64) -> Result<()> {
        let tenant = self.bulk.audience.tenant(0);
        let path = format!("/tenants/{}/channels/{}", tenant.id, tenant.number);
        let body = json!({ "messagesPerSecond": rate }).to_string();
        hoopoe.call("PUT", &path, tenant, &body).await.map(|_| ())
    }

    /// Messages of the bulk that wait.
    pub async fn queued(&self, world: &mut World<'_>) -> Result<u64> {
        let count = sqlx::query_scalar("select count(*) from outbox where tenant_id = $1");
        let count: i64 = count.bind(self.bulk.audience.tenant(0).id).fetch_one(&mut world.db).await?;
        Ok(count.unsigned_abs())
    }

    /// Notes what was posted to the plugin.
    pub fn count(&mut self, posted: &Posted) {
        self.inbound += posted.count() as u64;
    }

    /// The plugin is taken out of charge, the auto-reply answers what waits, the bulk goes out; then the account. Gives
    /// whether everything held. The normal tenants' `replies` of this round were accounted for before.
    pub async fn move_out(&mut self, world: &mut World<'_>, report: &mut Report, replies: u64) -> Result<bool> {
        let hostile = self.hostile().clone();
        let path = format!("/tenants/{}/plugins/{PLUGIN}/deactivate", hostile.id);
        world.hoopoe.call("POST", &path, &hostile, "").await?;
        let audience = &self.bulk.audience;
        let unsettled = world.settle(replies + audience.contacts as u64).await?;
        let accepted = world.sim.accepted();

        // Only who was sent what matters: the time at which each was queued is not known.
        let sent = Sent { start: Instant::now(), answered: Duration::ZERO };
        let posted = Posted { start: sent.start, elapsed: Duration::ZERO, sent: vec![vec![sent; audience.contacts]] };
        let bulk = Stream::of(SENDS, audience, posted, &accepted).judge(report, "bulk", &unsettled);

        let answers = || accepted.iter().filter(|message| self.webhooks.audience.contact_of(&message.to).is_some());
        let distinct: HashSet<_> = answers().filter_map(|message| message.callback_data.as_deref()).collect();
        let (count, distinct) = (answers().count() as u64, distinct.len() as u64);
        self.answered += count;
        self.outbound += count;
        let failed = "select count(*) from flow_runs where tenant_id = $1 and result <> 'done'";
        let failed: i64 = sqlx::query_scalar(failed).bind(hostile.id).fetch_one(&mut world.db).await?;
        let held = distinct == count && failed.unsigned_abs() + self.answered == self.inbound;
        let what = format!(
            "plugin that loops: {} webhooks, {failed} runs ended by force, {} answered after it was taken out",
            self.inbound, self.answered
        );
        report.check(held, what);
        report.check(failed > 0, "the plugin that loops did run");
        Ok(bulk && held)
    }

    fn hostile(&self) -> &Tenant {
        self.webhooks.audience.tenant(0)
    }
}
