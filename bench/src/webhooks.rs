//! Signed webhooks, written out as whole requests before any clock starts.

use std::sync::Arc;

use hoopoe_protocol::signature;

use crate::course::Writer;
use crate::http;
use crate::requests::{Audience, Requests};
use crate::stream::{Kind, REPLIES};

/// Signs the webhooks; the runtime gets it as APP_SECRET.
pub const APP_SECRET: &str = "hoopoe-bench-app-secret";

/// What every contact writes.
pub const TEXT: &str = "Hello! Are you open on Saturday, and do I need to book?";

/// A text message as an item of a webhook.
pub fn item(wa_id: &str, id: &str, timestamp: i64) -> String {
    format!(r#"{{"from":"{wa_id}","id":"{id}","timestamp":"{timestamp}","type":"text","text":{{"body":"{TEXT}"}}}}"#)
}

/// Writes webhooks with ids that are never repeated.
pub struct Webhooks {
    /// Who writes.
    pub audience: Audience,
    next_id: u64,
}

impl Webhooks {
    /// None yet.
    pub fn new(audience: Audience) -> Self {
        Webhooks { audience, next_id: 1 }
    }
}

impl Writer for Webhooks {
    const KIND: Kind = REPLIES;

    fn audience(&self) -> &Audience {
        &self.audience
    }

    // `count` webhooks in all, each with one text message.
    fn write(&mut self, count: usize) -> Arc<Vec<Requests>> {
        let Webhooks { audience, next_id } = self;
        audience.write(count, |contact| {
            *next_id += 1;
            webhook(audience, contact, *next_id)
        })
    }
}

fn webhook(audience: &Audience, contact: usize, id: u64) -> Vec<u8> {
    let (number, wa_id) = (&audience.tenant(contact).number, audience.wa_id(contact));
    let id = format!("wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQz{id:016X}");
    let item = item(&wa_id, &id, chrono::Utc::now().timestamp());
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{"field":"messages","value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{number}","phone_number_id":"{number}"}},"contacts":[{{"profile":{{"name":"Contact {contact}"}},"wa_id":"{wa_id}"}}],"messages":[{item}]}}}}]}}]}}"#
    );
    let signature = signature::sign(APP_SECRET.as_bytes(), body.as_bytes());
    let headers = format!("Content-Type: application/json\r\nX-Hub-Signature-256: {signature}\r\n");
    http::request("POST", "/whatsapp/webhook", &headers, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tests::tenant;

    #[test]
    fn the_runtime_takes_them() {
        let mut webhooks = Webhooks::new(Audience { tenants: vec![tenant(0)], first: 0, contacts: 1, connections: 1 });
        let written = webhooks.write(1);
        let text = String::from_utf8_lossy(written[0].get(0)).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let signed = head.lines().find_map(|line| line.strip_prefix("X-Hub-Signature-256: "));
        signature::verify(APP_SECRET.as_bytes(), body.as_bytes(), signed).expect("the signature fits");
        let items = hoopoe_protocol::envelope::parse(body.as_bytes()).expect("it is an envelope");
        assert_eq!(items.len(), 1);
    }
}
