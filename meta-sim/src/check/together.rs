//! What fields must be together, and what must not: a table of single fields cannot say it.

use std::collections::HashSet;

use serde_json::Value;

use super::{Refusal, lines, parameters, table};

pub(super) fn check(kind: &str, content: &Value) -> Result<(), Refusal> {
    match kind {
        "image" | "video" | "audio" | "document" | "sticker" => source(kind, content),
        "contacts" => list(content).iter().try_for_each(name),
        "interactive" => interactive(content),
        "template" => components(&content["components"], "template.components"),
        _ => Ok(()),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn wrong(field: &str, what: &str) -> Refusal {
    Refusal::value(field, format!("{field} {what}"))
}

fn source(field: &str, file: &Value) -> Result<(), Refusal> {
    if file["id"].is_string() == file["link"].is_string() {
        return Err(Refusal::invalid(format!("{field} must have either id or link")));
    }
    Ok(())
}

/// A file within another message: as if it were one of its own, but without words.
fn inner_file(field: &str, kind: &str, file: &Value) -> Result<(), Refusal> {
    let alone = serde_json::json!({ "messaging_product": "whatsapp", "type": kind, kind: file });
    lines::check(table::TABLE, &["", kind], &alone).map_err(|refusal| wrong(field, &refusal.details))?;
    if !file["caption"].is_null() {
        return Err(wrong(field, "must not have a caption"));
    }
    source(field, file)
}

fn name(card: &Value) -> Result<(), Refusal> {
    let names = card["name"].as_object().map_or(0, |name| name.values().filter(|part| part.is_string()).count());
    if names < 2 { Err(Refusal::missing("contacts.name: one name beside formatted_name")) } else { Ok(()) }
}

fn unique<'a>(field: &str, words: impl Iterator<Item = &'a Value>) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for word in words {
        if !seen.insert(word.to_string()) {
            return Err(wrong(field, &format!("must be unique: {word}")));
        }
    }
    Ok(())
}

fn interactive(it: &Value) -> Result<(), Refusal> {
    if let Some(kind @ ("image" | "video" | "document")) = it["header"]["type"].as_str() {
        inner_file("interactive.header", kind, &it["header"][kind])?;
    }
    let action = &it["action"];
    match it["type"].as_str().unwrap_or_default() {
        "button" => {
            unique(
                "interactive.action.buttons.reply.id",
                list(&action["buttons"]).iter().map(|it| &it["reply"]["id"]),
            )?;
            let titles = list(&action["buttons"]).iter().map(|it| &it["reply"]["title"]);
            unique("interactive.action.buttons.reply.title", titles)
        }
        "list" => {
            let rows = sections(action, "rows", 10)?;
            unique("interactive.action.sections.rows.id", rows.iter().map(|row| &row["id"]))
        }
        "product_list" => sections(action, "product_items", 30).map(drop),
        "flow" => flow(&action["parameters"]),
        "cta_url" | "location_request_message" | "address_message" | "product" | "catalog_message" => Ok(()),
        "call_permission_request" | "voice_call" | "order_details" | "order_status" => Ok(()),
        other => Err(Refusal::invalid(format!("Param interactive.type is not known: {other}"))),
    }
}

fn sections<'a>(action: &'a Value, name: &str, most: usize) -> Result<Vec<&'a Value>, Refusal> {
    let sections = list(&action["sections"]);
    if sections.len() > 1 && sections.iter().any(|section| !section["title"].is_string()) {
        return Err(Refusal::missing("interactive.action.sections.title"));
    }
    let all: Vec<_> = sections.iter().flat_map(|section| list(&section[name])).collect();
    if all.len() > most {
        return Err(wrong("interactive.action.sections", &format!("have {} {name}, at most {most}", all.len())));
    }
    Ok(all)
}

fn flow(it: &Value) -> Result<(), Refusal> {
    if it["flow_id"].is_string() == it["flow_name"].is_string() {
        return Err(Refusal::invalid("A flow must have either flow_id or flow_name".to_owned()));
    }
    let payload = &it["flow_action_payload"];
    if it["flow_action"] == "data_exchange" && !payload.is_null() {
        return Err(wrong("interactive.action.parameters.flow_action_payload", "must be absent with data_exchange"));
    }
    match &payload["data"] {
        Value::Null => Ok(()),
        Value::Object(data) if !data.is_empty() => Ok(()),
        _ => {
            Err(wrong("interactive.action.parameters.flow_action_payload.data", "must be an object that is not empty"))
        }
    }
}

