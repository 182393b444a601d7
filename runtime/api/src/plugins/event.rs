//! Events for simulations: short to write, and then in the form in which the journal keeps them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use hoopoe_protocol::{message, status};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// One of: what a contact writes, a message or a status as Meta sends it, a timer, or the answer to a call.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EventBody {
    /// A text from the contact.
    Text(String),
    /// An item of Meta's `messages`.
    #[schema(value_type = Object)]
    Message(Map<String, Value>),
    /// An item of Meta's `statuses`.
    #[schema(value_type = Object)]
    Status(Map<String, Value>),
    /// A timer that is due.
    Timer(TimerBody),
    /// The answer to an `http-request` action.
    HttpResponse(HttpResponseBody),
}

/// A timer that is due.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimerBody {
    /// The name given with `schedule`.
    name: String,
    /// When it was due, in milliseconds; now when absent.
    #[serde(default)]
    due: Option<u64>,
    /// As given with `schedule`.
    #[serde(default)]
    payload: String,
}

/// The answer to an `http-request` action.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpResponseBody {
    /// The name given with `http-request`.
    name: String,
    /// The status of the answer; 200 when absent.
    #[serde(default)]
    status: Option<u16>,
    /// Names and values.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The body: a text, or another JSON value, which is sent as its text.
    #[serde(default)]
    body: Value,
    /// Instead of an answer: why there is none, for example `timeout: no answer within 5 s`.
    #[serde(default)]
    error: Option<String>,
}

/// An event as the journal keeps it.
pub struct Kept {
    pub kind: &'static str,
    /// JSON text.
    pub raw: String,
    pub occurred_at: DateTime<Utc>,
}

impl EventBody {
    /// As the journal keeps it. `from` is the contact's WhatsApp id.
    pub fn keep(self, from: &str, now: DateTime<Utc>) -> Result<Kept, (&'static str, String)> {
        let at = |millis: Option<i64>| millis.and_then(DateTime::from_timestamp_millis).unwrap_or(now);
        Ok(match self {
            EventBody::Text(body) => {
                let raw = json!({
                    "from": from, "id": "wamid.simulated", "timestamp": now.timestamp().to_string(), "type": "text",
                    "text": { "body": body },
                });
                Kept { kind: "message", raw: raw.to_string(), occurred_at: now }
            }
            EventBody::Message(item) => {
                let raw = Value::Object(item).to_string();
                let occurred_at = at(message::parse(&raw).timestamp);
                Kept { kind: "message", raw, occurred_at }
            }
            EventBody::Status(item) => {
                let raw = Value::Object(item).to_string();
                let head = status::parse(&raw).ok_or_else(|| {
                    let advice = "give it as Meta sends it: {\"id\": \"wamid...\", \"status\": \"delivered\", ...}";
                    ("event.status", format!("it does not say which status of which message; {advice}"))
                })?;
                Kept { kind: "status", occurred_at: at(head.timestamp), raw }
            }
            EventBody::Timer(timer) => {
                let due = timer.due.unwrap_or_else(|| u64::try_from(now.timestamp_millis()).unwrap_or_default());
                let raw = json!({ "name": timer.name, "due": due, "payload": timer.payload });
                Kept { kind: "timer", raw: raw.to_string(), occurred_at: at(i64::try_from(due).ok()) }
            }
            EventBody::HttpResponse(answer) => {
                let raw = match answer.error {
                    Some(error) => json!({ "name": answer.name, "error": error }),
                    None => {
                        let body = match answer.body {
                            Value::Null => String::new(),
                            Value::String(text) => text,
                            other => other.to_string(),
                        };
                        json!({
                            "name": answer.name, "status": answer.status.unwrap_or(200), "headers": answer.headers,
                            "body": BASE64.encode(body),
                        })
                    }
                };
                Kept { kind: "http-response", raw: raw.to_string(), occurred_at: now }
            }
        })
    }
}
