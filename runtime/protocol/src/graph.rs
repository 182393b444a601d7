//! The Graph API: what to post, and what its answer means.
//!
//! In: a stored payload and its recipient; later the HTTP status and body of the answer. Out: URL and body; later
//! [`Accepted`], or a [`Failure`] whose [`Class`] says what to do next. What never got an answer (timeout, reset) has no
//! place here: after the request was written it is [`Class::Ambiguous`], before that [`Class::Transient`].

pub(crate) mod answer;
pub mod management;

use std::fmt;

use serde_json::{Value, json};

pub use answer::{answer, json_answer, read_answer, secret_answer};

use crate::outbound::typed::READ;

/// What is shorter is no secret of Meta's, and may be a word that a message has by chance.
const SHORTEST_SECRET: usize = 8;
/// Characters by which a secret is known, also where a message was cut within it.
const TELLING: usize = 16;

/// Where messages of a number are posted.
pub fn messages_url(base: &str, version: &str, phone_number_id: &str) -> String {
    format!("{}/{}/{}/messages", base.trim_end_matches('/'), version.trim_matches('/'), phone_number_id)
}

/// To whom a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A WhatsApp id: digits.
    WaId(String),
    /// A business-scoped user id, for people who show a username only.
    UserId(String),
}

/// Whether a payload marks a message as read. Such a request has no recipient, may be repeated, and is answered without
/// a message id ([`read_answer`]). So are Messenger's and Instagram's sender actions.
pub fn is_read_mark(payload: &Value) -> bool {
    payload.get("type").and_then(Value::as_str) == Some(READ) || crate::messenger::send::is_action(payload)
}

/// The body of a send. `payload` comes from [`crate::outbound::Content::payload`] or
/// [`crate::outbound::typed::Message::payload`]; `callback_data`, at most 512 characters, comes back in every status of
/// the message.
pub fn request_body(payload: &Value, to: &Recipient, callback_data: &str) -> String {
    if let Some(read) = payload.get(READ).filter(|_| is_read_mark(payload)) {
        let message_id = read.get("message_id").and_then(Value::as_str).unwrap_or_default();
        return mark_read_body(message_id, read.get("typing") == Some(&Value::Bool(true)));
    }
    let mut body = payload.as_object().cloned().unwrap_or_default();
    body.insert("messaging_product".to_owned(), json!("whatsapp"));
    body.insert("recipient_type".to_owned(), json!("individual"));
    match to {
        Recipient::WaId(id) => body.insert("to".to_owned(), json!(id)),
        Recipient::UserId(id) => body.insert("recipient".to_owned(), json!(id)),
    };
    body.insert("biz_opaque_callback_data".to_owned(), json!(callback_data));
    Value::Object(body).to_string()
}

/// The body that tells a contact that a message was read, and with `typing` that an answer is being written (at most
/// 25 s). It goes to the same URL as messages.
pub fn mark_read_body(message_id: &str, typing: bool) -> String {
    let mut body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": message_id });
    if typing {
        body["typing_indicator"] = json!({ "type": "text" });
    }
    body.to_string()
}

/// Meta took the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Meta's id of it (`wamid...`).
    pub message_id: String,
    /// The recipient's WhatsApp id, which may differ from the number that was dialled.
    pub wa_id: Option<String>,
}

/// Meta did not take the message, or it is not known whether it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What to do.
    pub class: Class,
    /// The HTTP status, when there was an answer.
    pub http_status: Option<u16>,
    /// Meta's error code.
    pub code: Option<i64>,
    /// Meta's error subcode.
    pub subcode: Option<i64>,
    /// The whole reason, with details and `fbtrace_id`.
    pub message: String,
}

impl Failure {
    /// The same without this secret in its message ([`hide`]).
    #[must_use]
    pub fn hiding(mut self, secret: &str) -> Self {
        self.message = hide(&self.message, secret);
        self
    }
}

/// A text of Meta's with `[token]` in place of a secret that was sent along: some errors repeat it ("Malformed access
/// token ..."), and their words go into records, notices and logs. Also hidden where only its beginning is left.
pub fn hide(text: &str, secret: &str) -> String {
    if secret.len() < SHORTEST_SECRET {
        return text.to_owned();
    }
    let beginning: String = secret.chars().take(TELLING).collect();
    let (mut hidden, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&beginning) {
        let (before, from) = rest.split_at(at);
        let same = from.chars().zip(secret.chars()).take_while(|(found, known)| found == known);
        let length: usize = same.map(|(found, _)| found.len_utf8()).sum();
        hidden.push_str(before);
        hidden.push_str("[token]");
        rest = &from[length..];
    }
    hidden + rest
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Too many messages to this contact: wait with this pair of number and contact.
    PausePair,
    /// Too many messages from this number: wait with the number.
    PauseNumber,
    /// Passing: try again with backoff.
    Transient,
    /// The message may have been sent: wait for a status before trying again.
    Ambiguous,
    /// This message will never be taken.
    Permanent,
    /// The template is paused or disabled: stop its messages.
    SuspendTemplate,
    /// The number, its token or its account is blocked: stop the channel and say so.
    SuspendChannel,
}

impl Class {
    /// The name in records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::PausePair => "pause_pair",
            Class::PauseNumber => "pause_number",
            Class::Transient => "transient",
            Class::Ambiguous => "ambiguous",
            Class::Permanent => "permanent",
            Class::SuspendTemplate => "suspend_template",
            Class::SuspendChannel => "suspend_channel",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to do about an answer of Meta. Meta's code decides, because one HTTP status stands for many faults; without a
/// known code the HTTP status does. Source: Meta's list of Cloud API error codes.
pub fn classify(http_status: u16, code: Option<i64>) -> Class {
    match (code, http_status) {
        (Some(131056), _) => Class::PausePair,
        (Some(4 | 613 | 80007 | 130429 | 131057), _) => Class::PauseNumber,
        (Some(1 | 2 | 131000 | 131016 | 131053), _) => Class::Transient,
        (
            Some(
                100 | 131008 | 131009 | 131026 | 131047 | 131049 | 131050 | 131051 | 131062 | 132000 | 132001 | 132005
                | 132007 | 132008 | 132012,
            ),
            _,
        ) => Class::Permanent,
        (Some(132015 | 132016), _) => Class::SuspendTemplate,
        (Some(0 | 3 | 10 | 190 | 200..=299 | 368 | 131031 | 131042 | 131045 | 131048), _) => Class::SuspendChannel,
        (_, 429) => Class::PauseNumber,
        (_, 500..) => Class::Transient,
        // An answer of success that names no message.
        (_, 200..=299) => Class::Ambiguous,
        // Not Meta's word about the message: a gateway's, or that of whatever stands at the address for a while.
        (None, _) => Class::Transient,
        _ => Class::Permanent,
    }
}
