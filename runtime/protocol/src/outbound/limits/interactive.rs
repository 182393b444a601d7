//! Interactive messages: what each kind has, and how long. Source: Meta's reference of each interactive message.

use super::{At, inner_file, unique};
use crate::outbound::Invalid;

const KINDS: [&str; 13] = [
    "button",
    "list",
    "cta_url",
    "flow",
    "location_request_message",
    "address_message",
    "product",
    "product_list",
    "catalog_message",
    "call_permission_request",
    "voice_call",
    "order_details",
    "order_status",
];
const TEXT: [&str; 1] = ["text"];
const TEXT_OR_FILE: [&str; 4] = ["text", "image", "video", "document"];
/// Parameters of the actions that have them.
const CTA_URL: [&str; 2] = ["display_text", "url"];
const ADDRESS: [&str; 4] = ["country", "values", "saved_addresses", "validation_errors"];
const CATALOGUE: [&str; 1] = ["thumbnail_product_retailer_id"];
const VOICE_CALL: [&str; 3] = ["display_text", "ttl_minutes", "payload"];
const FLOW: [&str; 8] = [
    "flow_message_version",
    "flow_id",
    "flow_name",
    "flow_cta",
    "flow_token",
    "mode",
    "flow_action",
    "flow_action_payload",
];

pub(super) fn check(at: &At<'_>) -> Result<(), Invalid> {
    at.object()?;
    let kind = at.field("type");
    let word = kind.text(1, 100)?;
    let action = at.field("action");
    action.object()?;
    match word {
        "button" => {
            frame(at, &TEXT_OR_FILE, 1024, true)?;
            action.only(&["buttons"])?;
            buttons(&action.field("buttons"))
        }
        "list" => {
            frame(at, &TEXT, 4096, true)?;
            action.only(&["button", "sections"])?;
            action.field("button").text(1, 20)?;
            rows(&action.field("sections"))
        }
        "cta_url" => {
            frame(at, &TEXT_OR_FILE, 1024, true)?;
            let parameters = parameters(&action, "cta_url", &CTA_URL)?;
            parameters.object()?;
            parameters.field("display_text").text(1, 20)?;
            parameters.field("url").url(&["https://", "http://"]).map(drop)
        }
        "flow" => {
            frame(at, &TEXT_OR_FILE, 1024, true)?;
            flow(&parameters(&action, "flow", &FLOW)?)
        }
        "location_request_message" => {
            frame(at, &[], 1024, false)?;
            action.only(&["name"])?;
            action.field("name").word(&["send_location"]).map(drop)
        }
        "address_message" => {
            frame(at, &TEXT_OR_FILE, 1024, true)?;
            let parameters = parameters(&action, "address_message", &ADDRESS)?;
            parameters.object()?;
            let country = parameters.field("country");
            match country.text(1, 2)? {
                code if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(()),
                _ => Err(country.invalid("is no country; give its two letters, for example IN")),
            }
        }
        "product" => {
            at.field("header").absent("is not possible with a single product; Meta shows the product there")?;
            words(&at.field("body"), 1024, false)?;
            words(&at.field("footer"), 60, false)?;
            action.only(&["catalog_id", "product_retailer_id"])?;
            action.field("catalog_id").text(1, 100)?;
            action.field("product_retailer_id").text(1, 100).map(drop)
        }
        "product_list" => {
            at.field("header").object()?;
            frame(at, &TEXT, 1024, true)?;
            action.only(&["catalog_id", "sections"])?;
            action.field("catalog_id").text(1, 100)?;
            products(&action.field("sections"))
        }
        "catalog_message" => {
            frame(at, &[], 1024, true)?;
            let parameters = parameters(&action, "catalog_message", &CATALOGUE)?;
            parameters.field("thumbnail_product_retailer_id").text_or_none(1, 100).map(drop)
        }
        "call_permission_request" => {
            at.field("header").absent("is not possible with this kind of message; leave it out")?;
            words(&at.field("body"), 1024, false)?;
            at.field("footer").absent("is not possible with this kind of message; leave it out")?;
            action.only(&["name"])?;
            action.field("name").word(&["call_permission_request"]).map(drop)
        }
        "voice_call" => {
            frame(at, &[], 1024, false)?;
            let parameters = parameters(&action, "voice_call", &VOICE_CALL)?;
            parameters.field("display_text").text_or_none(1, 20).map(drop)
        }
        // What is to be paid is Meta's own, and differs from country to country.
        "order_details" | "order_status" => {
            frame(at, &TEXT_OR_FILE, 1024, true)?;
            action.only(&["name", "parameters"])?;
            action.field("name").word(&[if word == "order_details" { "review_and_pay" } else { "review_order" }])?;
            action.field("parameters").object()
        }
        _ => kind.none_of(&KINDS),
    }
}

/// The parameters of an action with this name, which has no other fields than these.
fn parameters<'a>(action: &At<'a>, name: &str, fields: &[&str]) -> Result<At<'a>, Invalid> {
    action.only(&["name", "parameters"])?;
    action.field("name").word(&[name])?;
    let parameters = action.field("parameters");
    if parameters.is_there() {
        parameters.object()?;
    }
    parameters.only(fields)?;
    Ok(parameters)
}

