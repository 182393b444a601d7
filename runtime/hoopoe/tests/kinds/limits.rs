//! Each limit: the most that an example of the documentation may have in a field.

use serde_json::{Value, json};

use crate::example;

/// A field of an example, the most that it may have, what it is set to for so much of it, and what the API names within
/// it when there is one more.
pub type Limit = (&'static str, &'static str, usize, fn(usize) -> Value, &'static str);

/// The JSON pointer to a field.
pub fn pointer(field: &str) -> String {
    format!("/{}", field.replace(['.', '['], "/").replace(']', ""))
}

/// Characters of more than one byte: characters are counted.
fn long(length: usize) -> Value {
    json!("ä".repeat(length))
}

fn number(number: usize) -> Value {
    json!(number)
}

fn minus(number: usize) -> Value {
    json!(-(number as f64))
}

fn url(length: usize) -> Value {
    let start = "https://example.com/";
    json!(format!("{start}{}", "x".repeat(length - start.len())))
}

fn cards(count: usize) -> Value {
    Value::Array(vec![example("Contacts")["contacts"][0].clone(); count])
}

fn text_header(length: usize) -> Value {
    json!({"type": "text", "text": long(length)})
}

fn words(length: usize) -> Value {
    json!({"text": long(length)})
}

fn buttons(count: usize) -> Value {
    let button =
        |id: usize| json!({"type": "reply", "reply": {"id": format!("id-{id}"), "title": format!("No. {id}")}});
    (0..count).map(button).collect()
}

fn section(member: &str, items: Value) -> Value {
    json!({"title": "Title", member: items})
}

fn rows(ids: std::ops::Range<usize>) -> Value {
    section("rows", ids.map(|id| json!({"id": format!("row-{id}"), "title": "Row"})).collect())
}

fn rows_of_one(count: usize) -> Value {
    json!([rows(0..count)])
}

fn rows_of_two(count: usize) -> Value {
    json!([rows(0..5), rows(5..count)])
}

fn row_sections(count: usize) -> Value {
    (0..count).map(|id| rows(id..id + 1)).collect()
}

fn products(count: usize) -> Value {
    section("product_items", vec![json!({"product_retailer_id": "x"}); count].into())
}

fn products_of_one(count: usize) -> Value {
    json!([products(count)])
}

fn products_of_two(count: usize) -> Value {
    json!([products(15), products(count - 15)])
}

fn product_sections(count: usize) -> Value {
    vec![products(1); count].into()
}

/// A form by its name, which stands in place of its id.
fn form(length: usize) -> Value {
    json!({"flow_message_version": "3", "flow_cta": "Book", "flow_name": long(length)})
}

fn values(count: usize) -> Value {
    vec![json!({"type": "text", "text": "x"}); count].into()
}

fn text(length: usize) -> Value {
    json!([{"type": "text", "text": long(length)}])
}

fn currency(length: usize) -> Value {
    json!([{"type": "currency", "currency": {"fallback_value": long(length), "code": "USD", "amount_1000": 1000}}])
}

fn date(length: usize) -> Value {
    json!([{"type": "date_time", "date_time": {"fallback_value": long(length)}}])
}

fn carousel(count: usize) -> Value {
    (0..count).map(|index| json!({"card_index": index, "components": []})).collect()
}

pub const LIMITS: &[Limit] = &[
    ("Text", "text", 4096, long, ""),
    ("Text with a preview", "text.body", 4096, long, ""),
    ("Image", "image.link", 2000, url, ""),
    ("Image", "image.caption", 1024, long, ""),
    ("Video", "video.caption", 1024, long, ""),
    ("Document", "document.caption", 1024, long, ""),
    ("Document", "document.filename", 240, long, ""),
    ("Location", "location.latitude", 90, number, ""),
    ("Location", "location.longitude", 180, minus, ""),
    ("Location", "location.name", 1000, long, ""),
    ("Location", "location.address", 1000, long, ""),
    ("Contacts", "contacts", 257, cards, "[257]"),
    ("Contacts", "contacts[0].name.formatted_name", 1000, long, ""),
    ("Contacts", "contacts[0].name.first_name", 1000, long, ""),
    ("Contacts", "contacts[0].phones[0].phone", 1000, long, ""),
    ("Contacts", "contacts[0].phones[0].wa_id", 1000, long, ""),
    ("Contacts", "contacts[0].emails[0].email", 1000, long, ""),
    ("Contacts", "contacts[0].urls[0].url", 1000, long, ""),
    ("Contacts", "contacts[0].addresses[0].street", 1000, long, ""),
    ("Contacts", "contacts[0].org.company", 1000, long, ""),
    ("Reaction", "reaction.emoji", 16, long, ""),
    ("Buttons", "interactive.header", 60, text_header, ".text"),
    ("Buttons", "interactive.body.text", 1024, long, ""),
    ("Buttons", "interactive.footer", 60, words, ".text"),
    ("Buttons", "interactive.action.buttons", 3, buttons, "[3]"),
    ("Buttons", "interactive.action.buttons[1].reply.id", 256, long, ""),
    ("Buttons", "interactive.action.buttons[1].reply.title", 20, long, ""),
    ("List", "interactive.header", 60, text_header, ".text"),
    ("List", "interactive.body.text", 4096, long, ""),
    ("List", "interactive.footer", 60, words, ".text"),
    ("List", "interactive.action.button", 20, long, ""),
    ("List", "interactive.action.sections", 10, row_sections, "[10]"),
    ("List", "interactive.action.sections", 10, rows_of_one, "[0].rows[10]"),
    ("List", "interactive.action.sections", 10, rows_of_two, "[1].rows[5]"),
    ("List", "interactive.action.sections[0].title", 24, long, ""),
    ("List", "interactive.action.sections[1].rows[0].id", 200, long, ""),
    ("List", "interactive.action.sections[1].rows[0].title", 24, long, ""),
    ("List", "interactive.action.sections[1].rows[0].description", 72, long, ""),
    ("CTA URL", "interactive.header", 60, text_header, ".text"),
    ("CTA URL", "interactive.body.text", 1024, long, ""),
    ("CTA URL", "interactive.footer", 60, words, ".text"),
    ("CTA URL", "interactive.action.parameters.display_text", 20, long, ""),
    ("CTA URL", "interactive.action.parameters.url", 2000, url, ""),
    ("Flow", "interactive.header", 60, text_header, ".text"),
    ("Flow", "interactive.body.text", 1024, long, ""),
    ("Flow", "interactive.footer", 60, words, ".text"),
    ("Flow", "interactive.action.parameters.flow_id", 100, long, ""),
    ("Flow", "interactive.action.parameters.flow_cta", 30, long, ""),
    ("Flow", "interactive.action.parameters.flow_token", 1024, long, ""),
    ("Flow", "interactive.action.parameters.flow_action_payload.screen", 200, long, ""),
    ("Flow", "interactive.action.parameters", 200, form, ".flow_name"),
    ("Location request", "interactive.body.text", 1024, long, ""),
    ("Address", "interactive.header", 60, text_header, ".text"),
    ("Address", "interactive.body.text", 1024, long, ""),
    ("Address", "interactive.footer", 60, words, ".text"),
    ("Product", "interactive.body.text", 1024, long, ""),
    ("Product", "interactive.footer", 60, words, ".text"),
    ("Product", "interactive.action.catalog_id", 100, long, ""),
    ("Product", "interactive.action.product_retailer_id", 100, long, ""),
    ("Product list", "interactive.header", 60, text_header, ".text"),
    ("Product list", "interactive.body.text", 1024, long, ""),
    ("Product list", "interactive.footer", 60, words, ".text"),
    ("Product list", "interactive.action.catalog_id", 100, long, ""),
    ("Product list", "interactive.action.sections", 10, product_sections, "[10]"),
    ("Product list", "interactive.action.sections", 30, products_of_one, "[0].product_items[30]"),
    ("Product list", "interactive.action.sections", 30, products_of_two, "[1].product_items[15]"),
    ("Product list", "interactive.action.sections[0].title", 24, long, ""),
    ("Product list", "interactive.action.sections[0].product_items[0].product_retailer_id", 100, long, ""),
    ("Catalogue", "interactive.body.text", 1024, long, ""),
    ("Catalogue", "interactive.footer", 60, words, ".text"),
    ("Catalogue", "interactive.action.parameters.thumbnail_product_retailer_id", 100, long, ""),
    ("Template", "template.name", 512, long, ""),
    ("Template", "template.language.code", 20, long, ""),
    ("Template with positional values", "template.components[0].parameters", 100, values, "[100]"),
    ("Template with positional values", "template.components[0].parameters", 32_768, text, "[0].text"),
    ("Template with named values", "template.components[0].parameters[0].parameter_name", 100, long, ""),
    ("Template with a file in its header", "template.components[0].parameters", 1, values, "[1]"),
    ("Template with a file in its header", "template.components[0].parameters", 60, text, "[0].text"),
    ("Template with a file in its header", "template.components[0].parameters[0].document.filename", 240, long, ""),
    ("Template with a file in its header", "template.components[1].parameters", 1024, text, "[0].text"),
    (
        "Template with a file in its header",
        "template.components[1].parameters",
        1024,
        currency,
        "[0].currency.fallback_value",
    ),
    (
        "Template with a file in its header",
        "template.components[1].parameters",
        1024,
        date,
        "[0].date_time.fallback_value",
    ),
    ("Template with buttons", "template.components[1].index", 9, number, ""),
    ("Template with buttons", "template.components[0].parameters[0].payload", 256, long, ""),
    ("Template with buttons", "template.components[1].parameters[0].text", 2000, long, ""),
    ("Template with buttons", "template.components[2].parameters[0].coupon_code", 15, long, ""),
    ("Template with a button to call", "template.components[0].parameters[1].payload", 512, long, ""),
    ("Call permission", "interactive.body.text", 1024, long, ""),
    ("Voice call", "interactive.action.parameters.display_text", 20, long, ""),
    ("Template with a carousel", "template.components[1].cards", 10, carousel, "[10]"),
];
