//! Templates: the values of their variables and buttons. What the template itself has is known to Meta alone. Source:
//! Meta's reference of template messages.

use serde_json::Value;

use super::{At, inner_file, place, unique};
use crate::outbound::Invalid;

/// Cards of a carousel.
const CARDS: std::ops::RangeInclusive<usize> = 2..=10;
/// Buttons of a template.
const BUTTONS: u64 = 10;
/// A card of a carousel has the first three.
const COMPONENTS: [&str; 5] = ["header", "body", "button", "carousel", "limited_time_offer"];
const SUB_TYPES: [&str; 8] =
    ["quick_reply", "url", "copy_code", "flow", "catalog", "mpm", "order_details", "voice_call"];
/// Values of a header or body.
const VALUES: [&str; 8] = ["text", "currency", "date_time", "image", "video", "document", "location", "product"];
/// Meta shows `fallback_value`; it takes the others and does not look at them.
const DATE_TIME: [&str; 8] =
    ["fallback_value", "day_of_week", "year", "month", "day_of_month", "hour", "minute", "calendar"];

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
                component.only(&["type", "parameters"])?;
                parameters(component, 60, 1)?;
            }
            "body" => {
                unique(&kind, "body", &mut once)?;
                component.only(&["type", "parameters"])?;
                parameters(component, longest, 100)?;
            }
            "button" => button(component, &mut places)?,
            "carousel" if whole => {
                unique(&kind, "carousel", &mut once)?;
                component.only(&["type", "cards"])?;
                for card in component.field("cards").list(*CARDS.start(), *CARDS.end(), "cards")? {
                    card.object()?;
                    card.only(&["card_index", "components"])?;
                    components(&card.field("components"), false)?;
                }
            }
            "limited_time_offer" if whole => {
                unique(&kind, "limited_time_offer", &mut once)?;
                component.only(&["type", "parameters"])?;
                for parameter in component.field("parameters").list(1, 1, "parameters")? {
                    parameter.object()?;
                    parameter.field("type").word(&["limited_time_offer"])?;
                    parameter.only(&["type", "limited_time_offer"])?;
                    let offer = parameter.field("limited_time_offer");
                    offer.object()?;
                    offer.only(&["expiration_time_ms"])?;
                    offer.field("expiration_time_ms").whole("give the moment in milliseconds since 1970")?;
                }
            }
            _ => kind.none_of(if whole { &COMPONENTS[..] } else { &COMPONENTS[..3] })?,
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
    let kind = at.field("type");
    let word = kind.text(1, 100)?;
    if !VALUES.contains(&word) {
        return kind.none_of(&VALUES);
    }
    at.only(&["type", "parameter_name", word])?;
    let content = at.field(word);
    match word {
        "text" => content.text(1, longest).map(drop),
        "image" | "video" | "document" => inner_file(word, &content),
        "location" => place(&content),
        "product" => {
            content.object()?;
            content.only(&["product_retailer_id", "catalog_id"])?;
            content.field("product_retailer_id").text(1, 100)?;
            content.field("catalog_id").text(1, 100).map(drop)
        }
        "currency" => {
            content.object()?;
            content.only(&["fallback_value", "code", "amount_1000"])?;
            content.field("fallback_value").text(1, longest)?;
            content.field("code").text(3, 3)?;
            content.field("amount_1000").whole("give the amount times 1000")
        }
        _ => {
            content.object()?;
            content.only(&DATE_TIME)?;
            content.field("fallback_value").text(1, longest).map(drop)
        }
    }
}

fn button(component: &At<'_>, places: &mut Vec<u64>) -> Result<(), Invalid> {
    component.only(&["type", "sub_type", "index", "parameters"])?;
    let index = component.field("index");
    let place = match index.value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let kind = component.field("sub_type");
    let word = kind.text(1, 100)?.to_lowercase();
    match place {
        None if word == "voice_call" && !index.is_there() => {}
        Some(place) if place < BUTTONS && places.contains(&place) => {
            return Err(index.invalid("is used twice; give each button its own"));
        }
        Some(place) if place < BUTTONS => places.push(place),
        _ => return Err(index.invalid("is no place of a button; give 0 to 9")),
    }
    let (wanted, least) = match word.as_str() {
        "quick_reply" => ("payload", 1),
        "url" => ("text", 1),
        "copy_code" => ("coupon_code", 1),
        "mpm" | "order_details" => ("action", 1),
        "flow" | "catalog" => ("action", 0),
        "voice_call" => return call(component),
        _ => return kind.none_of(&SUB_TYPES),
    };
    for parameter in component.field("parameters").list(least, 1, "parameters")? {
        parameter.object()?;
        parameter.field("type").word(&[wanted])?;
        parameter.only(&["type", "parameter_name", wanted])?;
        parameter.field("parameter_name").text_or_none(1, 100)?;
        let content = parameter.field(wanted);
        match wanted {
            "payload" => content.text(1, 256).map(drop)?,
            "text" => content.text(1, 2000).map(drop)?,
            "coupon_code" => content.text(1, 15).map(drop)?,
            _ => content.object()?,
        }
    }
    Ok(())
}

/// The values of a button by which the contact calls: how long it is shown, and what the call brings back.
fn call(component: &At<'_>) -> Result<(), Invalid> {
    let mut once = Vec::new();
    for parameter in component.field("parameters").list(0, 2, "parameters")? {
        parameter.object()?;
        let kind = parameter.field("type");
        let word = kind.word(&["payload", "ttl_minutes"])?;
        unique(&kind, word, &mut once)?;
        parameter.only(&["type", word])?;
        match word {
            "payload" => parameter.field(word).text(1, 512).map(drop)?,
            _ => parameter.field(word).whole("give minutes")?,
        }
    }
    Ok(())
}
