//! Payloads that the caller wrote in Meta's own format: here only the frame is checked, so that new types of Meta work;
//! the limits of known types follow.

use serde_json::{Map, Value};

use super::Invalid;
use crate::messenger::send;

/// What belongs to a single attempt, or to the channel, and so not to a stored payload.
const REFUSED: [(&str, &str); 3] = [
    ("to", "does not belong in the payload; name the recipient beside it"),
    ("recipient", "does not belong in the payload; name the recipient beside it"),
    ("biz_opaque_callback_data", "carries Hoopoe's message id and cannot be set"),
];

/// Meta's constants, which are dropped because the request adds them.
const CONSTANTS: [(&str, &str); 2] = [("messaging_product", "whatsapp"), ("recipient_type", "individual")];

pub(super) fn payload(object: &Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
    // Checked when it is known by which channel it goes.
    if send::is_raw(object) {
        let content = Value::Object(object.clone());
        return Ok(Map::from_iter([("type".to_owned(), send::MEMBER.into()), (send::MEMBER.to_owned(), content)]));
    }
    for (name, advice) in REFUSED {
        if object.contains_key(name) {
            return Err(Invalid::new(name, advice));
        }
    }
    let mut object = object.clone();
    for (name, only) in CONSTANTS {
        match object.remove(name) {
            Some(value) if value != only => {
                return Err(Invalid::new(name, format!("is {value}; leave it out, it is always \"{only}\"")));
            }
            _ => {}
        }
    }
    let kind = match object.get("type") {
        Some(Value::String(kind)) if !kind.is_empty() => kind.as_str(),
        Some(_) => return Err(Invalid::new("type", "is not a text; give Meta's message type, for example \"text\"")),
        None => return Err(Invalid::new("type", "is missing; give Meta's message type, for example \"text\"")),
    };
    match object.get(kind) {
        // Contact cards are the one type whose content is a list.
        Some(Value::Array(_)) if kind == "contacts" => {}
        Some(Value::Object(_)) => {}
        Some(_) => return Err(Invalid::new(kind, "is not an object; put the content of the message there")),
        None => {
            return Err(Invalid::new(kind, format!("is missing; a message of type \"{kind}\" has its content there")));
        }
    }
    if object.get("context").is_some_and(|context| !context.is_object()) {
        return Err(Invalid::new("context", "is not an object; give {\"message_id\": \"wamid…\"}"));
    }
    Ok(object)
}
