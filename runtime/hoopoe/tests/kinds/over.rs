//! What is over a limit: an example of the documentation with one change.

use serde_json::{Value, json};

use crate::example;

/// A change of an example: what it is set to, and the field that the API names.
pub type Case = (&'static str, &'static str, Value, &'static str);

pub fn the_limits() -> Vec<Case> {
    let long = |length: usize| json!("x".repeat(length));
    let many = |count: usize, one: Value| Value::Array(vec![one; count]);
    let button = |id: &str| json!({"type": "reply", "reply": {"id": id, "title": id}});
    let row = |id: usize| json!({"id": format!("row-{id}"), "title": "Row"});
    let rows = |from: usize, count: usize| Value::Array((from..from + count).map(row).collect());
    let product = json!({"product_retailer_id": "x"});
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    vec![
        ("Text", "/text", long(4097), "text"),
        ("Text with a preview", "/text/body", long(4097), "text.body"),
        ("Image", "/image/caption", long(1025), "image.caption"),
        ("Image", "/image/link", json!("ftp://example.com/a"), "image.link"),
        ("Image", "/image/link", json!("https://exam ple.com"), "image.link"),
        ("Image", "/image/id", json!("1"), "image.link"),
        ("Image", "/image", json!({"caption": "no file"}), "image"),
        ("Image", "/image/filename", json!("a.jpg"), "image.filename"),
        ("Video", "/video/caption", long(1025), "video.caption"),
        ("Audio", "/audio/caption", json!("la la"), "audio.caption"),
        ("Document", "/document/filename", long(241), "document.filename"),
        ("Sticker", "/sticker/caption", json!("la la"), "sticker.caption"),
        ("Location", "/location/latitude", json!(90.1), "location.latitude"),
        ("Location", "/location/longitude", json!(-180.5), "location.longitude"),
        ("Location", "/location/name", long(1001), "location.name"),
        ("Contacts", "/contacts", json!([]), "contacts"),
        ("Contacts", "/contacts", many(258, example("Contacts")["contacts"][0].clone()), "contacts[257]"),
        ("Contacts", "/contacts/0/name", json!({"formatted_name": "Ada"}), "contacts[0].name"),
        ("Contacts", "/contacts/0/birthday", json!("10.12.1999"), "contacts[0].birthday"),
        ("Reaction", "/reaction/emoji", long(17), "reaction.emoji"),
        ("Reaction", "/reaction/message_id", json!(""), "reaction.message_id"),
        ("Buttons", "/interactive/body/text", long(1025), "interactive.body.text"),
        ("Buttons", "/interactive/body", Value::Null, "interactive.body"),
        ("Buttons", "/interactive/footer/text", long(61), "interactive.footer.text"),
        ("Buttons", "/interactive/header", json!({"type": "text", "text": "x".repeat(61)}), "interactive.header.text"),
        ("Buttons", "/interactive/header", json!({"type": "location"}), "interactive.header.type"),
        ("Buttons", "/interactive/header/image/caption", json!("x"), "interactive.header.image.caption"),
        ("Buttons", "/interactive/header/image", json!({}), "interactive.header.image"),
        ("Buttons", "/interactive/action/buttons", json!([]), "interactive.action.buttons"),
        (
            "Buttons",
            "/interactive/action/buttons",
            json!([button("1"), button("2"), button("3"), button("4")]),
            "interactive.action.buttons[3]",
        ),
        ("Buttons", "/interactive/action/buttons/1/reply/title", long(21), "interactive.action.buttons[1].reply.title"),
        ("Buttons", "/interactive/action/buttons/1/reply/id", long(257), "interactive.action.buttons[1].reply.id"),
        ("Buttons", "/interactive/action/buttons/1/reply/id", json!("yes"), "interactive.action.buttons[1].reply.id"),
        ("Buttons", "/interactive/action/buttons/1/reply/id", json!(" no"), "interactive.action.buttons[1].reply.id"),
        (
            "Buttons",
            "/interactive/action/buttons/1/reply/title",
            json!("Yes"),
            "interactive.action.buttons[1].reply.title",
        ),
        ("List", "/interactive/body/text", long(4097), "interactive.body.text"),
        ("List", "/interactive/action/button", long(21), "interactive.action.button"),
        ("List", "/interactive/header", json!({"type": "image", "image": {"id": "1"}}), "interactive.header.type"),
        ("List", "/interactive/action/sections", json!([]), "interactive.action.sections"),
        (
            "List",
            "/interactive/action/sections",
            many(11, json!({"title": "A", "rows": rows(0, 1)})),
            "interactive.action.sections[10]",
        ),
        ("List", "/interactive/action/sections/0/rows", rows(0, 10), "interactive.action.sections[1].rows[0]"),
        ("List", "/interactive/action/sections/0/rows", rows(0, 11), "interactive.action.sections[0].rows[10]"),
        ("List", "/interactive/action/sections/0/rows", json!([]), "interactive.action.sections[0].rows"),
        ("List", "/interactive/action/sections/0/title", Value::Null, "interactive.action.sections[0].title"),
        ("List", "/interactive/action/sections/0/title", long(25), "interactive.action.sections[0].title"),
        (
            "List",
            "/interactive/action/sections/1/rows/0/id",
            json!("express"),
            "interactive.action.sections[1].rows[0].id",
        ),
        (
            "List",
            "/interactive/action/sections/1/rows/0/title",
            long(25),
            "interactive.action.sections[1].rows[0].title",
        ),
        (
            "List",
            "/interactive/action/sections/1/rows/0/description",
            long(73),
            "interactive.action.sections[1].rows[0].description",
        ),
        (
            "CTA URL",
            "/interactive/action/parameters/display_text",
            long(21),
            "interactive.action.parameters.display_text",
        ),
        ("CTA URL", "/interactive/action/parameters/url", json!("example.com"), "interactive.action.parameters.url"),
        ("CTA URL", "/interactive/action/name", json!("url"), "interactive.action.name"),
        ("Flow", "/interactive/action/parameters/flow_cta", long(31), "interactive.action.parameters.flow_cta"),
        (
            "Flow",
            "/interactive/action/parameters/flow_message_version",
            json!("2"),
            "interactive.action.parameters.flow_message_version",
        ),
        ("Flow", "/interactive/action/parameters/flow_name", json!("x"), "interactive.action.parameters.flow_name"),
        ("Flow", "/interactive/action/parameters/flow_id", Value::Null, "interactive.action.parameters.flow_id"),
        ("Flow", "/interactive/action/parameters/mode", json!("test"), "interactive.action.parameters.mode"),
        (
            "Flow",
            "/interactive/action/parameters/flow_action",
            json!("data_exchange"),
            "interactive.action.parameters.flow_action_payload",
        ),
        (
            "Flow",
            "/interactive/action/parameters/flow_action_payload/data",
            json!({}),
            "interactive.action.parameters.flow_action_payload.data",
        ),
        ("Location request", "/interactive/header", json!({"type": "text", "text": "x"}), "interactive.header"),
        ("Location request", "/interactive/footer", json!({"text": "x"}), "interactive.footer"),
        ("Address", "/interactive/action/parameters/country", json!("ind"), "interactive.action.parameters.country"),
        ("Product", "/interactive/header", json!({"type": "text", "text": "x"}), "interactive.header"),
        ("Product", "/interactive/action/catalog_id", Value::Null, "interactive.action.catalog_id"),
        ("Product list", "/interactive/header", Value::Null, "interactive.header"),
        (
            "Product list",
            "/interactive/action/sections/0/product_items",
            many(30, product),
            "interactive.action.sections[1].product_items[0]",
        ),
        ("Catalogue", "/interactive/header", json!({"type": "text", "text": "x"}), "interactive.header"),
        ("Template", "/template/name", long(513), "template.name"),
        ("Template", "/template/language/code", long(21), "template.language.code"),
        (
            "Template with positional values",
            "/template/components/0/parameters/0/parameter_name",
            json!("first"),
            "template.components[0].parameters[1].parameter_name",
        ),
        (
            "Template with positional values",
            "/template/components/0/parameters/1/currency/amount_1000",
            json!(1.5),
            "template.components[0].parameters[1].currency.amount_1000",
        ),
        (
            "Template with named values",
            "/template/components/0/parameters/1/parameter_name",
            json!("first_name"),
            "template.components[0].parameters[1].parameter_name",
        ),
        (
            "Template with a file in its header",
            "/template/components/0/parameters",
            text(&"x".repeat(61)),
            "template.components[0].parameters[0].text",
        ),
        (
            "Template with a file in its header",
            "/template/components/1/parameters",
            text(&"x".repeat(1025)),
            "template.components[1].parameters[0].text",
        ),
        (
            "Template with a file in its header",
            "/template/components/1/type",
            json!("header"),
            "template.components[1].type",
        ),
        (
            "Template with a file in its header",
            "/template/components/0/parameters/0/document",
            json!({}),
            "template.components[0].parameters[0].document",
        ),
        ("Template with buttons", "/template/components/1/index", json!(0), "template.components[1].index"),
        ("Template with buttons", "/template/components/1/index", json!(10), "template.components[1].index"),
        (
            "Template with buttons",
            "/template/components/0/parameters/0/payload",
            long(257),
            "template.components[0].parameters[0].payload",
        ),
        (
            "Template with buttons",
            "/template/components/2/parameters/0/coupon_code",
            long(16),
            "template.components[2].parameters[0].coupon_code",
        ),
        (
            "Template with a carousel",
            "/template/components/1/cards",
            json!([{"card_index": 0, "components": []}]),
            "template.components[1].cards",
        ),
        ("Reply", "/reply_to", json!(""), "reply_to"),
    ]
}
