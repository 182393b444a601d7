//! An item of the protocol becomes arrivals of the journal.

use chrono::{DateTime, Utc};
use hoopoe_protocol::envelope::{
    Identity, InboundHead, Item as WireItem, ItemKind, Profile as WireProfile, Route as WireRoute, StatusHead,
};
use hoopoe_protocol::{media, message};
use hoopoe_store::contacts::{Party, Profile};
use hoopoe_store::journal::{Arrival, Inbound, Item, Notice, Progress, What};
use hoopoe_store::media::InboundFile;
use hoopoe_store::routes::Route;
use hoopoe_store::unrouted::Unrouted;
use hoopoe_telemetry::trace::TraceContext;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{echoes, facts, messaging, templates};

/// What an item of a tenant's channel becomes: one arrival, and of an event of Messenger or Instagram, which may be
/// about many messages, one or more.
pub(crate) fn arrivals(item: WireItem, route: &Route, now: DateTime<Utc>, trace: Option<TraceContext>) -> Vec<Arrival> {
    if messaging::is_event(&item) {
        return messaging::arrivals(item, route, now, trace);
    }
    vec![single(item, route, now, trace)]
}

fn single(item: WireItem, route: &Route, now: DateTime<Utc>, trace: Option<TraceContext>) -> Arrival {
    let echo = echoes::read(&item);
    let stored = |kind: &str, external_id: String, raw: String| Item {
        tenant_id: route.tenant_id,
        channel_id: route.channel_id,
        kind: kind.to_owned(),
        external_id,
        raw,
        note: None,
        occurred_at: now,
        received_at: now,
        trace,
    };
    if let Some(echo) = echo {
        return echoes::arrival(*echo, stored("echo", String::new(), item.raw), route);
    }
    match item.kind {
        ItemKind::Message(head) => message(head, stored("message", String::new(), item.raw), route),
        ItemKind::Status(head) => status(head, stored("status", String::new(), item.raw), route),
        ItemKind::Other { kind } if templates::is_about_one(&kind) => {
            // The same words can come again and mean it: a template is paused more than once.
            let external_id = digest(&format!("{} {}", item.time.unwrap_or_default(), item.raw));
            Arrival::Other(stored(&kind, external_id, item.raw))
        }
        ItemKind::Other { kind } => {
            let told_at = moment(item.time).unwrap_or(now).min(now);
            let what = facts::read(&kind, &item.raw, route, told_at);
            // Words of Meta without a time of their own come again with the next change back and forth.
            let id = match item.time {
                Some(time) if matches!(what, Some((What::Fact(_), _))) => format!("{}/{time}", digest(&item.raw)),
                _ => digest(&item.raw),
            };
            let stored = stored(&kind, id, item.raw);
            match what {
                Some((what, at)) => Arrival::Notice(Notice { item: Item { occurred_at: at, ..stored }, what }),
                None => Arrival::Other(Item { occurred_at: told_at, ..stored }),
            }
        }
        ItemKind::Invalid { reason } => {
            let stored = stored("invalid", digest(&item.raw), item.raw);
            Arrival::Other(Item { note: Some(reason), ..stored })
        }
    }
}

/// Why nobody can say whose an item is.
const UNREADABLE: &str = "which number, business account or page it is about cannot be read in it";

/// An item that is no tenant's. `is_shared`: several have the account that it names, and it does not say which of them
/// it is for.
pub(crate) fn unowned(item: WireItem, is_shared: bool, now: DateTime<Utc>) -> Arrival {
    let reason = match (&item.route, is_shared) {
        (WireRoute::PhoneNumber(_), _) => "no tenant has this phone number id",
        (WireRoute::Account(_), false) => "no tenant has this business account",
        (WireRoute::Account(_), true) => {
            "several tenants have this business account, and it names no number that is known to be one of theirs"
        }
        (WireRoute::Page(_), _) => "no tenant has this page",
        (WireRoute::Instagram(_), _) => "no tenant has this Instagram account",
        (WireRoute::None, _) => UNREADABLE,
    };
    Arrival::Unrouted(unrouted(id_of(item.route), item.field, reason.to_owned(), item.raw, now).into())
}

