//! Meta's documented fields of each message type, as a table: what a request may hold, what it must, and how long.
//!
//! A path names a field: `[]` stands for each element of a list, `{type=text}` for those objects only whose `type` says
//! so. A field that no line of the type names is refused, as Meta does. Source: Meta's reference of the messages
//! endpoint and of each message type, read in 2026.

use Need::{May, Must};
use Rule::{Any, Bool, Country, Date, Degrees, Fields, Id, Index, List, Text, Url, Word};

/// Whether a field must be there, once the object around it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Need {
    Must,
    May,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Characters: least and most.
    Text(usize, usize),
    /// A text that names something in the request: no space at its ends.
    Id(usize),
    Word(&'static [&'static str]),
    Url,
    Bool,
    Degrees,
    Whole,
    /// `YYYY-MM-DD`.
    Date,
    /// Two capital letters.
    Country,
    /// 0 to 9, as number or text.
    Index,
    /// Elements: least and most.
    List(usize, usize),
    /// An object with the fields of other lines.
    Fields,
    /// Whatever it is, Meta looks into it later.
    Any,
}

/// A type, or a type and the `type` within it; a path; whether it must be there; what it holds.
pub(super) type Line = (&'static str, &'static str, Need, Rule);

/// Names longer than this are nowhere in use.
pub(super) const NAME: Rule = Text(1, 1000);

pub(super) const TYPES: [&str; 11] = [
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "interactive",
    "template",
];

/// Interactive types with a header that may be a file, a body and a footer.
pub(super) const HEADED_TYPES: [&str; 6] =
    ["button", "cta_url", "flow", "address_message", "order_details", "order_status"];
/// The lines that these share.
pub(super) const HEADED: &str = "interactive, headed";

