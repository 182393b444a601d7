//! Templates: the values of their variables and buttons. What the template itself has is known to Meta alone. Source:
//! Meta's reference of template messages.

use serde_json::Value;

use super::{At, file, place, unique};
use crate::outbound::Invalid;

/// Cards of a carousel.
const CARDS: std::ops::RangeInclusive<usize> = 2..=10;
/// Buttons of a template.
const BUTTONS: u64 = 10;

pub(super) fn check(at: &At<'_>) -> Result<(), Invalid> {
    at.object()?;
    at.field("name").text(1, 512)?;
    let language = at.field("language");
    language.object()?;
    language.field("code").text(1, 20)?;
    if language.field("policy").is_there() {
        language.field("policy").word(&["deterministic"])?;
    }
    components(&at.field("components"), true)
}

fn components(at: &At<'_>, whole: bool) -> Result<(), Invalid> {
    let list = at.list(0, 20, "components")?;
    // A body that stands alone may be long.
    let longest = if list.len() == 1 && whole { 32_768 } else { 1024 };
    let (mut once, mut places) = (Vec::new(), Vec::new());
    for component in &list {
        component.object()?;
        let kind = component.field("type");
        match kind.text(1, 100)?.to_lowercase().as_str() {
            "header" => {
                unique(&kind, "header", &mut once)?;
                parameters(component, 60, 1)?;
            }
            "body" => {
                unique(&kind, "body", &mut once)?;
                parameters(component, longest, 100)?;
            }
            "button" => button(component, &mut places)?,
            "carousel" if whole => {
                unique(&kind, "carousel", &mut once)?;
                for card in component.field("cards").list(*CARDS.start(), *CARDS.end(), "cards")? {
                    card.object()?;
                    components(&card.field("components"), false)?;
                }
            }
            // Meta may know it.
            _ => {}
        }
    }
    Ok(())
}

/// The values of a header or body: all by name or all by place.
fn parameters(component: &At<'_>, longest: usize, most: usize) -> Result<(), Invalid> {
    let list = component.field("parameters").list(0, most, "parameters")?;
    let mut names = Vec::new();
    for (place, parameter) in list.iter().enumerate() {
        parameter.object()?;
        value(parameter, longest)?;
        let name = parameter.field("parameter_name");
        match name.text_or_none(1, 100)? {
            Some(text) => unique(&name, text, &mut names)?,
            None if !names.is_empty() => return Err(name.invalid("is missing; the values before it have names")),
            None => {}
        }
        if place > 0 && names.len() == 1 {
            return Err(name.invalid("is given; the values before it have none"));
        }
    }
    Ok(())
}

fn value(at: &At<'_>, longest: usize) -> Result<(), Invalid> {
    let kind = at.field("type").text(1, 100)?;
    let content = at.field(kind);
    match kind {
        "text" => content.text(1, longest).map(drop),
        "image" | "video" | "document" => file(kind, &content),
        "location" => place(&content),
        "currency" => {
            content.object()?;
            content.field("fallback_value").text(1, longest)?;
            content.field("code").text(3, 3)?;
            match content.field("amount_1000") {
                amount if amount.value.is_i64() => Ok(()),
                amount => Err(amount.invalid("is no whole number; give the amount times 1000")),
            }
        }
        "date_time" => {
            content.object()?;
            content.field("fallback_value").text(1, longest).map(drop)
        }
        // Meta may know it.
        _ => Ok(()),
    }
}

fn button(component: &At<'_>, places: &mut Vec<u64>) -> Result<(), Invalid> {
    let index = component.field("index");
    let place = match index.value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    match place {
        Some(place) if place < BUTTONS && places.contains(&place) => {
            return Err(index.invalid("is used twice; give each button its own"));
        }
        Some(place) if place < BUTTONS => places.push(place),
        _ => return Err(index.invalid("is no place of a button; give 0 to 9")),
    }
    let kind = component.field("sub_type").text(1, 100)?.to_lowercase();
    let (wanted, most) = match kind.as_str() {
        "quick_reply" => ("payload", 256),
        "url" => ("text", 2000),
        "copy_code" => ("coupon_code", 15),
        _ => return Ok(()),
    };
    for parameter in component.field("parameters").list(1, 1, "parameters")? {
        parameter.object()?;
        parameter.field("type").word(&[wanted])?;
        parameter.field(wanted).text(1, most)?;
    }
    Ok(())
}
