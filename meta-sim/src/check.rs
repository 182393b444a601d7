//! What Meta checks of a request to the messages endpoint, written from its reference and apart from the runtime's own
//! checks, so that the two control each other: a table of fields, and what a table cannot say.

pub(crate) mod direct;
mod lines;
mod parameters;
mod table;
mod together;

use serde_json::Value;

use crate::direct::Sent;

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
    /// On Messenger or Instagram.
    pub(crate) direct: Option<Sent>,
}

/// What Meta answers to a request that is not.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) title: &'static str,
    /// `error_data.details`.
    pub(crate) details: String,
    /// `error_subcode`.
    pub(crate) subcode: Option<i64>,
}

impl Refusal {
    pub(crate) fn invalid(details: String) -> Refusal {
        Refusal { code: 100, title: "Invalid parameter", details, subcode: None }
    }

    fn missing(field: &str) -> Refusal {
        Refusal {
            code: 131_008,
            title: "Required parameter is missing",
            details: format!("{field} is required"),
            subcode: None,
        }
    }

    /// A value over its limit. Meta has a code of its own for the inner fields of the newer types.
    fn value(field: &str, details: String) -> Refusal {
        if ["interactive", "template", "contacts"].iter().any(|kind| field.starts_with(kind)) {
            return Refusal { code: 131_009, title: "Parameter value is not valid", details, subcode: None };
        }
        Refusal::invalid(details)
    }
}

/// Reads a request.
pub(crate) fn request(body: &Value) -> Result<Request, Refusal> {
    if !body.is_object() {
        return Err(Refusal::invalid("The body must be an object".to_owned()));
    }
    if !body["status"].is_null() {
        return mark_read(body);
    }
    let kind = match &body["type"] {
        Value::Null => "text",
        Value::String(kind) => kind,
        _ => return Err(Refusal::invalid("Param type must be a string".to_owned())),
    };
    // Without `type` Meta takes a text.
    let inner = match kind {
        "interactive" => body["interactive"]["type"].as_str().unwrap_or_default(),
        _ => "",
    };
    let shared = if table::HEADED_TYPES.contains(&inner) { table::HEADED } else { "" };
    let to = recipient(body)?;
    lines::check(table::TABLE, &["", kind, shared, &format!("{kind}/{inner}")], body)?;
    together::check(kind, &body[kind])?;
    let callback_data = body["biz_opaque_callback_data"].as_str().map(str::to_owned);
    Ok(Request::Send(Send { to, callback_data, text: shown(kind, &body[kind]), direct: None }))
}

fn mark_read(body: &Value) -> Result<Request, Refusal> {
    if body["messaging_product"] != "whatsapp" {
        return Err(Refusal::missing("messaging_product"));
    }
    if body["status"] != "read" {
        return Err(Refusal::invalid("Param status must be one of {read}".to_owned()));
    }
    let message_id = body["message_id"].as_str().ok_or_else(|| Refusal::missing("message_id"))?;
    lines::length("message_id", message_id, 1, 1024)?;
    let typing = &body["typing_indicator"];
    if !typing.is_null() && typing["type"] != "text" {
        return Err(Refusal::invalid("Param typing_indicator.type must be one of {text}".to_owned()));
    }
    let known = ["messaging_product", "status", "message_id", "typing_indicator"];
    match body.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(Refusal::invalid(format!("Unexpected key \"{name}\""))),
        None => Ok(Request::MarkRead { message_id: message_id.to_owned(), typing: !typing.is_null() }),
    }
}

fn recipient(body: &Value) -> Result<String, Refusal> {
    if body["to"].is_null() {
        let user_id = body["recipient"].as_str().filter(|id| !id.is_empty());
        return user_id.map(str::to_owned).ok_or_else(|| Refusal::missing("to, or recipient,"));
    }
    let to = body["to"].as_str().unwrap_or_default();
    let digits = to.trim_start_matches('+');
    if (5..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(digits.to_owned())
    } else {
        Err(Refusal::invalid(format!("The parameter to is not a phone number: {to}")))
    }
}

/// What a person would read of it.
fn shown(kind: &str, content: &Value) -> Option<String> {
    let text = match kind {
        "text" => &content["body"],
        "interactive" => &content["body"]["text"],
        "template" | "location" => &content["name"],
        "reaction" => &content["emoji"],
        _ => &content["caption"],
    };
    text.as_str().map(str::to_owned)
}