/// An item that came by the webhook of a tenant's own app and is not of its channels.
pub(crate) fn foreign(item: WireItem, tenant_id: Uuid, now: DateTime<Utc>) -> Arrival {
    let came = format!("it came by the webhook of the own app of tenant {tenant_id}");
    let reason = match &item.route {
        WireRoute::None => format!("{came}; {UNREADABLE}"),
        WireRoute::PhoneNumber(_) => format!("{came}, who has no such phone number id"),
        WireRoute::Account(_) => format!("{came}, who is not known to have this business account, or its number in it"),
        WireRoute::Page(_) => format!("{came}, who has no such page"),
        WireRoute::Instagram(_) => format!("{came}, who has no such Instagram account"),
    };
    Arrival::Unrouted(unrouted(id_of(item.route), item.field, reason, item.raw, now).into())
}

fn id_of(route: WireRoute) -> Option<String> {
    match route {
        WireRoute::PhoneNumber(id) | WireRoute::Account(id) | WireRoute::Page(id) | WireRoute::Instagram(id) => {
            Some(id)
        }
        WireRoute::None => None,
    }
}

/// An arrival that the database refused, as an item without an owner.
pub(crate) fn refused(arrival: &Arrival, reason: String, now: DateTime<Utc>) -> Unrouted {
    let item = match arrival {
        Arrival::Message(inbound) => &inbound.item,
        Arrival::Status(progress) => &progress.item,
        Arrival::Notice(notice) => &notice.item,
        Arrival::Watermark(watermark) => &watermark.item,
        Arrival::Echo(echo) => &echo.item,
        Arrival::Other(item) => item,
        Arrival::Unrouted(unrouted) => return Unrouted { reason, ..(**unrouted).clone() },
    };
    unrouted(Some(item.channel_id.to_string()), item.kind.clone(), reason, item.raw.clone(), now)
}

fn unrouted(route: Option<String>, field: String, reason: String, raw: String, now: DateTime<Utc>) -> Unrouted {
    let digest = Sha256::digest(raw.as_bytes()).into();
    Unrouted { route, field, reason, raw, digest, received_at: now }
}

fn message(head: InboundHead, item: Item, route: &Route) -> Arrival {
    let renamed = facts::renamed(&head, &item.raw);
    let occurred_at = moment(head.timestamp).unwrap_or(item.received_at);
    let item = Item { external_id: head.id, note: head.note, occurred_at, ..item };
    let Identity { wa_id, user_id } = head.sender;
    let WireProfile { name, username } = head.profile;
    let party = Party { tenant_id: route.tenant_id, channel_id: route.channel_id, wa_id, user_id };
    let profile = Profile { name, username };
    let file = file(&head.kind, &item.raw);
    // What people say to each other is no wish of theirs to us.
    let wish = match &head.group_id {
        Some(_) => None,
        None => facts::wish(&head.kind, head.preview.as_deref(), &item.raw, &route.words),
    };
    let debounce_seconds = route.debounce_seconds;
    let (kind, body, group_id) = (head.kind, head.preview, head.group_id);
    Arrival::Message(Inbound { item, party, profile, kind, body, group_id, file, wish, renamed, debounce_seconds })
}

/// Longest id of a file that is fetched, in bytes: Meta's have some twenty, and it stands in an index.
const LONGEST_FILE_ID: usize = 256;

/// The file of a message of a kind that has one; others are not read for it.
fn file(kind: &str, raw: &str) -> Option<InboundFile> {
    media::Kind::of(kind)?;
    let media::Named { id, mime_type, filename, sha256 } =
        media::named(&message::parse(raw).content).filter(|it| it.id.len() <= LONGEST_FILE_ID)?;
    Some(InboundFile { id, mime_type, filename, sha256 })
}

fn status(head: StatusHead, item: Item, route: &Route) -> Arrival {
    let occurred_at = moment(head.timestamp).unwrap_or(item.received_at);
    let (wa_message_id, status) = (head.message_id.clone(), head.status.as_str().to_owned());
    let external_id = format!("{wa_message_id}/{status}/{}", occurred_at.timestamp());
    let error = head.errors.first().map(|error| {
        let message = match &error.details {
            Some(details) => format!("{}: {details}", error.title),
            None => error.title.clone(),
        };
        serde_json::json!({ "class": "reported", "code": error.code, "message": message }).to_string()
    });
    Arrival::Status(Progress {
        item: Item { external_id, occurred_at, ..item },
        wa_message_id,
        message_id: head.callback_data.as_deref().and_then(|ours| Uuid::parse_str(ours).ok()),
        status,
        error,
        for_flow: route.wants_statuses,
    })
}

pub(crate) fn moment(millis: Option<i64>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis?)
}

pub(crate) fn digest(raw: &str) -> String {
    hex::encode(Sha256::digest(raw.as_bytes()))
}
