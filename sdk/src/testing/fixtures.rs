//! A context and one event of every kind, with values that never change.

use crate::{
    Channel, Contact, Content, Context, Conversation, Event, HttpAnswer, HttpResponse, Message, OtherEvent,
    PlatformError, Status, StatusKind, Tenant, Text, Timer,
};

/// The moment of every fixture: 2026-01-01T00:00:00Z, in milliseconds.
pub const NOW: u64 = 1_767_225_600_000;
/// The seed of every fixture.
pub const SEED: u64 = 7;
/// The WhatsApp id of the contact in every fixture.
pub const CONTACT: &str = "15550001111";

/// A conversation of the tenant "Hoopoe Demo" with "Ada", without configuration.
pub fn context() -> Context {
    Context {
        tenant: Tenant { id: id(1), name: "Hoopoe Demo".to_owned() },
        conversation: Conversation {
            id: id(2),
            channel: Channel {
                id: id(3),
                phone_number_id: "106540352242922".to_owned(),
                display_phone_number: Some("+1 555-000-2222".to_owned()),
            },
            contact: Contact {
                id: id(4),
                wa_id: Some(CONTACT.to_owned()),
                user_id: None,
                name: Some("Ada".to_owned()),
                username: None,
                tags: Vec::new(),
            },
        },
        event_id: id(5),
        now: NOW,
        seed: SEED,
        attempt: 1,
        config: "{}".to_owned(),
        attributes: Vec::new(),
    }
}

fn id(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

/// The contact sends a text.
pub fn text(body: impl Into<String>) -> Event {
    message(Content::Text(Text { body: body.into() }))
}

/// The contact sends something; see [`content`](super::content) for one of every kind.
pub fn message(content: Content) -> Event {
    Event::Message(Message {
        id: "wamid.TEST1".to_owned(),
        timestamp: NOW,
        content,
        reply_to: None,
        referral: None,
        raw: "{}".to_owned(),
    })
}

/// A message that was sent made progress. A failure carries the error of a closed 24 h window.
pub fn status(kind: StatusKind) -> Event {
    let window = PlatformError { code: 131_047, title: "Re-engagement message".to_owned(), details: None };
    let errors = if kind == StatusKind::Failed { vec![window] } else { Vec::new() };
    Event::Status(Status {
        message_id: "wamid.SENT1".to_owned(),
        hoopoe_message_id: Some(id(6)),
        kind,
        timestamp: NOW,
        errors,
        raw: "{}".to_owned(),
    })
}

/// A timer is due.
pub fn timer(name: impl Into<String>, payload: impl Into<String>) -> Event {
    Event::Timer(Timer { name: name.into(), due: NOW, payload: payload.into() })
}

/// A service answered with this status and body.
pub fn http_response(name: impl Into<String>, status: u16, body: impl Into<Vec<u8>>) -> Event {
    let answer = HttpAnswer { status, headers: Vec::new(), body: body.into() };
    Event::HttpResponse(HttpResponse { name: name.into(), outcome: Ok(answer) })
}

/// An event of a kind that this contract does not know.
pub fn other(kind: impl Into<String>) -> Event {
    Event::Other(OtherEvent { kind: kind.into(), raw: "{}".to_owned() })
}
