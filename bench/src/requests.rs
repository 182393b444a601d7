//! Who writes or is written to, and requests that are written out whole before any clock starts.

use std::sync::Arc;

use crate::runtime::Tenant;

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

/// Contacts of some tenants. They are spread evenly over the tenants, and each contact belongs to one connection only,
/// so that its messages have an order.
#[derive(Clone)]
pub struct Audience {
    /// Whose contacts they are.
    pub tenants: Vec<Tenant>,
    /// Number of the first contact's WhatsApp id. Audiences of one run must not overlap.
    pub first: usize,
    /// In all; at least one for each connection.
    pub contacts: usize,
    /// Connections.
    pub connections: usize,
}

impl Audience {
    /// The contact, from 0, whose turn is the `turn`th over a connection.
    pub fn contact(&self, connection: usize, turn: usize) -> usize {
        let own = (self.contacts - connection).div_ceil(self.connections);
        connection + self.connections * (turn % own)
    }

    /// The tenant to whom a contact belongs.
    pub fn tenant(&self, contact: usize) -> &Tenant {
        &self.tenants[contact % self.tenants.len()]
    }

    /// The WhatsApp id of a contact.
    pub fn wa_id(&self, contact: usize) -> String {
        wa_id(self.first + contact)
    }

    /// The contact with this WhatsApp id.
    pub fn contact_of(&self, wa_id: &str) -> Option<usize> {
        let number: usize = wa_id.strip_prefix("1555")?.parse().ok()?;
        number.checked_sub(self.first).filter(|contact| *contact < self.contacts)
    }

    /// `count` requests in all, each made for the contact whose turn it is.
    pub fn write(&self, count: usize, mut request: impl FnMut(usize) -> Vec<u8>) -> Arc<Vec<Requests>> {
        let all = (0..self.connections).map(|connection| {
            let mut requests = Requests::default();
            for turn in 0..(count + self.connections - 1 - connection) / self.connections {
                requests.push(&request(self.contact(connection, turn)));
            }
            requests
        });
        Arc::new(all.collect())
    }
}

/// The WhatsApp id with this number.
pub fn wa_id(number: usize) -> String {
    format!("1555{number:07}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::runtime::tests::tenant;

    #[test]
    fn every_contact_has_a_turn_before_any_has_another_and_over_one_connection() {
        for (contacts, connections) in [(7, 3), (3, 3), (100, 64)] {
            let audience = Audience { tenants: vec![tenant(0), tenant(1)], first: 50, contacts, connections };
            let written = audience.write(contacts, |contact| audience.wa_id(contact).into_bytes());
            let mut seen = HashSet::new();
            for (connection, requests) in written.iter().enumerate() {
                for turn in 0..requests.len() {
                    let contact = audience.contact(connection, turn);
                    let text = String::from_utf8_lossy(requests.get(turn)).into_owned();
                    assert_eq!(audience.contact_of(&text), Some(contact));
                    assert!(seen.insert(contact), "{contact} of {contacts} over {connections}");
                }
            }
            assert_eq!(seen.len(), contacts);
            assert_eq!((audience.contact_of(&wa_id(49)), audience.contact_of(&wa_id(50 + contacts))), (None, None));
        }
    }
}
