//! From typed content to Meta's payload, with Meta's limits.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{Button, Content, Invalid, Media, Section, Source};

/// Checks that a text has `min` to `max` characters, and is not blank when it must be there.
pub(crate) fn length(field: &str, text: &str, min: usize, max: usize) -> Result<(), Invalid> {
    if min > 0 && text.trim().is_empty() {
        return Err(Invalid::new(field, format!("is empty; give {min} to {max} characters")));
    }
    let count = text.chars().count();
    if count > max {
        return Err(Invalid::new(
            field,
            format!("has {count} characters, Meta's limit is {max}; shorten it or send several messages"),
        ));
    }
    Ok(())
}

fn optional(field: &str, text: Option<&str>, max: usize) -> Result<(), Invalid> {
    text.map_or(Ok(()), |text| length(field, text, 1, max))
}

pub(super) fn typed(content: &Content) -> Result<Map<String, Value>, Invalid> {
    let (kind, object) = match content {
        Content::Text { body, preview_url } => {
            length("body", body, 1, 4096)?;
            ("text", json!({ "body": body, "preview_url": preview_url }))
        }
        Content::Image(it) => ("image", media("image", it)?),
        Content::Video(it) => ("video", media("video", it)?),
        Content::Audio(it) => ("audio", media("audio", it)?),
        Content::Document(it) => ("document", media("document", it)?),
        Content::Sticker(it) => ("sticker", media("sticker", it)?),
        Content::Location { latitude, longitude, name, address } => {
            degrees("latitude", *latitude, 90.0)?;
            degrees("longitude", *longitude, 180.0)?;
            optional("name", name.as_deref(), 1000)?;
            optional("address", address.as_deref(), 1000)?;
            let mut place = json!({ "latitude": latitude, "longitude": longitude });
            set(&mut place, "name", name.as_deref());
            set(&mut place, "address", address.as_deref());
            ("location", place)
        }
        Content::Reaction { message_id, emoji } => {
            length("message_id", message_id, 1, crate::wire::MAX_ID)?;
            optional("emoji", emoji.as_deref(), 16)?;
            ("reaction", json!({ "message_id": message_id, "emoji": emoji.as_deref().unwrap_or_default() }))
        }
        Content::Buttons { body, header, footer, buttons } => {
            let action = json!({ "buttons": reply_buttons(buttons)? });
            ("interactive", interactive("button", body, header.as_deref(), footer.as_deref(), action)?)
        }
        Content::List { body, header, footer, button, sections } => {
            length("button", button, 1, 20)?;
            let action = json!({ "button": button, "sections": list_sections(sections)? });
            ("interactive", interactive("list", body, header.as_deref(), footer.as_deref(), action)?)
        }
        Content::Template { name, language, components } => ("template", template(name, language, components)?),
        Content::Raw(object) => return super::raw::payload(object),
    };
    Ok(Map::from_iter([("type".to_owned(), json!(kind)), (kind.to_owned(), object)]))
}

fn set(object: &mut Value, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        object[name] = json!(text);
    }
}

fn degrees(field: &str, value: f64, limit: f64) -> Result<(), Invalid> {
    if value.is_finite() && value.abs() <= limit {
        return Ok(());
    }
    Err(Invalid::new(field, format!("is {value}; it must be degrees from -{limit} to {limit}")))
}

fn media(kind: &str, media: &Media) -> Result<Value, Invalid> {
    let mut object = match &media.source {
        Source::Id(id) => {
            length("id", id, 1, crate::wire::MAX_ID)?;
            json!({ "id": id })
        }
        Source::Link(link) => {
            length("link", link, 1, 2048)?;
            if !link.starts_with("https://") || link.len() == "https://".len() || link.contains(char::is_whitespace) {
                return Err(Invalid::new("link", "is no https URL; Meta fetches files from https:// only"));
            }
            json!({ "link": link })
        }
    };
    if media.caption.is_some() && matches!(kind, "audio" | "sticker") {
        return Err(Invalid::new("caption", format!("is not possible with {kind}; send a text of its own")));
    }
    if media.filename.is_some() && kind != "document" {
        return Err(Invalid::new("filename", format!("is not possible with {kind}; only documents have one")));
    }
    optional("caption", media.caption.as_deref(), 1024)?;
    optional("filename", media.filename.as_deref(), 240)?;
    set(&mut object, "caption", media.caption.as_deref());
    set(&mut object, "filename", media.filename.as_deref());
    Ok(object)
}

