//! What Meta checks of a request to the messages endpoint, written from its reference and apart from the runtime's own
//! checks, so that the two control each other.

use serde_json::Value;

/// A request that is in order.
pub(crate) enum Request {
    Send(Send),
    MarkRead { message_id: String, typing: bool },
}

/// A message to send.
pub(crate) struct Send {
    pub(crate) to: String,
    pub(crate) callback_data: Option<String>,
    pub(crate) text: Option<String>,
}

/// Reads a request; the error is what Meta would put into `error_data.details`.
pub(crate) fn request(body: &Value) -> Result<Request, String> {
    if body["messaging_product"] != "whatsapp" {
        return Err("The parameter messaging_product must be \"whatsapp\"".to_owned());
    }
    if body["status"] == "read" {
        let message_id = text(body, "/message_id", 1, 1024)?.to_owned();
        return Ok(Request::MarkRead { message_id, typing: body["typing_indicator"]["type"] == "text" });
    }
    let callback_data = match &body["biz_opaque_callback_data"] {
        Value::Null => None,
        _ => Some(text(body, "/biz_opaque_callback_data", 0, 512)?.to_owned()),
    };
    Ok(Request::Send(Send { to: recipient(body)?, callback_data, text: content(body)? }))
}

fn recipient(body: &Value) -> Result<String, String> {
    if body["to"].is_null() {
        return match text(body, "/recipient", 1, 200) {
            Ok(user_id) => Ok(user_id.to_owned()),
            Err(_) => Err("The parameter to, or recipient, is required".to_owned()),
        };
    }
    let digits = text(body, "/to", 1, 40)?.trim_start_matches('+');
    if (5..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(digits.to_owned())
    } else {
        Err(format!("The parameter to is not a phone number: {digits}"))
    }
}

/// Checks the content and gives what a person would read of it.
fn content(body: &Value) -> Result<Option<String>, String> {
    let kind = match &body["type"] {
        Value::Null => "text",
        _ => text(body, "/type", 1, 100)?,
    };
    let object = &body[kind];
    if !(object.is_object() || kind == "contacts" && object.is_array()) {
        return Err(format!("The parameter {kind} is required for a message of type {kind}"));
    }
    match kind {
        "text" => text(body, "/text/body", 1, 4096).map(owned),
        "image" | "video" | "document" | "audio" | "sticker" => {
            if object["id"].is_string() == object["link"].is_string() {
                return Err(format!("{kind} must have either id or link"));
            }
            optional(object, "/caption", 1024)
        }
        "interactive" => {
            let action = &object["action"];
            match object["type"].as_str() {
                Some("button") => buttons(action)?,
                Some("list") => rows(action)?,
                Some(_) => {}
                None => return Err("The parameter interactive.type is required".to_owned()),
            }
            text(object, "/body/text", 1, 1024).map(owned)
        }
        "template" => {
            text(object, "/language/code", 1, 20)?;
            text(object, "/name", 1, 512).map(owned)
        }
        "reaction" => {
            text(object, "/message_id", 1, 1024)?;
            optional(object, "/emoji", 16)
        }
        "location" => {
            let good = |name: &str| object[name].is_number() || object[name].is_string();
            if !(good("latitude") && good("longitude")) {
                return Err("location must have latitude and longitude".to_owned());
            }
            optional(object, "/name", 1000)
        }
        _ => Ok(None),
    }
}

fn buttons(action: &Value) -> Result<(), String> {
    let buttons = list(action, "buttons", 3)?;
    for button in buttons {
        text(button, "/reply/id", 1, 256)?;
        text(button, "/reply/title", 1, 20)?;
    }
    Ok(())
}

fn rows(action: &Value) -> Result<(), String> {
    text(action, "/button", 1, 20)?;
    let mut count = 0;
    for section in list(action, "sections", 10)? {
        for row in list(section, "rows", 10)? {
            text(row, "/id", 1, 200)?;
            text(row, "/title", 1, 24)?;
            optional(row, "/description", 72)?;
            count += 1;
        }
    }
    if count <= 10 { Ok(()) } else { Err(format!("A list has at most 10 rows, this one has {count}")) }
}

fn list<'a>(value: &'a Value, name: &str, most: usize) -> Result<&'a [Value], String> {
    match value[name].as_array() {
        Some(list) if (1..=most).contains(&list.len()) => Ok(list),
        _ => Err(format!("{name} must be a list of 1 to {most}")),
    }
}

fn text<'a>(value: &'a Value, pointer: &str, min: usize, max: usize) -> Result<&'a str, String> {
    let name = pointer.trim_start_matches('/').replace('/', ".");
    let text = value.pointer(pointer).and_then(Value::as_str).ok_or(format!("The parameter {name} must be a text"))?;
    let length = text.chars().count();
    if (min..=max).contains(&length) {
        Ok(text)
    } else {
        Err(format!("Param {name} must be between {min} and {max} characters long, it has {length}"))
    }
}

fn optional(value: &Value, pointer: &str, max: usize) -> Result<Option<String>, String> {
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(value, pointer, 0, max).map(owned),
    }
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}
