//! What a business writes in the WhatsApp Business app comes back as an echo, and becomes a message of the business.

use hoopoe_protocol::envelope::{Item as WireItem, ItemKind, Route as WireRoute};
use hoopoe_protocol::field::{self, Field};
use hoopoe_protocol::messenger;
use hoopoe_store::contacts::Party;
use hoopoe_store::journal::{Arrival, Echo, Item, Progress};
use hoopoe_store::routes::Route;

use crate::arrivals::moment;

/// The echo that an item is. One to a group is none: no message is kept of what is said there by the business. Nor is what
/// it notes down for itself.
pub(crate) fn read(item: &WireItem) -> Option<Box<field::Echo>> {
    let (ItemKind::Other { kind }, WireRoute::PhoneNumber(_)) = (&item.kind, &item.route) else { return None };
    match field::parse(kind, &item.raw) {
        Field::Echo(echo) if echo.message.group_id.is_none() => Some(echo),
        _ => None,
    }
}

/// `item` is what every item of the number has.
pub(crate) fn arrival(echo: field::Echo, item: Item, route: &Route) -> Arrival {
    let (kind, body) = echo.shown();
    let mid = echo.message.id;
    let party = Party {
        tenant_id: route.tenant_id,
        channel_id: route.channel_id,
        wa_id: echo.to.wa_id,
        user_id: echo.to.user_id,
    };
    let occurred_at = moment(echo.message.timestamp);
    let note = occurred_at.is_none().then(|| "timestamp is missing; time of receipt is used".to_owned());
    let item = Item { external_id: mid.clone(), occurred_at: occurred_at.unwrap_or(item.received_at), note, ..item };
    // Should Meta echo a message of ours, it is progress like any other that Meta reports.
    let at = item.occurred_at;
    let person = party.wa_id.as_deref().or(party.user_id.as_deref()).unwrap_or_default();
    let progress = Progress {
        item: Item {
            kind: "status".to_owned(),
            external_id: format!("{mid}/sent/{}", at.timestamp()),
            raw: messenger::status_item(&mid, "sent", at.timestamp_millis(), person, None),
            note: None,
            ..item.clone()
        },
        wa_message_id: mid,
        message_id: None,
        status: "sent".to_owned(),
        error: None,
        for_flow: route.wants_statuses,
    };
    Arrival::Echo(Echo { item, progress, party, kind, body, foreign: true, read_by_moment: false }.into())
}
