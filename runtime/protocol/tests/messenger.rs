//! What is sent on Messenger and Instagram, what is refused and why, and what Meta's answers mean.
#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_protocol::graph::Class;
use hoopoe_protocol::messenger::send::{Purpose, is_action, payload, requests};
use hoopoe_protocol::messenger::{Platform, answer};
use hoopoe_protocol::outbound::{Content, typed};
use serde_json::{Value, json};

use Platform::{Instagram, Messenger};

/// A message of the REST API or a flow, in WhatsApp's format, as it is stored for the platform; or the refusal.
fn stored(platform: Platform, message: Value) -> Result<Value, String> {
    payload(platform, Purpose::Update, &message).map_err(|invalid| invalid.to_string())
}

fn text(body: &str) -> Value {
    json!({ "type": "text", "text": { "body": body } })
}

fn interactive(content: Value) -> Value {
    json!({ "type": "interactive", "interactive": content })
}

fn raw(content: Value) -> Value {
    let Value::Object(object) = content else { panic!("no object") };
    Content::Raw(object).payload(None).unwrap()
}

#[test]
fn what_is_posted() {
    let buttons = interactive(json!({ "type": "button", "body": { "text": "Shall we?" }, "action": { "buttons": [
        { "type": "reply", "reply": { "id": "yes", "title": "Yes" } },
        { "type": "reply", "reply": { "id": "no", "title": "No" } }] } }));
    let list = interactive(json!({ "type": "list", "body": { "text": "Which?" }, "action": { "button": "Show",
        "sections": [{ "rows": [{ "id": "a", "title": "Alpha" }] }] } }));
    let link = interactive(json!({ "type": "cta_url", "body": { "text": "All dates" }, "action": { "name": "cta_url",
        "parameters": { "display_text": "See", "url": "https://example.com/" } } }));
    let replying = json!({ "type": "text", "text": { "body": "yes" }, "context": { "message_id": "m_1" } });
    let message = |message: Value| json!({ "messaging_type": "UPDATE", "message": message });
    let cases = [
        (Messenger, text("hello"), message(json!({ "text": "hello" }))),
        (Instagram, text("hello"), message(json!({ "text": "hello" }))),
        (
            Messenger,
            json!({ "type": "image", "image": { "link": "https://example.com/i.jpg" } }),
            message(json!({ "attachment": { "type": "image", "payload": { "url": "https://example.com/i.jpg" } } })),
        ),
        (
            Messenger,
            json!({ "type": "document", "document": { "id": "1857777774821032" } }),
            message(json!({ "attachment": { "type": "file", "payload": { "attachment_id": "1857777774821032" } } })),
        ),
        (
            Instagram,
            json!({ "type": "audio", "audio": { "link": "https://example.com/a.mp4", "voice": false } }),
            message(json!({ "attachment": { "type": "audio", "payload": { "url": "https://example.com/a.mp4" } } })),
        ),
        (
            Messenger,
            buttons,
            message(json!({ "text": "Shall we?", "quick_replies": [
                { "content_type": "text", "title": "Yes", "payload": "yes" },
                { "content_type": "text", "title": "No", "payload": "no" }] })),
        ),
        (
            Instagram,
            list,
            message(json!({ "text": "Which?", "quick_replies": [
                { "content_type": "text", "title": "Alpha", "payload": "a" }] })),
        ),
        (
            Messenger,
            link,
            message(json!({ "attachment": { "type": "template", "payload": { "template_type": "button",
                "text": "All dates",
                "buttons": [{ "type": "web_url", "url": "https://example.com/", "title": "See" }] } } })),
        ),
        (
            Messenger,
            replying,
            json!({ "messaging_type": "UPDATE", "message": { "text": "yes" }, "reply_to": { "mid": "m_1" } }),
        ),
        (
            Messenger,
            raw(json!({ "message": { "text": "later" }, "tag": "HUMAN_AGENT" })),
            json!({ "messaging_type": "MESSAGE_TAG", "message": { "text": "later" }, "tag": "HUMAN_AGENT" }),
        ),
        (
            Messenger,
            json!({ "type": "read", "read": { "message_id": "m_1", "typing": true } }),
            json!({ "actions": [{ "sender_action": "mark_seen" }, { "sender_action": "typing_on" }] }),
        ),
        (
            Instagram,
            json!({ "type": "reaction", "reaction": { "message_id": "m_1", "emoji": "❤" } }),
            json!({ "actions": [{ "sender_action": "react", "payload": { "message_id": "m_1", "reaction": "love" } }] }),
        ),
        (
            Instagram,
            json!({ "type": "reaction", "reaction": { "message_id": "m_1", "emoji": "" } }),
            json!({ "actions": [{ "sender_action": "unreact", "payload": { "message_id": "m_1" } }] }),
        ),
        (
            Messenger,
            raw(json!({ "sender_action": "typing_off" })),
            json!({ "actions": [{ "sender_action": "typing_off" }] }),
        ),
    ];
    for (platform, message, expected) in cases {
        let label = format!("{platform:?} {message}");
        let stored = stored(platform, message).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(stored["messenger"], expected, "{label}");
        assert!(stored["type"].is_string(), "{label}");
        assert_eq!(is_action(&stored), expected.get("actions").is_some(), "{label}");
    }
}

