//! An event of Messenger or Instagram becomes arrivals of the journal.
//!
//! What a person did is a message for the flow. Deliveries and reads are progress of the messages that they name, and of
//! all until a moment. What the page wrote is an echo. Everything else, and all that another application has in hand
//! (`standby`), is kept.

use chrono::{DateTime, Utc};
use hoopoe_protocol::envelope::{Item as WireItem, ItemKind, Route as WireRoute};
use hoopoe_protocol::messenger::{self, Kind};
use hoopoe_store::contacts::{Party, Profile};
use hoopoe_store::journal::{Arrival, Echo, Inbound, Item, Progress, Watermark};
use hoopoe_store::messenger::{person, scoped};
use hoopoe_store::routes::Route;
use hoopoe_telemetry::trace::TraceContext;
use uuid::Uuid;

use crate::arrivals::{digest, moment};

/// Messages that one delivery names at the most; of the rest its moment tells.
const MOST_NAMED: usize = 1_000;

/// Whether an item is one for here.
pub(crate) fn is_event(item: &WireItem) -> bool {
    home(item).is_some() && matches!(&item.kind, ItemKind::Other { kind } if kind == "messaging")
}

fn home(item: &WireItem) -> Option<&str> {
    match &item.route {
        WireRoute::Page(id) | WireRoute::Instagram(id) => Some(id),
        WireRoute::PhoneNumber(_) | WireRoute::Account(_) | WireRoute::None => None,
    }
}

/// At least one.
pub(crate) fn arrivals(item: WireItem, route: &Route, now: DateTime<Utc>, trace: Option<TraceContext>) -> Vec<Arrival> {
    let home = home(&item).unwrap_or_default().to_owned();
    let event = messenger::parse(&item.raw);
    let occurred_at = event.as_ref().and_then(|event| moment(event.timestamp));
    let note = occurred_at.is_none().then(|| "timestamp is missing; time of receipt is used".to_owned());
    let stored = Item {
        tenant_id: route.tenant_id,
        channel_id: route.channel_id,
        kind: "messaging".to_owned(),
        external_id: digest(&item.raw),
        raw: item.raw,
        note,
        occurred_at: occurred_at.unwrap_or(now),
        received_at: now,
        trace,
    };
    let Some(event) = event else {
        return vec![Arrival::Other(Item { note: Some("it does not say whom it is about".to_owned()), ..stored })];
    };
    let user_id = Some(scoped(&home, &event.person));
    let party = Party { tenant_id: route.tenant_id, channel_id: route.channel_id, wa_id: None, user_id };
    if let Some(inbound) = messenger::inbound(&event) {
        let external_id = inbound.id.unwrap_or_else(|| stored.external_id.clone());
        let item = Item { kind: "message".to_owned(), external_id, ..stored };
        // Its files have addresses and no ids to fetch them by; and marketing goes out by WhatsApp alone.
        return vec![Arrival::Message(Inbound {
            item,
            party,
            profile: Profile::default(),
            kind: inbound.kind,
            body: inbound.preview,
            group_id: None,
            file: None,
            wish: None,
            renamed: None,
            debounce_seconds: route.debounce_seconds,
        })];
    }
    match &event.kind {
        Kind::Echo(message) => vec![echo(message, stored, party, route)],
        Kind::Delivery { ids, watermark } => {
            let ids = &ids[..ids.len().min(MOST_NAMED)];
            progress(ids, (moment(*watermark), None), "delivered", stored, party, route)
        }
        Kind::Read { id, watermark } => {
            let ids: Vec<String> = id.iter().cloned().collect();
            progress(&ids, (moment(*watermark), id.clone()), "read", stored, party, route)
        }
        // A message that cannot be read is none.
        Kind::Other(name) if name != "message" => vec![Arrival::Other(Item { kind: name.clone(), ..stored })],
        _ => vec![Arrival::Other(stored)],
    }
}

/// The step of one message, as an item of WhatsApp's `statuses[]`.
fn step(item: &Item, party: &Party, status: &str, mid: &str, ours: Option<Uuid>, for_flow: bool) -> Progress {
    let person = person(party.user_id.as_deref().unwrap_or_default());
    let ours_text = ours.map(|id| id.to_string());
    let raw = messenger::status_item(mid, status, item.occurred_at.timestamp_millis(), person, ours_text.as_deref());
    let external_id = format!("{mid}/{status}/{}", item.occurred_at.timestamp());
    Progress {
        item: Item { kind: "status".to_owned(), external_id, raw, note: None, ..item.clone() },
        wa_message_id: mid.to_owned(),
        message_id: ours,
        status: status.to_owned(),
        error: None,
        for_flow,
    }
}

fn progress(
    ids: &[String],
    (until, last): (Option<DateTime<Utc>>, Option<String>),
    status: &'static str,
    item: Item,
    party: Party,
    route: &Route,
) -> Vec<Arrival> {
    let for_flow = route.wants_statuses;
    let one = |id: &String| Arrival::Status(step(&item, &party, status, id, None, for_flow));
    let mut all: Vec<Arrival> = ids.iter().map(one).collect();
    let item_of = |watermark: &Watermark, mid: &str, ours: Uuid| {
        step(&watermark.item, &watermark.party, watermark.status, mid, Some(ours), false).item.raw
    };
    let kind = if status == "read" { "read" } else { "delivery" };
    let item = Item { kind: kind.to_owned(), ..item };
    all.push(Arrival::Watermark(Watermark { item, party, status, until, last, for_flow, item_of }));
    all
}

/// That a page wrote is progress when it was Hoopoe that wrote: our id comes back as `metadata`.
fn echo(message: &messenger::Message, item: Item, party: Party, route: &Route) -> Arrival {
    let ours = message.metadata.as_deref().and_then(|data| Uuid::parse_str(data).ok());
    let progress = step(&item, &party, "sent", &message.id, ours, route.wants_statuses);
    let item = Item { kind: "echo".to_owned(), external_id: message.id.clone(), ..item };
    let (kind, body) = message.shown();
    let foreign = message.metadata.is_some() && ours.is_none();
    Arrival::Echo(Echo { item, progress, party, kind, body, foreign, read_by_moment: true }.into())
}