pub(super) const TABLE: &[Line] = &[
    ("", "messaging_product", Must, Word(&["whatsapp"])),
    ("", "recipient_type", May, Word(&["individual", "group"])),
    ("", "to", May, Text(1, 40)),
    ("", "recipient", May, Text(1, 200)),
    ("", "type", May, Word(&TYPES)),
    ("", "biz_opaque_callback_data", May, Text(0, 512)),
    ("", "context", May, Fields),
    ("", "context.message_id", Must, Text(1, 1024)),
    // Text.
    ("text", "text", Must, Fields),
    ("text", "text.body", Must, Text(1, 4096)),
    ("text", "text.preview_url", May, Bool),
    // Files.
    ("image", "image", Must, Fields),
    ("image", "image.id", May, Text(1, 1024)),
    ("image", "image.link", May, Url),
    ("image", "image.caption", May, Text(1, 1024)),
    ("video", "video", Must, Fields),
    ("video", "video.id", May, Text(1, 1024)),
    ("video", "video.link", May, Url),
    ("video", "video.caption", May, Text(1, 1024)),
    ("audio", "audio", Must, Fields),
    ("audio", "audio.id", May, Text(1, 1024)),
    ("audio", "audio.link", May, Url),
    ("audio", "audio.voice", May, Bool),
    ("document", "document", Must, Fields),
    ("document", "document.id", May, Text(1, 1024)),
    ("document", "document.link", May, Url),
    ("document", "document.caption", May, Text(1, 1024)),
    ("document", "document.filename", May, Text(1, 240)),
    ("sticker", "sticker", Must, Fields),
    ("sticker", "sticker.id", May, Text(1, 1024)),
    ("sticker", "sticker.link", May, Url),
    // Places.
    ("location", "location", Must, Fields),
    ("location", "location.latitude", Must, Degrees),
    ("location", "location.longitude", Must, Degrees),
    ("location", "location.name", May, NAME),
    ("location", "location.address", May, NAME),
    // Contacts.
    ("contacts", "contacts", Must, List(1, 257)),
    ("contacts", "contacts[].name", Must, Fields),
    ("contacts", "contacts[].name.formatted_name", Must, NAME),
    ("contacts", "contacts[].name.first_name", May, NAME),
    ("contacts", "contacts[].name.last_name", May, NAME),
    ("contacts", "contacts[].name.middle_name", May, NAME),
    ("contacts", "contacts[].name.suffix", May, NAME),
    ("contacts", "contacts[].name.prefix", May, NAME),
    ("contacts", "contacts[].phones", May, List(0, 1000)),
    ("contacts", "contacts[].phones[].phone", Must, NAME),
    ("contacts", "contacts[].phones[].type", May, NAME),
    ("contacts", "contacts[].phones[].wa_id", May, NAME),
    ("contacts", "contacts[].emails", May, List(0, 1000)),
    ("contacts", "contacts[].emails[].email", Must, NAME),
    ("contacts", "contacts[].emails[].type", May, NAME),
    ("contacts", "contacts[].urls", May, List(0, 1000)),
    ("contacts", "contacts[].urls[].url", Must, NAME),
    ("contacts", "contacts[].urls[].type", May, NAME),
    ("contacts", "contacts[].addresses", May, List(0, 1000)),
    ("contacts", "contacts[].addresses[].street", May, NAME),
    ("contacts", "contacts[].addresses[].city", May, NAME),
    ("contacts", "contacts[].addresses[].state", May, NAME),
    ("contacts", "contacts[].addresses[].zip", May, NAME),
    ("contacts", "contacts[].addresses[].country", May, NAME),
    ("contacts", "contacts[].addresses[].country_code", May, NAME),
    ("contacts", "contacts[].addresses[].type", May, NAME),
    ("contacts", "contacts[].org", May, Fields),
    ("contacts", "contacts[].org.company", May, NAME),
    ("contacts", "contacts[].org.department", May, NAME),
    ("contacts", "contacts[].org.title", May, NAME),
    ("contacts", "contacts[].birthday", May, Date),
    // Reactions.
    ("reaction", "reaction", Must, Fields),
    ("reaction", "reaction.message_id", Must, Text(1, 1024)),
    ("reaction", "reaction.emoji", May, Text(0, 16)),
    // What all interactive messages have.
    ("interactive", "interactive", Must, Fields),
    ("interactive", "interactive.type", Must, Text(1, 100)),
    ("interactive", "interactive.action", Must, Fields),
    // What reply buttons, websites, forms and requests for an address have.
    (HEADED, "interactive.header", May, Fields),
    (HEADED, "interactive.header.type", Must, Word(&["text", "image", "video", "document"])),
    (HEADED, "interactive.header{type=text}.text", Must, Text(1, 60)),
    (HEADED, "interactive.header{type=image}.image", Must, Any),
    (HEADED, "interactive.header{type=video}.video", Must, Any),
    (HEADED, "interactive.header{type=document}.document", Must, Any),
    (HEADED, "interactive.body", Must, Fields),
    (HEADED, "interactive.body.text", Must, Text(1, 1024)),
    (HEADED, "interactive.footer", May, Fields),
    (HEADED, "interactive.footer.text", Must, Text(1, 60)),
    // Reply buttons.
    ("interactive/button", "interactive.action.buttons", Must, List(1, 3)),
    ("interactive/button", "interactive.action.buttons[].type", Must, Word(&["reply"])),
    ("interactive/button", "interactive.action.buttons[].reply", Must, Fields),
    ("interactive/button", "interactive.action.buttons[].reply.id", Must, Id(256)),
    ("interactive/button", "interactive.action.buttons[].reply.title", Must, Text(1, 20)),
    // Lists.
    ("interactive/list", "interactive.header", May, Fields),
    ("interactive/list", "interactive.header.type", Must, Word(&["text"])),
    ("interactive/list", "interactive.header.text", Must, Text(1, 60)),
    ("interactive/list", "interactive.body", Must, Fields),
    ("interactive/list", "interactive.body.text", Must, Text(1, 4096)),
    ("interactive/list", "interactive.footer", May, Fields),
    ("interactive/list", "interactive.footer.text", Must, Text(1, 60)),
    ("interactive/list", "interactive.action.button", Must, Text(1, 20)),
    ("interactive/list", "interactive.action.sections", Must, List(1, 10)),
    ("interactive/list", "interactive.action.sections[].title", May, Text(1, 24)),
    ("interactive/list", "interactive.action.sections[].rows", Must, List(1, 10)),
    ("interactive/list", "interactive.action.sections[].rows[].id", Must, Text(1, 200)),
    ("interactive/list", "interactive.action.sections[].rows[].title", Must, Text(1, 24)),
    ("interactive/list", "interactive.action.sections[].rows[].description", May, Text(1, 72)),
    // A button that opens a website.
    ("interactive/cta_url", "interactive.action.name", Must, Word(&["cta_url"])),
    ("interactive/cta_url", "interactive.action.parameters", Must, Fields),
    ("interactive/cta_url", "interactive.action.parameters.display_text", Must, Text(1, 20)),
    ("interactive/cta_url", "interactive.action.parameters.url", Must, Url),
    // Forms.
    ("interactive/flow", "interactive.action.name", Must, Word(&["flow"])),
    ("interactive/flow", "interactive.action.parameters", Must, Fields),
    ("interactive/flow", "interactive.action.parameters.flow_message_version", Must, Word(&["3"])),
    ("interactive/flow", "interactive.action.parameters.flow_id", May, Text(1, 100)),
    ("interactive/flow", "interactive.action.parameters.flow_name", May, Text(1, 200)),
    ("interactive/flow", "interactive.action.parameters.flow_cta", Must, Text(1, 30)),
    ("interactive/flow", "interactive.action.parameters.flow_token", May, Text(1, 1024)),
    ("interactive/flow", "interactive.action.parameters.mode", May, Word(&["draft", "published"])),
    ("interactive/flow", "interactive.action.parameters.flow_action", May, Word(&["navigate", "data_exchange"])),
    ("interactive/flow", "interactive.action.parameters.flow_action_payload", May, Fields),
    ("interactive/flow", "interactive.action.parameters.flow_action_payload.screen", Must, Text(1, 200)),
    ("interactive/flow", "interactive.action.parameters.flow_action_payload.data", May, Any),
    // A request for the location.
    ("interactive/location_request_message", "interactive.body", Must, Fields),
    ("interactive/location_request_message", "interactive.body.text", Must, Text(1, 1024)),
    ("interactive/location_request_message", "interactive.action.name", Must, Word(&["send_location"])),
    // A request for an address.
    ("interactive/address_message", "interactive.action.name", Must, Word(&["address_message"])),
    ("interactive/address_message", "interactive.action.parameters", Must, Fields),
    ("interactive/address_message", "interactive.action.parameters.country", Must, Country),
    ("interactive/address_message", "interactive.action.parameters.values", May, Any),
    ("interactive/address_message", "interactive.action.parameters.saved_addresses", May, Any),
    ("interactive/address_message", "interactive.action.parameters.validation_errors", May, Any),
    // Products.
    ("interactive/product", "interactive.body", May, Fields),
    ("interactive/product", "interactive.body.text", Must, Text(1, 1024)),
    ("interactive/product", "interactive.footer", May, Fields),
    ("interactive/product", "interactive.footer.text", Must, Text(1, 60)),
    ("interactive/product", "interactive.action.catalog_id", Must, Text(1, 100)),
    ("interactive/product", "interactive.action.product_retailer_id", Must, Text(1, 100)),
    ("interactive/product_list", "interactive.header", Must, Fields),
    ("interactive/product_list", "interactive.header.type", Must, Word(&["text"])),
    ("interactive/product_list", "interactive.header.text", Must, Text(1, 60)),
    ("interactive/product_list", "interactive.body", Must, Fields),
    ("interactive/product_list", "interactive.body.text", Must, Text(1, 1024)),
    ("interactive/product_list", "interactive.footer", May, Fields),
    ("interactive/product_list", "interactive.footer.text", Must, Text(1, 60)),
    ("interactive/product_list", "interactive.action.catalog_id", Must, Text(1, 100)),
    ("interactive/product_list", "interactive.action.sections", Must, List(1, 10)),
    ("interactive/product_list", "interactive.action.sections[].title", May, Text(1, 24)),
    ("interactive/product_list", "interactive.action.sections[].product_items", Must, List(1, 30)),
    (
        "interactive/product_list",
        "interactive.action.sections[].product_items[].product_retailer_id",
        Must,
        Text(1, 100),
    ),
    ("interactive/catalog_message", "interactive.body", Must, Fields),
    ("interactive/catalog_message", "interactive.body.text", Must, Text(1, 1024)),
    ("interactive/catalog_message", "interactive.footer", May, Fields),
    ("interactive/catalog_message", "interactive.footer.text", Must, Text(1, 60)),
    ("interactive/catalog_message", "interactive.action.name", Must, Word(&["catalog_message"])),
    ("interactive/catalog_message", "interactive.action.parameters", May, Fields),
    ("interactive/catalog_message", "interactive.action.parameters.thumbnail_product_retailer_id", May, Text(1, 100)),
    // Calls.
    ("interactive/call_permission_request", "interactive.body", May, Fields),
    ("interactive/call_permission_request", "interactive.body.text", Must, Text(1, 1024)),
    ("interactive/call_permission_request", "interactive.action.name", Must, Word(&["call_permission_request"])),
    ("interactive/voice_call", "interactive.body", Must, Fields),
    ("interactive/voice_call", "interactive.body.text", Must, Text(1, 1024)),
    ("interactive/voice_call", "interactive.action.name", Must, Word(&["voice_call"])),
    ("interactive/voice_call", "interactive.action.parameters", May, Fields),
    ("interactive/voice_call", "interactive.action.parameters.display_text", May, Text(1, 20)),
    ("interactive/voice_call", "interactive.action.parameters.ttl_minutes", May, Any),
    ("interactive/voice_call", "interactive.action.parameters.payload", May, Any),
    // Orders. What is to be paid differs from country to country.
    ("interactive/order_details", "interactive.action.name", Must, Word(&["review_and_pay"])),
    ("interactive/order_details", "interactive.action.parameters", Must, Any),
    ("interactive/order_status", "interactive.action.name", Must, Word(&["review_order"])),
    ("interactive/order_status", "interactive.action.parameters", Must, Any),
    // Templates. Parameters are looked at one by one.
    ("template", "template", Must, Fields),
    ("template", "template.name", Must, Text(1, 512)),
    ("template", "template.language", Must, Fields),
    ("template", "template.language.code", Must, Text(1, 20)),
    ("template", "template.language.policy", May, Word(&["deterministic"])),
    ("template", "template.components", May, List(0, 20)),
    ("template", "template.components[].type", Must, Text(1, 100)),
    ("template", "template.components[]{type=header}.parameters", May, List(0, 1)),
    ("template", "template.components[]{type=body}.parameters", May, List(0, 100)),
    ("template", "template.components[]{type=button}.sub_type", Must, Text(1, 100)),
    ("template", "template.components[]{type=button}.index", May, Index),
    ("template", "template.components[]{type=button}.parameters", May, List(0, 2)),
    ("template", "template.components[]{type=limited_time_offer}.parameters", Must, List(1, 1)),
    ("template", "template.components[]{type=carousel}.cards", Must, List(2, 10)),
    ("template", "template.components[].parameters", May, Any),
    ("template", "template.components[].cards", May, Any),
];
