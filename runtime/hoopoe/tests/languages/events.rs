//! What happens in the conversations.

use hoopoe_sandbox::contract::{
    Channel, Choice, Contact, Content, Context, Conversation, Event, Message, Status, StatusKind, Tenant, Text, Timer,
};

/// The first of January 2026 in UTC, in milliseconds.
const NOW: u64 = 1_767_225_600_000;

pub fn context() -> Context {
    Context {
        tenant: Tenant { id: "t-1".into(), name: "Acme".into() },
        conversation: Conversation {
            id: "v-1".into(),
            channel: Channel { id: "c-1".into(), phone_number_id: "106".into(), display_phone_number: None },
            contact: Contact {
                id: "p-1".into(),
                wa_id: Some("15550001111".into()),
                user_id: None,
                name: None,
                username: None,
                tags: Vec::new(),
            },
        },
        event_id: "e-1".into(),
        now: NOW,
        seed: 7,
        attempt: 1,
        config: "{}".into(),
        attributes: Vec::new(),
    }
}

pub fn text(body: &str) -> Event {
    message(Content::Text(Text { body: body.into() }))
}

pub fn press(id: &str) -> Event {
    message(Content::ButtonReply(Choice { id: id.into(), title: "Press".into(), description: None }))
}

fn message(content: Content) -> Event {
    Event::Message(Message {
        id: "wamid.1".into(),
        timestamp: NOW,
        content,
        reply_to: None,
        referral: None,
        raw: "{}".into(),
    })
}

pub fn timer(name: &str, due: u64) -> Event {
    Event::Timer(Timer { name: name.into(), due, payload: String::new() })
}

pub fn status() -> Event {
    Event::Status(Status {
        message_id: "wamid.2".into(),
        hoopoe_message_id: None,
        kind: StatusKind::Read,
        timestamp: NOW,
        errors: Vec::new(),
        raw: "{}".into(),
    })
}
