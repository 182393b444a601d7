//! The way through the frame: envelope, entries, changes, value, items.
//!
//! The frame is read in one strict pass that leaves every value unread. Only when that fails is it read again piece by
//! piece, so that the broken piece alone becomes [`ItemKind::Invalid`].

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

use super::items::Items;
use super::{Error, InboundHead, Item, ItemKind, Route};
use crate::{
    identity::{Contacts, Identity},
    message, status,
    wire::{self, Object},
};

#[derive(Deserialize)]
struct Envelope<'a, E> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    entry: Option<Vec<E>>,
}

#[derive(Deserialize)]
struct Entry<'a, C> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    time: Option<&'a RawValue>,
    changes: Option<Vec<C>>,
    messaging: Option<Vec<&'a RawValue>>,
    standby: Option<Vec<&'a RawValue>>,
}

/// How `entry.id` is to be understood.
type Home = fn(String) -> Route;

fn home(object: Option<&RawValue>) -> Home {
    match object.and_then(wire::text).as_deref() {
        Some("page") => Route::Page,
        Some("instagram") => Route::Instagram,
        _ => Route::Account,
    }
}

/// The lists that changes of other fields hold: each element is an item. Source: Meta's reference of each field.
const LISTS: [(&str, &[&str]); 11] = [
    ("user_preferences", &["user_preferences"]),
    ("smb_message_echoes", &["message_echoes"]),
    ("message_echoes", &["message_echoes"]),
    ("calls", &["calls", "statuses"]),
    ("history", &["history"]),
    ("smb_app_state_sync", &["state_sync"]),
    ("automatic_events", &["automatic_events"]),
    ("group_lifecycle_update", &["groups"]),
    ("group_participants_update", &["groups"]),
    ("group_settings_update", &["groups"]),
    ("group_status_update", &["groups"]),
];

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    field: Option<Cow<'a, str>>,
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    contacts: Option<&'a RawValue>,
    messages: Option<&'a RawValue>,
    statuses: Option<&'a RawValue>,
    errors: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "wire::optional")]
    phone_number_id: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    display_phone_number: Option<String>,
}

pub(super) fn envelope(text: &str) -> Result<Vec<Item>, Error> {
    if !text.trim_start().starts_with('{') {
        return Err(match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => Error::NotAnEnvelope("not an object".to_owned()),
            Err(error) => Error::NotJson(wire::reason(&error)),
        });
    }
    let mut items = Items::default();
    if let Ok(strict) = serde_json::from_str::<Envelope<Entry<Change>>>(text) {
        let home = home(strict.object);
        for entry in strict.entry.into_iter().flatten() {
            let (account, before) = (account(entry.id, home), items.len());
            for change in entry.changes.into_iter().flatten() {
                self::change(&mut items, &account, &change);
            }
            messaging(&mut items, &account, "messaging", entry.messaging);
            messaging(&mut items, &account, "standby", entry.standby);
            timed(items.since(before), entry.time);
        }
        return items.all();
    }
    let pieces: Envelope<&RawValue> = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => Error::NotAnEnvelope(wire::reason(&error)),
        _ => Error::NotJson(wire::reason(&error)),
    })?;
    let home = home(pieces.object);
    for raw in pieces.entry.into_iter().flatten() {
        piecewise(&mut items, home, raw);
    }
    items.all()
}

fn piecewise(items: &mut Items, home: Home, raw: &RawValue) {
    let entry: Entry<&RawValue> = match wire::object(raw.get()) {
        Ok(entry) => entry,
        Err(reason) => return items.push(invalid(Route::None, "", raw, format!("entry: {reason}"))),
    };
    let (account, before) = (account(entry.id, home), items.len());
    for raw in entry.changes.into_iter().flatten() {
        match wire::object::<Change>(raw.get()) {
            Ok(change) => self::change(items, &account, &change),
            Err(reason) => items.push(invalid(account.clone(), "", raw, format!("change: {reason}"))),
        }
    }
    messaging(items, &account, "messaging", entry.messaging);
    messaging(items, &account, "standby", entry.standby);
    timed(items.since(before), entry.time);
}

/// The time of an entry is that of its items.
fn timed(items: &mut [Item], time: Option<&RawValue>) {
    let time = time.and_then(wire::millis);
    items.iter_mut().for_each(|item| item.time = time);
}

fn account(id: Option<&RawValue>, home: Home) -> Route {
    id.and_then(wire::text).and_then(route_id).map_or(Route::None, home)
}

/// A cut id could be another's: one that is too long is none.
fn route_id(id: String) -> Option<String> {
    (!id.is_empty() && id.len() <= 100).then_some(id)
}

fn messaging(items: &mut Items, account: &Route, name: &str, list: Option<Vec<&RawValue>>) {
    for raw in list.into_iter().flatten() {
        items.push(other(account.clone(), name, name, raw));
    }
}

