//! Webhook bodies: items put together by account and number, as Meta does.

use serde_json::{Value, json};

/// One message or status, and whose it is.
pub(crate) struct Part {
    /// `entry.id`.
    pub(crate) account: String,
    /// `metadata.phone_number_id`.
    pub(crate) phone_number_id: String,
    /// The sender, for messages.
    pub(crate) contact: Option<Value>,
    /// `messages` or `statuses`.
    pub(crate) list: &'static str,
    pub(crate) item: Value,
}

struct Change {
    phone_number_id: String,
    list: &'static str,
    contacts: Vec<Value>,
    items: Vec<Value>,
}

/// One body: an entry per account, in it a change per number and list, in it the items in their order.
pub(crate) fn body(parts: Vec<Part>) -> Vec<u8> {
    let mut entries: Vec<(String, Vec<Change>)> = Vec::new();
    for part in parts {
        let place = entries.iter().position(|(account, _)| *account == part.account).unwrap_or_else(|| {
            entries.push((part.account, Vec::new()));
            entries.len() - 1
        });
        let changes = &mut entries[place].1;
        let same = |change: &Change| change.phone_number_id == part.phone_number_id && change.list == part.list;
        let place = changes.iter().position(same).unwrap_or_else(|| {
            changes.push(Change {
                phone_number_id: part.phone_number_id.clone(),
                list: part.list,
                contacts: Vec::new(),
                items: Vec::new(),
            });
            changes.len() - 1
        });
        let change = &mut changes[place];
        change.contacts.extend(part.contact.filter(|contact| !change.contacts.contains(contact)));
        change.items.push(part.item);
    }
    let entries: Vec<Value> = entries
        .into_iter()
        .map(|(account, changes)| json!({ "id": account, "changes": changes.into_iter().map(value).collect::<Vec<_>>() }))
        .collect();
    json!({ "object": "whatsapp_business_account", "entry": entries }).to_string().into_bytes()
}

/// One body with one change of a field that holds no messages.
pub(crate) fn change(account: &str, field: &str, value: Value, time: i64) -> Vec<u8> {
    let change = json!({ "field": field, "value": value });
    let entry = json!({ "id": account, "time": time, "changes": [change] });
    json!({ "object": "whatsapp_business_account", "entry": [entry] }).to_string().into_bytes()
}

fn value(change: Change) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": change.phone_number_id, "phone_number_id": change.phone_number_id },
        change.list: change.items,
    });
    if !change.contacts.is_empty() {
        value["contacts"] = Value::Array(change.contacts);
    }
    json!({ "field": "messages", "value": value })
}