#[test]
fn what_is_refused_is_told_with_field_and_advice() {
    let header = interactive(json!({ "type": "button", "header": { "type": "text", "text": "Hi" },
        "body": { "text": "b" }, "action": { "buttons": [] } }));
    let described = interactive(json!({ "type": "list", "body": { "text": "b" }, "action": { "sections": [
        { "rows": [{ "id": "1", "title": "One", "description": "more" }] }] } }));
    let titled = interactive(json!({ "type": "list", "body": { "text": "b" }, "action": { "sections": [
        { "title": "A", "rows": [] }] } }));
    let long_row = interactive(json!({ "type": "list", "body": { "text": "b" }, "action": { "sections": [
        { "rows": [{ "id": "1", "title": "a title of 21 letters" }] }] } }));
    let replies: Vec<Value> = (0..14).map(|n| json!({ "content_type": "text", "title": n.to_string() })).collect();
    let cases = [
        (Messenger, text(&"a".repeat(2001)), "text.body: has 2001 characters, Messenger's limit is 2000"),
        (Instagram, text(&"é".repeat(501)), "text.body: has 1002 bytes, Instagram's limit is 1000"),
        (Messenger, text("  "), "text.body: is empty"),
        (
            Messenger,
            json!({ "type": "image", "image": { "id": "1", "caption": "c" } }),
            "image.caption: is not possible on Messenger",
        ),
        (Messenger, json!({ "type": "audio", "audio": { "id": "1", "voice": true } }), "audio.voice: is not possible"),
        (
            Messenger,
            json!({ "type": "sticker", "sticker": { "id": "1" } }),
            "sticker: is not possible on Messenger; send it as an image",
        ),
        (Instagram, json!({ "type": "location", "location": {} }), "location: is not possible on Instagram"),
        (Instagram, json!({ "type": "contacts", "contacts": [] }), "contacts: is not possible on Instagram"),
        (Messenger, json!({ "type": "template", "template": {} }), "template: is a template of WhatsApp"),
        (Messenger, json!({ "type": "hologram", "hologram": {} }), "hologram: is not possible on Messenger"),
        (
            Messenger,
            json!({ "type": "reaction", "reaction": { "emoji": "❤" } }),
            "reaction: is not possible on Messenger",
        ),
        (
            Instagram,
            json!({ "type": "reaction", "reaction": { "emoji": "👍" } }),
            "reaction.emoji: is not possible on Instagram; give ❤",
        ),
        (Messenger, header, "interactive.header: is not possible on Messenger"),
        (Messenger, described, "interactive.action.sections[0].rows[0].description: is not possible"),
        (Messenger, titled, "interactive.action.sections[0].title: is not possible"),
        (Messenger, long_row, "interactive.action.sections[0].rows[0].title: has 21 characters, Meta's limit is 20"),
        (Messenger, interactive(json!({ "type": "flow" })), "interactive.type flow: is not possible on Messenger"),
        (
            Messenger,
            raw(json!({ "message": { "text": "a", "metadata": "mine" } })),
            "message.metadata: carries Hoopoe's message id",
        ),
        (
            Messenger,
            raw(json!({ "message": { "text": "a" }, "recipient": { "id": "1" } })),
            "recipient: does not belong",
        ),
        (Messenger, raw(json!({ "message": {} })), "message: has neither text nor attachment"),
        (Messenger, raw(json!({ "message": "hello" })), "message: is not an object"),
        (
            Messenger,
            raw(json!({ "message": { "text": "a", "attachment": {} } })),
            "message.text: is not possible beside attachment",
        ),
        (Messenger, raw(json!({ "message": { "attachment": {} } })), "message.attachment.type: is missing"),
        (
            Messenger,
            raw(json!({ "message": { "text": "a", "quick_replies": replies } })),
            "message.quick_replies[13]: at most 13",
        ),
        (
            Messenger,
            raw(json!({ "sender_action": "dance" })),
            "sender_action: is \"dance\"; it must be one of mark_seen",
        ),
        (
            Messenger,
            raw(json!({ "sender_action": "typing_on", "message": {} })),
            "sender_action: is not possible beside message",
        ),
        (Instagram, raw(json!({ "message": { "text": "é".repeat(501) } })), "message.text: has 1002 bytes"),
    ];
    for (platform, message, expected) in cases {
        let refusal = stored(platform, message.clone()).expect_err(&message.to_string());
        assert!(refusal.starts_with(expected), "{message}: {refusal}");
    }
}

