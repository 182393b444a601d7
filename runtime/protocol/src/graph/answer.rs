//! Reads the answer to a send.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Accepted, Class, Failure, classify};
use crate::wire;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    contacts: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    success: Option<bool>,
}

/// What to do about HTTP status, code and subcode.
pub(crate) type Classify = fn(u16, Option<i64>, Option<i64>) -> Class;

const NO_OBJECT: &str = "an answer of success that is no JSON object";

const WHATSAPP: Classify = |http_status, code, _| classify(http_status, code);

#[derive(Deserialize)]
struct Sent {
    #[serde(deserialize_with = "wire::required")]
    id: String,
}

#[derive(Deserialize)]
struct Contact {
    #[serde(default, deserialize_with = "wire::optional")]
    wa_id: Option<String>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    error_subcode: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "wire::optional")]
    message: Option<String>,
    #[serde(default, deserialize_with = "wire::optional")]
    error_user_msg: Option<String>,
    error_data: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "wire::optional")]
    fbtrace_id: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default, deserialize_with = "wire::optional")]
    details: Option<String>,
}

/// What the answer to a send means. A success whose body names no message is [`Class::Ambiguous`]: the message may
/// have been sent.
pub fn answer(http_status: u16, body: &[u8]) -> Result<Accepted, Failure> {
    let text = String::from_utf8_lossy(body);
    if let Some(answer) = read(http_status, &text)? {
        let sent = wire::list(answer.messages).first().and_then(|raw| wire::parse::<Sent>(raw));
        if let Some(sent) = sent.filter(|sent| !sent.id.is_empty() && sent.id.len() <= wire::MAX_ID) {
            let contact = wire::list(answer.contacts).first().and_then(|raw| wire::parse::<Contact>(raw));
            return Ok(Accepted { message_id: sent.id, wa_id: contact.and_then(|contact| contact.wa_id) });
        }
    }
    Err(unreadable(http_status, &text, "an answer of success that names no message"))
}

/// What the answer to a read mark means.
pub fn read_answer(http_status: u16, body: &[u8]) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(body);
    match read(http_status, &text)?.and_then(|answer| answer.success) {
        Some(true) => Ok(()),
        _ => Err(unreadable(http_status, &text, "an answer that does not say success")),
    }
}

/// The JSON object of an answer to any other request, `GET /debug_token` for one, or what Meta says is wrong.
pub fn json_answer(http_status: u16, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let text = String::from_utf8_lossy(body);
    object(http_status, &text)?.ok_or_else(|| unreadable(http_status, &text, NO_OBJECT))
}

/// The same of an answer that brings a secret, `GET /oauth/access_token` for one: a success that cannot be read is not
/// quoted.
pub fn secret_answer(http_status: u16, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let text = String::from_utf8_lossy(body);
    let shown = if is_success(http_status) { "(not shown)" } else { text.as_ref() };
    object(http_status, &text)?.ok_or_else(|| unreadable(http_status, shown, NO_OBJECT))
}

fn object(http_status: u16, text: &str) -> Result<Option<Map<String, Value>>, Failure> {
    Ok(read(http_status, text)?.and_then(|_| serde_json::from_str(text).ok()))
}

/// An answer of success, as far as it can be read; or what Meta says is wrong.
fn read(http_status: u16, text: &str) -> Result<Option<Answer<'_>>, Failure> {
    let answer = wire::object::<Answer>(text).ok();
    if let Some(error) = answer.as_ref().and_then(|answer| answer.error) {
        refused(http_status, error, WHATSAPP)?;
    }
    Ok(answer.filter(|_| is_success(http_status)))
}

/// What Meta says is wrong; nothing when `error` is no object.
pub(crate) fn refused(http_status: u16, error: &RawValue, classify: Classify) -> Result<(), Failure> {
    match wire::parse::<Fault>(error) {
        Some(fault) => Err(failure(http_status, &fault, classify)),
        None => Ok(()),
    }
}

pub(crate) fn is_success(http_status: u16) -> bool {
    (200..300).contains(&http_status)
}

pub(crate) fn unreadable(http_status: u16, text: &str, what: &str) -> Failure {
    let success = is_success(http_status);
    let start = wire::without_nul(wire::clip(text.trim(), 300));
    let what = if success { what } else { "an answer without Meta's error" };
    Failure {
        class: if success { Class::Ambiguous } else { classify(http_status, None) },
        http_status: Some(http_status),
        code: None,
        subcode: None,
        message: format!("HTTP {http_status}: {what}: {}", if start.is_empty() { "(empty body)" } else { &start }),
    }
}

fn failure(http_status: u16, fault: &Fault<'_>, classify: Classify) -> Failure {
    let code = fault.code.and_then(wire::integer);
    let subcode = fault.error_subcode.and_then(wire::integer);
    let details = fault.error_data.and_then(wire::parse::<Data>).and_then(|data| data.details);
    let title = fault.message.as_deref().unwrap_or("no message given");
    // Meta often begins the message with its code; it is not said twice.
    let mut message = match code {
        Some(code) if !title.starts_with(&format!("(#{code})")) => format!("(#{code}) {title}"),
        _ => title.to_owned(),
    };
    for more in [details.as_ref(), fault.error_user_msg.as_ref()].into_iter().flatten() {
        if !message.contains(more.as_str()) {
            message.push_str(": ");
            message.push_str(more);
        }
    }
    message = wire::clip(&message, 2000);
    message.push_str(&format!(" [HTTP {http_status}"));
    if let Some(subcode) = subcode {
        message.push_str(&format!(", subcode {subcode}"));
    }
    if let Some(trace) = &fault.fbtrace_id {
        message.push_str(&format!(", fbtrace_id {}", wire::clip(trace, 100)));
    }
    message.push(']');
    Failure { class: classify(http_status, code, subcode), http_status: Some(http_status), code, subcode, message }
}