fn change(items: &mut Items, account: &Route, change: &Change<'_>) {
    let field = change.field.as_deref().unwrap_or("messages");
    let Some(raw) = change.value else {
        return items.push(Item {
            route: account.clone(),
            field: wire::without_nul(wire::clip(field, 100)),
            kind: ItemKind::Invalid { reason: "the change has no value".to_owned() },
            time: None,
            raw: "null".to_owned(),
        });
    };
    let value = wire::object::<Value>(raw.get());
    let metadata = value.as_ref().ok().and_then(|value| value.metadata);
    let (route, display) = match metadata.map(wire::parse::<Metadata>) {
        None => (account.clone(), None),
        Some(None) => (Route::None, None),
        Some(Some(metadata)) => (
            metadata.phone_number_id.and_then(route_id).map_or(Route::None, Route::PhoneNumber),
            metadata.display_phone_number.map(|number| wire::clip(&number, 50)),
        ),
    };
    // Other fields use the same names for other things: `calls` has statuses of calls, echoes are the business's own.
    if field != "messages" {
        let before = items.len();
        if let Some((_, names)) = LISTS.iter().find(|(name, _)| *name == field) {
            let value = Object::read(raw.get()).unwrap_or_default();
            for list in names.iter().map(|name| value.list(name)) {
                items.extend(list.into_iter().map(|element| other(route.clone(), field, field, element)));
            }
            let errors = value.list("errors");
            items.extend(errors.into_iter().map(|error| other(route.clone(), field, "error", error)));
        }
        if items.len() == before {
            items.push(other(route, field, field, raw));
        }
        return;
    }
    let value = match value {
        Ok(value) => value,
        Err(reason) => return items.push(invalid(route, field, raw, format!("value: {reason}"))),
    };
    let before = items.len();
    let contacts = value.messages.map(|_| Contacts::read(value.contacts));
    each(items, &route, value.messages, "messages", |raw| {
        let contacts = contacts.as_ref().ok_or("no contacts")?;
        inbound(raw.get(), contacts, display.as_deref()).map(ItemKind::Message)
    });
    each(items, &route, value.statuses, "statuses", |raw| status::head(raw.get()).map(ItemKind::Status));
    each(items, &route, value.errors, "errors", |_| Ok(ItemKind::Other { kind: "error".to_owned() }));
    if items.len() == before {
        items.push(other(route, field, field, raw));
    }
}

fn each(
    items: &mut Items,
    route: &Route,
    list: Option<&RawValue>,
    name: &str,
    read: impl Fn(&RawValue) -> Result<ItemKind, String>,
) {
    let Some(list) = list else { return };
    let Ok(raws) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else {
        return items.push(invalid(route.clone(), "messages", list, format!("{name} is not a list")));
    };
    for raw in raws {
        if items.are_too_many() {
            return;
        }
        let kind = read(raw).unwrap_or_else(|reason| ItemKind::Invalid { reason });
        items.push(item(route.clone(), "messages", kind, raw));
    }
}

fn inbound(raw: &str, contacts: &Contacts, display: Option<&str>) -> Result<InboundHead, String> {
    let message: message::Wire = wire::object(raw).map_err(|reason| format!("message: {reason}"))?;
    let id = message
        .id
        .and_then(wire::text)
        .filter(|id| !id.is_empty() && id.len() <= wire::MAX_ID)
        .ok_or("the message has no readable id")?;
    let mut sender = Identity::read(message.from, message.from_user_id);
    if sender.is_empty() {
        return Err("the message has no readable sender (from or from_user_id)".to_owned());
    }
    let profile = contacts.complete(&mut sender);
    let timestamp = message.timestamp.and_then(wire::millis);
    let note = match (timestamp, message.timestamp) {
        (Some(_), _) => None,
        (None, None) => Some("timestamp is missing; time of receipt is used".to_owned()),
        (None, Some(raw)) => Some(format!("timestamp {} is not a number of seconds; time of receipt is used", {
            wire::without_nul(wire::clip(raw.get(), 50))
        })),
    };
    Ok(InboundHead {
        id,
        sender,
        profile,
        timestamp,
        kind: message.kind(),
        preview: message::preview(&message),
        note,
        group_id: message.group_id(),
        display_phone_number: display.map(str::to_owned),
    })
}

fn invalid(route: Route, field: &str, raw: &RawValue, reason: String) -> Item {
    item(route, field, ItemKind::Invalid { reason }, raw)
}

fn other(route: Route, field: &str, kind: &str, raw: &RawValue) -> Item {
    item(route, field, ItemKind::Other { kind: wire::without_nul(wire::clip(kind, 100)) }, raw)
}

fn item(route: Route, field: &str, kind: ItemKind, raw: &RawValue) -> Item {
    Item { route, field: wire::without_nul(wire::clip(field, 100)), kind, time: None, raw: raw.get().to_owned() }
}
