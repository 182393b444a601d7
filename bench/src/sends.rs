//! Requests of `POST /tenants/{id}/send`, written out before any clock starts, and bulk by `/send/batch`.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::course::Writer;
use crate::http;
use crate::requests::{Audience, Requests};
use crate::runtime::{Hoopoe, Tenant};
use crate::stream::{Kind, SENDS};

/// Messages of one request of bulk: the most that the API takes.
const BATCH: usize = 1_000;

/// What a tenant sends.
pub fn text(tenant: &Tenant) -> String {
    format!("Your order is ready. You can pick it up until eight.\n- {}", tenant.name)
}

/// Writes sends with idempotency keys that are never repeated.
pub struct Sends {
    /// Who is written to.
    pub audience: Audience,
    next_key: u64,
}

impl Sends {
    /// None yet.
    pub fn new(audience: Audience) -> Self {
        Sends { audience, next_key: 1 }
    }

    /// Queues one message for every contact, in bulk. The audience belongs to one tenant.
    pub async fn queue(&mut self, hoopoe: &Hoopoe) -> Result<()> {
        let Sends { audience, next_key } = self;
        let tenant = audience.tenant(0);
        for begin in (0..audience.contacts).step_by(BATCH) {
            let contacts = begin..audience.contacts.min(begin + BATCH);
            let count = contacts.len();
            let messages: Vec<Value> = contacts.map(|contact| message(audience, contact, next_key)).collect();
            let body = json!({ "messages": messages }).to_string();
            let answer = hoopoe.call("POST", &format!("/tenants/{}/send/batch", tenant.id), tenant, &body).await?;
            ensure!(answer["queued"] == count, "{} of {count} messages were queued: {answer}", answer["queued"]);
        }
        Ok(())
    }
}

impl Writer for Sends {
    const KIND: Kind = SENDS;

    fn audience(&self) -> &Audience {
        &self.audience
    }

    // `count` requests in all, each with one text message, its tenant's API key and an idempotency key.
    fn write(&mut self, count: usize) -> Arc<Vec<Requests>> {
        let Sends { audience, next_key } = self;
        audience.write(count, |contact| {
            let tenant = audience.tenant(contact);
            let body = message(audience, contact, next_key).to_string();
            http::request("POST", &format!("/tenants/{}/send", tenant.id), &tenant.headers(), body)
        })
    }
}

fn message(audience: &Audience, contact: usize, next_key: &mut u64) -> Value {
    *next_key += 1;
    let text = text(audience.tenant(contact));
    json!({ "to": audience.wa_id(contact), "text": text, "idempotency_key": format!("order-{next_key}") })
}