#[test]
fn recipient_and_our_id_are_added_at_the_send() {
    let stored = stored(Messenger, text("hello")).unwrap();
    let posted: Vec<Value> =
        requests(&stored, "77", "our-id").iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    let expected = json!({ "recipient": { "id": "77" }, "messaging_type": "UPDATE",
        "message": { "text": "hello", "metadata": "our-id" } });
    assert_eq!(posted, [expected]);
    let read = typed::Message::Read(typed::Read { message_id: "m_1".into(), typing: true }).payload(None).unwrap();
    let stored = payload(Instagram, Purpose::Response, &read).unwrap();
    let posted: Vec<Value> =
        requests(&stored, "77", "our-id").iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    let action = |word: &str| json!({ "recipient": { "id": "77" }, "sender_action": word });
    assert_eq!(posted, [action("mark_seen"), action("typing_on")]);
}

#[test]
fn what_an_answer_means() {
    let error = |code: i64, subcode: Option<i64>| {
        json!({ "error": { "message": "why", "code": code, "error_subcode": subcode } }).to_string()
    };
    let cases = [
        (400, error(10, Some(2_018_278)), Class::Permanent),
        (400, error(10, Some(2_534_022)), Class::Permanent),
        (403, error(10, None), Class::SuspendChannel),
        (400, error(551, None), Class::Permanent),
        (400, error(100, Some(2_018_001)), Class::Permanent),
        (400, error(200, Some(1_545_041)), Class::Permanent),
        (403, error(200, None), Class::SuspendChannel),
        (403, error(230, None), Class::SuspendChannel),
        (401, error(190, Some(463)), Class::SuspendChannel),
        (400, error(368, None), Class::SuspendChannel),
        (400, error(613, None), Class::PauseNumber),
        (400, error(4, Some(2_018_022)), Class::PauseNumber),
        (400, error(80_006, None), Class::PauseNumber),
        (400, error(1200, None), Class::Transient),
        (500, error(2, None), Class::Transient),
        (500, error(1, Some(1_357_046)), Class::Ambiguous),
        (429, "Too Many Requests".to_owned(), Class::PauseNumber),
        (502, "<html>".to_owned(), Class::Transient),
        (200, "<html>".to_owned(), Class::Ambiguous),
        (200, json!({ "recipient_id": "77" }).to_string(), Class::Ambiguous),
        (400, error(99_999, None), Class::Permanent),
    ];
    for (status, body, class) in cases {
        let failure = answer(status, body.as_bytes(), true).expect_err(&body);
        assert_eq!(failure.class, class, "HTTP {status} {body}");
    }
    let sent = answer(200, br#"{"recipient_id": "77", "message_id": "m_1"}"#, true).unwrap();
    assert_eq!(sent.message_id.as_deref(), Some("m_1"));
    let action = answer(200, br#"{"recipient_id": "77"}"#, false).unwrap();
    assert_eq!(action.message_id, None);
}