fn interactive(
    kind: &str,
    body: &str,
    header: Option<&str>,
    footer: Option<&str>,
    action: Value,
) -> Result<Value, Invalid> {
    length("body", body, 1, if kind == "list" { 4096 } else { 1024 })?;
    optional("header", header, 60)?;
    optional("footer", footer, 60)?;
    let mut object = json!({ "type": kind, "body": { "text": body }, "action": action });
    if let Some(header) = header {
        object["header"] = json!({ "type": "text", "text": header });
    }
    if let Some(footer) = footer {
        object["footer"] = json!({ "text": footer });
    }
    Ok(object)
}

fn reply_buttons(buttons: &[Button]) -> Result<Vec<Value>, Invalid> {
    if !(1..=3).contains(&buttons.len()) {
        return Err(Invalid::new("buttons", format!("has {} buttons; give 1 to 3", buttons.len())));
    }
    let mut ids = HashSet::new();
    let mut out = Vec::with_capacity(buttons.len());
    for (place, button) in buttons.iter().enumerate() {
        length(&format!("buttons[{place}].id"), &button.id, 1, 256)?;
        length(&format!("buttons[{place}].title"), &button.title, 1, 20)?;
        if !ids.insert(&button.id) {
            return Err(Invalid::new(format!("buttons[{place}].id"), "is used twice; give each button its own"));
        }
        out.push(json!({ "type": "reply", "reply": { "id": button.id, "title": button.title } }));
    }
    Ok(out)
}

fn list_sections(sections: &[Section]) -> Result<Vec<Value>, Invalid> {
    if !(1..=10).contains(&sections.len()) {
        return Err(Invalid::new("sections", format!("has {} sections; give 1 to 10", sections.len())));
    }
    let rows: usize = sections.iter().map(|section| section.rows.len()).sum();
    if rows > 10 {
        return Err(Invalid::new("sections", format!("has {rows} rows in all; Meta's limit is 10")));
    }
    let mut ids = HashSet::new();
    let mut out = Vec::with_capacity(sections.len());
    for (place, section) in sections.iter().enumerate() {
        let at = format!("sections[{place}]");
        if section.title.is_none() && sections.len() > 1 {
            return Err(Invalid::new(
                format!("{at}.title"),
                "is missing; with more than one section each needs a title",
            ));
        }
        optional(&format!("{at}.title"), section.title.as_deref(), 24)?;
        if section.rows.is_empty() {
            return Err(Invalid::new(format!("{at}.rows"), "is empty; give at least one row"));
        }
        let mut rows = Vec::with_capacity(section.rows.len());
        for (place, row) in section.rows.iter().enumerate() {
            let at = format!("{at}.rows[{place}]");
            length(&format!("{at}.id"), &row.id, 1, 200)?;
            length(&format!("{at}.title"), &row.title, 1, 24)?;
            optional(&format!("{at}.description"), row.description.as_deref(), 72)?;
            if !ids.insert(&row.id) {
                return Err(Invalid::new(format!("{at}.id"), "is used twice; give each row its own"));
            }
            let mut object = json!({ "id": row.id, "title": row.title });
            set(&mut object, "description", row.description.as_deref());
            rows.push(object);
        }
        let mut object = json!({ "rows": rows });
        set(&mut object, "title", section.title.as_deref());
        out.push(object);
    }
    Ok(out)
}

fn template(name: &str, language: &str, components: &Value) -> Result<Value, Invalid> {
    length("name", name, 1, 512)?;
    length("language", language, 1, 20)?;
    let mut object = json!({ "name": name, "language": { "code": language } });
    match components {
        Value::Null => {}
        Value::Array(list) if list.is_empty() => {}
        Value::Array(list) => {
            if let Some(place) = list.iter().position(|component| !component.is_object()) {
                return Err(Invalid::new(format!("components[{place}]"), "is not an object"));
            }
            object["components"] = components.clone();
        }
        _ => return Err(Invalid::new("components", "is not a list; give Meta's components, or [] for none")),
    }
    Ok(object)
}
