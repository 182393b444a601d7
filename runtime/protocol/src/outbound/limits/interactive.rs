//! Interactive messages: what each kind has, and how long. Source: Meta's reference of each interactive message.

use super::{At, file, unique};
use crate::outbound::Invalid;

/// Kinds of header that hold a file.
const FILES: [&str; 3] = ["image", "video", "document"];

pub(super) fn check(at: &At<'_>) -> Result<(), Invalid> {
    at.object()?;
    let kind = at.field("type").text(1, 100)?;
    let action = at.field("action");
    action.object()?;
    match kind {
        "button" => {
            frame(at, &["text", "image", "video", "document"], 1024, true)?;
            buttons(&action.field("buttons"))
        }
        "list" => {
            frame(at, &["text"], 4096, true)?;
            action.field("button").text(1, 20)?;
            rows(&action.field("sections"))
        }
        "cta_url" => {
            frame(at, &["text", "image", "video", "document"], 1024, true)?;
            action.field("name").word(&["cta_url"])?;
            let parameters = action.field("parameters");
            parameters.object()?;
            parameters.field("display_text").text(1, 20)?;
            parameters.field("url").url(&["https://", "http://"]).map(drop)
        }
        "flow" => {
            frame(at, &["text", "image", "video", "document"], 1024, true)?;
            flow(&action)
        }
        "location_request_message" => {
            frame(at, &[], 1024, false)?;
            action.field("name").word(&["send_location"]).map(drop)
        }
        "address_message" => {
            frame(at, &["text", "image", "video", "document"], 1024, true)?;
            action.field("name").word(&["address_message"])?;
            let parameters = action.field("parameters");
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
            action.field("catalog_id").text(1, 100)?;
            action.field("product_retailer_id").text(1, 100).map(drop)
        }
        "product_list" => {
            at.field("header").object()?;
            frame(at, &["text"], 1024, true)?;
            action.field("catalog_id").text(1, 100)?;
            products(&action.field("sections"))
        }
        "catalog_message" => {
            frame(at, &[], 1024, true)?;
            action.field("name").word(&["catalog_message"])?;
            let thumbnail = action.field("parameters").field("thumbnail_product_retailer_id");
            thumbnail.text_or_none(1, 100).map(drop)
        }
        // Meta may know it.
        _ => Ok(()),
    }
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
        if FILES.contains(&kind) {
            let content = header.field(kind);
            file(kind, &content)?;
            content.field("caption").absent("is not possible in a header; put the words into the body")?;
        } else {
            header.field("text").text(1, 60)?;
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
    let (what, most) = if name == "rows" { ("rows", 10) } else { ("products", 30) };
    let list = section.field(name).list(1, most, what)?;
    match list.get(left) {
        Some(over) => Err(over.invalid(&format!("at most {most} {what} in all sections together"))),
        None => Ok(list),
    }
}

fn flow(action: &At<'_>) -> Result<(), Invalid> {
    action.field("name").word(&["flow"])?;
    let it = action.field("parameters");
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
    payload.field("screen").text(1, 200)?;
    let data = payload.field("data");
    match data.value.as_object() {
        Some(members) if members.is_empty() => Err(data.invalid("is empty; leave it out")),
        None if data.is_there() => Err(data.invalid("is not an object")),
        _ => Ok(()),
    }
}