/// Header, body and footer of most kinds.
fn frame(at: &At<'_>, headers: &[&str], body: usize, footer: bool) -> Result<(), Invalid> {
    let header = at.field("header");
    if header.is_there() {
        if headers.is_empty() {
            return Err(header.invalid("is not possible with this kind of message; leave it out"));
        }
        header.object()?;
        let kind = header.field("type").word(headers)?;
        header.only(&["type", kind])?;
        match kind {
            "text" => header.field(kind).text(1, 60).map(drop)?,
            _ => inner_file(kind, &header.field(kind))?,
        }
    }
    words(&at.field("body"), body, true)?;
    if footer {
        words(&at.field("footer"), 60, false)
    } else {
        at.field("footer").absent("is not possible with this kind of message; leave it out")
    }
}

/// An object with `text`.
fn words(at: &At<'_>, max: usize, needed: bool) -> Result<(), Invalid> {
    if !needed && !at.is_there() {
        return Ok(());
    }
    at.object()?;
    at.field("text").text(1, max).map(drop)
}

fn buttons(at: &At<'_>) -> Result<(), Invalid> {
    let (mut ids, mut titles) = (Vec::new(), Vec::new());
    for button in at.list(1, 3, "buttons")? {
        button.field("type").word(&["reply"])?;
        let reply = button.field("reply");
        reply.object()?;
        let (id, title) = (reply.field("id"), reply.field("title"));
        let text = id.text(1, 256)?;
        if text.trim() != text {
            return Err(id.invalid("begins or ends with a space, which Meta refuses"));
        }
        unique(&id, text, &mut ids)?;
        unique(&title, title.text(1, 20)?, &mut titles)?;
    }
    Ok(())
}

/// A title that is needed when there is more than one section.
fn title(section: &At<'_>, sections: usize) -> Result<(), Invalid> {
    section.object()?;
    let title = section.field("title");
    if sections > 1 && !title.is_there() {
        return Err(title.invalid("is missing; with more than one section each needs a title"));
    }
    title.text_or_none(1, 24).map(drop)
}

fn rows(at: &At<'_>) -> Result<(), Invalid> {
    let sections = at.list(1, 10, "sections")?;
    let (mut ids, mut left) = (Vec::new(), 10);
    for section in &sections {
        title(section, sections.len())?;
        for row in within(section, "rows", left)? {
            row.object()?;
            let id = row.field("id");
            unique(&id, id.text(1, 200)?, &mut ids)?;
            row.field("title").text(1, 24)?;
            row.field("description").text_or_none(1, 72)?;
            left -= 1;
        }
    }
    Ok(())
}

fn products(at: &At<'_>) -> Result<(), Invalid> {
    let sections = at.list(1, 10, "sections")?;
    let mut left = 30;
    for section in &sections {
        title(section, sections.len())?;
        for product in within(section, "product_items", left)? {
            product.object()?;
            product.field("product_retailer_id").text(1, 100)?;
            left -= 1;
        }
    }
    Ok(())
}

/// The elements of a section, when its sections together may have `left` more.
fn within<'a>(section: &At<'a>, name: &str, left: usize) -> Result<Vec<At<'a>>, Invalid> {
    section.only(&["title", name])?;
    let (what, most) = if name == "rows" { ("rows", 10) } else { ("products", 30) };
    let list = section.field(name).list(1, most, what)?;
    match list.get(left) {
        Some(over) => Err(over.invalid(&format!("at most {most} {what} in all sections together"))),
        None => Ok(list),
    }
}

/// The parameters that open a form.
fn flow(it: &At<'_>) -> Result<(), Invalid> {
    it.object()?;
    it.field("flow_message_version").word(&["3"])?;
    it.field("flow_cta").text(1, 30)?;
    let (id, name) = (it.field("flow_id"), it.field("flow_name"));
    match (id.text_or_none(1, 100)?, name.text_or_none(1, 200)?) {
        (Some(_), Some(_)) => return Err(name.invalid("is not possible beside flow_id; give one of the two")),
        (None, None) => return Err(id.invalid("is missing; give flow_id or flow_name")),
        _ => {}
    }
    it.field("flow_token").text_or_none(1, 1024)?;
    if it.field("mode").is_there() {
        it.field("mode").word(&["draft", "published"])?;
    }
    let payload = it.field("flow_action_payload");
    let mode = it.field("flow_action");
    let navigates = !mode.is_there() || mode.word(&["navigate", "data_exchange"])? == "navigate";
    if !payload.is_there() {
        return Ok(());
    }
    if !navigates {
        return Err(payload.invalid("is not possible with data_exchange; the endpoint of the flow gives the data"));
    }
    payload.object()?;
    payload.only(&["screen", "data"])?;
    payload.field("screen").text(1, 200)?;
    let data = payload.field("data");
    match data.value.as_object() {
        Some(members) if members.is_empty() => Err(data.invalid("is empty; leave it out")),
        None if data.is_there() => Err(data.invalid("is not an object")),
        _ => Ok(()),
    }
}
