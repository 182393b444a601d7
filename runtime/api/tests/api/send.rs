//! `POST /tenants/{id}/send`: what is wrong with a request, and where.

use hoopoe_testing::{Client, Tenant, World};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::answers::{Answer, answer};

async fn send(api: &Client, tenant: &Tenant, body: impl Into<String>) -> Answer {
    let request = api.request(Method::POST, &format!("/tenants/{}/send", tenant.id), &tenant.key);
    answer(request.header(CONTENT_TYPE, "application/json").body(body.into())).await
}

/// A request with these fields beside a good recipient.
fn with(fields: Value) -> String {
    let mut body = json!({ "to": "+919012345678" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body.to_string()
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let deep = format!(r#"{{"to": "+919012345678", "payload": {{"a": {}1{}}}}}"#, "[".repeat(200), "]".repeat(200));
    let cases: [(&str, &str, &[&str]); 14] = [
        ("no body", "", &["not JSON"]),
        ("cut off", r#"{"to": "+919012345678", "text": "hel"#, &["not JSON", "line 1"]),
        ("single quotes", "{'to': 1}", &["not JSON"]),
        ("something behind it", r#"{"to": "+919012345678", "text": "hello"} again"#, &["not JSON"]),
        ("not UTF-8", "\u{1}", &["not JSON"]),
        ("nested beyond reason", &deep, &["not JSON", "recursion"]),
        ("a list", "[]", &["expected"]),
        ("a text", r#""hello""#, &["expected"]),
        ("nothing to send", r#"{"to": "+919012345678"}"#, &["nothing to send", "text", "payload"]),
        ("null to send", r#"{"to": "+919012345678", "text": null}"#, &["nothing to send", "text", "payload"]),
        (
            "two things to send",
            r#"{"to": "+919012345678", "text": "a", "payload": {"type": "text", "text": {"body": "b"}}}"#,
            &["text and payload", "not several"],
        ),
        ("an unknown field", r#"{"to": "+919012345678", "txt": "hello"}"#, &["unknown field `txt`", "`text`"]),
        ("a field of later", r#"{"to": "+919012345678", "text": "a", "at": 5}"#, &["unknown field `at`"]),
        ("a field twice", r#"{"to": "+919012345678", "to": "+919012345679", "text": "a"}"#, &["duplicate field `to`"]),
    ];
    for (label, body, words) in cases {
        send(&world.api, &tenant, body).await.refuses(label, 400, words);
    }
    assert_eq!(world.db.count("select count(*) from messages").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let text = |body: &str| json!({ "type": "text", "text": { "body": body } });
    let cases: [(&str, String, &str, &[&str]); 46] = [
        ("no recipient", json!({ "text": "a" }).to_string(), "to", &["missing"]),
        ("a number as recipient", with(json!({ "to": 919012345678_u64, "text": "a" })), "to", &["expected a string"]),
        ("no recipient but null", with(json!({ "to": null, "text": "a" })), "to", &["expected a string"]),
        ("an empty recipient", with(json!({ "to": "", "text": "a" })), "to", &["empty", "country code"]),
        ("a name as recipient", with(json!({ "to": "Sam", "text": "a" })), "to", &["'S'", "country code"]),
        ("letters in the number", with(json!({ "to": "+1 555 CALL NOW", "text": "a" })), "to", &["'C'"]),
        ("two numbers", with(json!({ "to": "+4915123456789,+4915123456780", "text": "a" })), "to", &["','"]),
        ("a plus within", with(json!({ "to": "4915+123456789", "text": "a" })), "to", &["'+'"]),
        ("digits of another script", with(json!({ "to": "+٤٩١٥١٢٣٤٥٦", "text": "a" })), "to", &["'٤'"]),
        ("too short a number", with(json!({ "to": "+49151", "text": "a" })), "to", &["5 digits", "7 to 15"]),
        ("too long a number", with(json!({ "to": "+4915123456789012", "text": "a" })), "to", &["16 digits"]),
        ("half a user id", with(json!({ "to": "US.", "text": "a" })), "to", &["'U'"]),
        ("a user id without an end", with(json!({ "to": "US.ENT.", "text": "a" })), "to", &["'U'"]),
        ("a text that is a number", with(json!({ "text": 5 })), "text", &["expected a string"]),
        ("a text that is a list", with(json!({ "text": ["a"] })), "text", &["expected a string"]),
        ("a text without a body", with(json!({ "text": { "preview_url": true } })), "text.body", &["missing"]),
        ("a text with more", with(json!({ "text": { "body": "a", "bold": true } })), "text.bold", &["unknown field"]),
        ("a file that is a text", with(json!({ "image": "https://example.com/a.jpg" })), "image", &["invalid type"]),
        (
            "a button without a title",
            with(json!({ "interactive": { "type": "button", "body": { "text": "a" },
                "action": { "buttons": [{ "reply": { "id": "1" } }] } } })),
            "interactive.action.buttons[0].reply.title",
            &["missing"],
        ),
        (
            "a kind that is not known here",
            with(json!({ "interactive": { "type": "video_call", "action": {} } })),
            "interactive.type",
            &["cta_url", "a payload"],
        ),
        (
            "a parameter that is not known here",
            with(json!({ "interactive": { "type": "cta_url", "body": { "text": "a" }, "action": { "name": "cta_url",
                "parameters": { "display_text": "Go", "url": "https://example.com", "colour": "red" } } } })),
            "interactive.action.parameters.colour",
            &["display_text", "a payload"],
        ),
        (
            "a button that is not known here",
            with(json!({ "template": { "name": "t", "language": { "code": "en" }, "components": [
                { "type": "button", "sub_type": "video_call", "index": 0 }] } })),
            "template.components[0].sub_type",
            &["quick_reply", "a payload"],
        ),
        (
            "a reaction that answers",
            with(json!({ "reaction": { "message_id": "wamid.1", "emoji": "x" }, "reply_to": "wamid.2" })),
            "reply_to",
            &["not possible with reaction"],
        ),
        (
            "a known type over its limits within",
            with(json!({ "payload": { "type": "image", "image": { "link": "https://example.com", "id": "1" } } })),
            "payload.image.link",
            &["one of the two"],
        ),
        ("an empty text", with(json!({ "text": "" })), "text", &["empty", "4096"]),
        ("a blank text", with(json!({ "text": " \n\t" })), "text", &["empty"]),
        ("a text with NUL", with(json!({ "text": "a\0b" })), "text", &["NUL"]),
        ("a long text", with(json!({ "text": "a".repeat(4097) })), "text", &["4097", "4096"]),
        ("a long text of wide characters", with(json!({ "text": "🦩".repeat(4097) })), "text", &["4097", "4096"]),
        ("a payload that is a text", with(json!({ "payload": "hello" })), "payload", &["expected a map"]),
        ("a payload that is a list", with(json!({ "payload": [] })), "payload", &["expected a map"]),
        ("a payload without type", with(json!({ "payload": {} })), "payload.type", &["missing"]),
        ("a type that is a number", with(json!({ "payload": { "type": 1 } })), "payload.type", &["not a text"]),
        ("a payload without content", with(json!({ "payload": { "type": "image" } })), "payload.image", &["missing"]),
        (
            "content that is a text",
            with(json!({ "payload": { "type": "text", "text": "a" } })),
            "payload.text",
            &["not an object"],
        ),
        ("an empty text within", with(json!({ "payload": text("") })), "payload.text.body", &["empty"]),
        ("a long text within", with(json!({ "payload": text(&"ü".repeat(4097)) })), "payload.text.body", &["4097"]),
        (
            "a recipient within",
            with(json!({ "payload": { "type": "text", "text": { "body": "a" }, "to": "1" } })),
            "payload.to",
            &["does not belong"],
        ),
        (
            "callback data of their own",
            with(json!({ "payload": { "type": "text", "text": { "body": "a" }, "biz_opaque_callback_data": "x" } })),
            "payload.biz_opaque_callback_data",
            &["cannot be set"],
        ),
        ("an empty key", with(json!({ "text": "a", "idempotency_key": "" })), "idempotency_key", &["1 to 256"]),
        (
            "a long key",
            with(json!({ "text": "a", "idempotency_key": "k".repeat(257) })),
            "idempotency_key",
            &["257", "256"],
        ),
        ("a time that is past", with(json!({ "text": "a", "send_at": "2025-12-31T00:00:00Z" })), "send_at", &["past"]),
        ("a time too far", with(json!({ "text": "a", "send_at": 1_775_001_601 })), "send_at", &["90 days"]),
        (
            "a time without an offset",
            with(json!({ "text": "a", "send_at": "2026-01-02T00:00:00" })),
            "send_at",
            &["offset", "Unix seconds"],
        ),
        ("a time in words", with(json!({ "text": "a", "sendAt": true })), "send_at", &["true", "offset"]),
        ("somebody's number", with(json!({ "text": "a", "from": "1234567890" })), "from", &["no such number"]),
    ];
    for (label, body, field, words) in cases {
        send(&world.api, &tenant, body).await.refuses_field(label, field, words);
    }
    assert_eq!(world.db.count("select count(*) from messages").await, 0);
    world.end().await;
}

#[tokio::test]
async fn what_is_right_is_queued_as_meta_wants_it() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let payload = json!({
        "messaging_product": "whatsapp", "recipient_type": "individual",
        "type": "text", "text": { "body": "b" }, "context": { "message_id": "wamid.1" },
    });
    let to = "919012345678";
    let cases = [
        ("a text", with(json!({ "text": "Hello there" })), to, "text"),
        ("the longest text", with(json!({ "text": "a".repeat(4096) })), to, "text"),
        ("the longest text of wide characters", with(json!({ "text": "🦩".repeat(4096) })), to, "text"),
        ("a number as people write it", with(json!({ "to": " +91 (901) 234-56.78 ", "text": "a" })), to, "text"),
        ("without a plus", with(json!({ "to": to, "text": "a" })), to, "text"),
        (
            "to a user without a number",
            with(json!({ "to": "US.13491208655302741918", "text": "a" })),
            "US.13491208655302741918",
            "text",
        ),
        (
            "to a user of an enterprise",
            with(json!({ "to": "US.ENT.11815799212886844830", "text": "a" })),
            "US.ENT.11815799212886844830",
            "text",
        ),
        ("from this number", with(json!({ "text": "a", "from": "106540352242922" })), to, "text"),
        ("a payload", with(json!({ "payload": payload })), to, "text"),
        ("a text as Meta has it", with(json!({ "text": { "body": "a", "preview_url": true } })), to, "text"),
        ("an answer", with(json!({ "text": "a", "replyTo": "wamid.1" })), to, "text"),
        ("a read mark", with(json!({ "read": { "message_id": "wamid.1" } })), to, "read"),
        ("a type of later", with(json!({ "payload": { "type": "hologram", "hologram": {} } })), to, "hologram"),
        (
            "a kind of later",
            with(
                json!({ "payload": { "type": "interactive", "interactive": { "type": "video_call", "action": {} } } }),
            ),
            to,
            "interactive",
        ),
        ("null beside it", with(json!({ "text": "a", "payload": null, "from": null })), to, "text"),
    ];
    let number = i64::try_from(cases.len()).unwrap();
    for (label, body, to, kind) in cases {
        let answer = send(&world.api, &tenant, body).await;
        assert_eq!(answer.status, 202, "{label}: {}", answer.body);
        let found = (&answer.body["status"], &answer.body["to"], &answer.body["type"]);
        assert_eq!(found, (&json!("queued"), &json!(to), &json!(kind)), "{label}");
        let message = world.api.message(&tenant, answer.body["id"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(message["status"], "queued", "{label}");
        assert_eq!(message["createdAt"], answer.body["createdAt"], "{label}");
    }
    assert_eq!(world.db.count("select count(*) from outbox").await, number);
    world.end().await;
}
