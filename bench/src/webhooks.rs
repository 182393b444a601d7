//! Signed webhooks, written out as whole requests before any clock starts.

use std::sync::Arc;

use hoopoe_protocol::signature;

use crate::http;

/// Signs the webhooks; the runtime gets it as APP_SECRET.
pub const APP_SECRET: &str = "hoopoe-bench-app-secret";

/// What every contact writes.
pub const TEXT: &str = "Hello! Are you open on Saturday, and do I need to book?";

/// Requests of one connection, one after the other in one piece of memory.
#[derive(Default)]
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The one with this number, from 0.
    pub fn get(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    fn push(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }
}

/// Who writes to whom, and from which connection. Contacts are spread evenly over the tenants, and each contact writes
/// over one connection only, so that its messages have an order.
#[derive(Clone)]
pub struct Audience {
    /// Meta's ids of the tenants' numbers.
    pub numbers: Vec<String>,
    /// In all; at least one for each connection.
    pub contacts: usize,
    /// Connections.
    pub connections: usize,
}

impl Audience {
    /// The contact that writes as the `turn`th over a connection.
    pub fn contact(&self, connection: usize, turn: usize) -> usize {
        let own = (self.contacts - connection).div_ceil(self.connections);
        connection + self.connections * (turn % own)
    }

    /// The number to which a contact writes.
    pub fn number(&self, contact: usize) -> &str {
        &self.numbers[contact % self.numbers.len()]
    }
}

/// The WhatsApp id of a contact.
pub fn wa_id(contact: usize) -> String {
    format!("1555{contact:07}")
}

/// The contact with this WhatsApp id.
pub fn contact_of(wa_id: &str) -> Option<usize> {
    wa_id.strip_prefix("1555")?.parse().ok()
}

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

    /// `count` webhooks in all, each with one text message.
    pub fn write(&mut self, count: usize) -> Arc<Vec<Requests>> {
        let connections = self.audience.connections;
        let all = (0..connections).map(|connection| {
            let mut requests = Requests::default();
            for turn in 0..(count + connections - 1 - connection) / connections {
                requests.push(&self.webhook(self.audience.contact(connection, turn)));
            }
            requests
        });
        Arc::new(all.collect())
    }

    /// One webhook of every contact.
    pub fn introduction(&mut self) -> Arc<Vec<Requests>> {
        self.write(self.audience.contacts)
    }

    fn webhook(&mut self, contact: usize) -> Vec<u8> {
        let (number, wa_id) = (self.audience.number(contact), wa_id(contact));
        let id = format!("wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQz{:016X}", self.next_id);
        let item = item(&wa_id, &id, chrono::Utc::now().timestamp());
        let body = format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{"field":"messages","value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{number}","phone_number_id":"{number}"}},"contacts":[{{"profile":{{"name":"Contact {contact}"}},"wa_id":"{wa_id}"}}],"messages":[{item}]}}}}]}}]}}"#
        );
        let signature = signature::sign(APP_SECRET.as_bytes(), body.as_bytes());
        self.next_id += 1;
        let headers = format!("Content-Type: application/json\r\nX-Hub-Signature-256: {signature}\r\n");
        http::request("POST", "/whatsapp/webhook", &headers, &body)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn audience(contacts: usize, connections: usize) -> Audience {
        Audience { numbers: vec!["10".to_owned(), "20".to_owned()], contacts, connections }
    }

    #[test]
    fn every_contact_writes_once_before_any_writes_again_and_over_one_connection() {
        for (contacts, connections) in [(7, 3), (3, 3), (100, 64)] {
            let mut webhooks = Webhooks::new(audience(contacts, connections));
            let written = webhooks.introduction();
            let mut seen = HashSet::new();
            for (connection, requests) in written.iter().enumerate() {
                for turn in 0..requests.len() {
                    let contact = webhooks.audience.contact(connection, turn);
                    let text = String::from_utf8_lossy(requests.get(turn)).into_owned();
                    assert!(text.contains(&wa_id(contact)), "{text}");
                    assert!(seen.insert(contact), "{contact} of {contacts} over {connections}");
                }
            }
            assert_eq!(seen.len(), contacts);
        }
    }

    #[test]
    fn the_runtime_takes_them() {
        let mut webhooks = Webhooks::new(audience(1, 1));
        let written = webhooks.write(1);
        let text = String::from_utf8_lossy(written[0].get(0)).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let signed = head.lines().find_map(|line| line.strip_prefix("X-Hub-Signature-256: "));
        signature::verify(APP_SECRET.as_bytes(), body.as_bytes(), signed).expect("the signature fits");
        let items = hoopoe_protocol::envelope::parse(body.as_bytes()).expect("it is an envelope");
        assert_eq!(items.len(), 1);
        assert_eq!(contact_of(&wa_id(42)), Some(42));
    }
}