fn components(all: &Value, field: &str) -> Result<(), Refusal> {
    let all = list(all);
    let kind = |it: &Value| it["type"].as_str().unwrap_or_default().to_lowercase();
    for once in ["header", "body", "carousel", "limited_time_offer"] {
        if all.iter().filter(|it| kind(it) == once).count() > 1 {
            return Err(wrong(field, &format!("has more than one {once}")));
        }
    }
    let buttons = all.iter().filter(|it| kind(it) == "button" && !it["index"].is_null());
    let places: Vec<Value> = buttons.map(|it| it["index"].to_string().trim_matches('"').into()).collect();
    unique(&format!("{field}.index"), places.iter())?;
    for component in all {
        let longest = match kind(component).as_str() {
            "header" => 60,
            "body" if all.len() == 1 && field == "template.components" => 32_768,
            "body" => 1024,
            "button" => 2000,
            "limited_time_offer" => 1024,
            "carousel" => {
                for card in list(&component["cards"]) {
                    components(&card["components"], "template.components.cards")?;
                }
                continue;
            }
            _ => continue,
        };
        let parameters = list(&component["parameters"]);
        for parameter in parameters {
            let is_offer = parameter["type"] == "limited_time_offer";
            if is_offer != (kind(component) == "limited_time_offer") {
                return Err(wrong(field, "has a parameter of another component"));
            }
            self::parameter(parameter, longest, field)?;
        }
        let names: Vec<_> = parameters.iter().map(|it| &it["parameter_name"]).filter(|name| name.is_string()).collect();
        if !names.is_empty() && names.len() < parameters.len() {
            return Err(wrong(field, "mixes named and positional parameters"));
        }
        unique(&format!("{field}.parameter_name"), names.into_iter())?;
        if kind(component) == "button" {
            button(component, field)?;
        }
    }
    Ok(())
}

fn parameter(it: &Value, longest: usize, field: &str) -> Result<(), Refusal> {
    let kind = it["type"].as_str().unwrap_or_default();
    lines::check(parameters::PARAMETER, &["", kind], it).map_err(|refusal| wrong(field, &refusal.details))?;
    match kind {
        "text" => lines::length(&format!("{field}.text"), it["text"].as_str().unwrap_or_default(), 1, longest),
        "currency" | "date_time" => {
            let shown = it[kind]["fallback_value"].as_str().unwrap_or_default();
            lines::length(&format!("{field}.{kind}.fallback_value"), shown, 1, longest)
        }
        "image" | "video" | "document" => inner_file(field, kind, &it[kind]),
        _ => Ok(()),
    }
}

fn button(component: &Value, field: &str) -> Result<(), Refusal> {
    let sub_type = component["sub_type"].as_str().unwrap_or_default().to_lowercase();
    let (wanted, may_lack) = match sub_type.as_str() {
        "quick_reply" => ("payload", false),
        "url" => ("text", false),
        "copy_code" => ("coupon_code", false),
        "mpm" | "order_details" => ("action", false),
        // The template itself says what opens.
        "flow" | "catalog" => ("action", true),
        "voice_call" => return call(component, field),
        other => return Err(wrong(&format!("{field}.sub_type"), &format!("is not known: {other}"))),
    };
    if component["index"].is_null() {
        return Err(Refusal::missing(&format!("{field}.index")));
    }
    match list(&component["parameters"]) {
        [] if may_lack => Ok(()),
        [one] if one["type"] == "payload" && wanted == "payload" => {
            lines::length(&format!("{field}.payload"), one["payload"].as_str().unwrap_or_default(), 1, 256)
        }
        [one] if one["type"] == wanted => Ok(()),
        _ => Err(wrong(field, &format!("needs one parameter of type {wanted} for this button"))),
    }
}

/// A button by which the contact calls.
fn call(component: &Value, field: &str) -> Result<(), Refusal> {
    let kinds = list(&component["parameters"]).iter().map(|it| &it["type"]);
    if kinds.clone().any(|kind| kind != "payload" && kind != "ttl_minutes") {
        return Err(wrong(field, "takes payload and ttl_minutes for this button"));
    }
    unique(&format!("{field}.parameters.type"), kinds)
}
