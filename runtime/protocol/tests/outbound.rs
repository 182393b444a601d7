//! Payloads: what Meta's format is, and which limits are told before anything is stored.
#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_protocol::outbound::{Button, Content, Media, Row, Section, Source, text_of};
use serde_json::{Value, json};

fn text(body: &str) -> Content {
    Content::Text { body: body.to_owned(), preview_url: false }
}

fn media(link: &str, caption: Option<&str>, filename: Option<&str>) -> Media {
    Media {
        source: Source::Link(link.to_owned()),
        caption: caption.map(str::to_owned),
        filename: filename.map(str::to_owned),
    }
}

fn buttons(buttons: &[(&str, &str)]) -> Content {
    let buttons =
        buttons.iter().map(|(id, title)| Button { id: (*id).to_owned(), title: (*title).to_owned() }).collect();
    Content::Buttons { body: "Choose".to_owned(), header: None, footer: None, buttons }
}

fn section(title: Option<&str>, rows: usize, first: usize) -> Section {
    let row = |n: usize| Row { id: format!("row-{n}"), title: format!("Row {n}"), description: None };
    Section { title: title.map(str::to_owned), rows: (first..first + rows).map(row).collect() }
}

fn list(sections: Vec<Section>) -> Content {
    Content::List {
        body: "Choose".to_owned(),
        header: Some("Head".to_owned()),
        footer: Some("Foot".to_owned()),
        button: "Open".to_owned(),
        sections,
    }
}

fn template(components: Value) -> Content {
    Content::Template { name: "order".to_owned(), language: "pt_BR".to_owned(), components }
}

fn raw(value: Value) -> Content {
    Content::Raw(value.as_object().unwrap().clone())
}

fn place(latitude: f64, longitude: f64) -> Content {
    Content::Location { latitude, longitude, name: Some("Here".to_owned()), address: None }
}

fn reaction(emoji: Option<&str>) -> Content {
    Content::Reaction { message_id: "wamid.1".to_owned(), emoji: emoji.map(str::to_owned) }
}

#[test]
fn payloads() {
    let pdf = "https://example.com/a.pdf";
    let cases = [
        (text("hi"), json!({"type":"text","text":{"body":"hi","preview_url":false}}), Some("hi")),
        (
            Content::Document(media(pdf, Some("The bill"), Some("a.pdf"))),
            json!({"type":"document","document":{"link":pdf,"caption":"The bill","filename":"a.pdf"}}),
            Some("The bill"),
        ),
        (
            Content::Image(Media { source: Source::Id("77".to_owned()), caption: None, filename: None }),
            json!({"type":"image","image":{"id":"77"}}),
            None,
        ),
        (
            place(1.5, -2.0),
            json!({"type":"location","location":{"latitude":1.5,"longitude":-2.0,"name":"Here"}}),
            Some("Here"),
        ),
        (reaction(Some("👍")), json!({"type":"reaction","reaction":{"message_id":"wamid.1","emoji":"👍"}}), Some("👍")),
        (reaction(None), json!({"type":"reaction","reaction":{"message_id":"wamid.1","emoji":""}}), None),
        (
            buttons(&[("y", "Yes")]),
            json!({"type":"interactive","interactive":{"type":"button","body":{"text":"Choose"},
                "action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}}]}}}),
            Some("Choose"),
        ),
        (
            list(vec![section(None, 1, 0)]),
            json!({"type":"interactive","interactive":{"type":"list","header":{"type":"text","text":"Head"},
                "body":{"text":"Choose"},"footer":{"text":"Foot"},
                "action":{"button":"Open","sections":[{"rows":[{"id":"row-0","title":"Row 0"}]}]}}}),
            Some("Choose"),
        ),
        (
            template(json!([])),
            json!({"type":"template","template":{"name":"order","language":{"code":"pt_BR"}}}),
            Some("order"),
        ),
        (
            template(json!([{"type":"body","parameters":[]}])),
            json!({"type":"template","template":{"name":"order","language":{"code":"pt_BR"},
                "components":[{"type":"body","parameters":[]}]}}),
            Some("order"),
        ),
        (
            raw(
                json!({"messaging_product":"whatsapp","recipient_type":"individual","type":"contacts","contacts":[{"name":{"formatted_name":"B","first_name":"B"}}]}),
            ),
            json!({"type":"contacts","contacts":[{"name":{"formatted_name":"B","first_name":"B"}}]}),
            Some("B"),
        ),
        (raw(json!({"type":"hologram","hologram":{}})), json!({"type":"hologram","hologram":{}}), None),
    ];
    for (content, expected, shown) in cases {
        let payload = content.payload(None).unwrap();
        assert_eq!(payload, expected);
        assert_eq!(text_of(&payload).as_deref(), shown, "{expected}");
    }
}

#[test]
fn a_reply_names_the_message_that_it_answers() {
    let payload = text("hi").payload(Some("wamid.1")).unwrap();
    assert_eq!(payload["context"], json!({"message_id": "wamid.1"}));
    let payload =
        raw(json!({"type":"text","text":{"body":"x"},"context":{"message_id":"kept"}})).payload(None).unwrap();
    assert_eq!(payload["context"]["message_id"], "kept");
    assert!(reaction(None).payload(Some("wamid.2")).unwrap().get("context").is_none());
    assert_eq!(text("hi").payload(Some("")).unwrap_err().field, "reply_to");
}

/// Characters of more than one byte.
fn long(length: usize) -> String {
    "ä".repeat(length)
}

fn asking(body: String, header: Option<String>, footer: Option<String>) -> Content {
    let buttons = vec![Button { id: "1".to_owned(), title: "a".to_owned() }];
    Content::Buttons { body, header, footer, buttons }
}

fn listing(body: String, header: Option<String>, footer: Option<String>, button: String) -> Content {
    Content::List { body, header, footer, button, sections: vec![section(None, 1, 0)] }
}

fn row(id: String, title: String, description: Option<String>) -> Content {
    list(vec![Section { title: None, rows: vec![Row { id, title, description }] }])
}

fn named(name: String, language: String) -> Content {
    Content::Template { name, language, components: Value::Null }
}

fn link(length: usize) -> String {
    let start = "https://example.com/";
    format!("{start}{}", "x".repeat(length - start.len()))
}

const URL: &str = "https://example.com/a";

/// The field that is named, the most that it may have, and content that has so much of it.
type Limit = (&'static str, usize, fn(usize) -> Content);

const LIMITS: &[Limit] = &[
    ("body", 4096, |n| text(&long(n))),
    ("caption", 1024, |n| Content::Image(media(URL, Some(&long(n)), None))),
    ("caption", 1024, |n| Content::Video(media(URL, Some(&long(n)), None))),
    ("caption", 1024, |n| Content::Document(media(URL, Some(&long(n)), None))),
    ("filename", 240, |n| Content::Document(media(URL, None, Some(&long(n))))),
    ("image.link", 2000, |n| Content::Image(media(&link(n), None, None))),
    ("id", 512, |n| Content::Sticker(Media { source: Source::Id(long(n)), caption: None, filename: None })),
    ("latitude", 90, |n| place(n as f64, 0.0)),
    ("longitude", 180, |n| place(0.0, -(n as f64))),
    ("name", 1000, |n| Content::Location { latitude: 0.0, longitude: 0.0, name: Some(long(n)), address: None }),
    ("address", 1000, |n| Content::Location { latitude: 0.0, longitude: 0.0, name: None, address: Some(long(n)) }),
    ("emoji", 16, |n| reaction(Some(&long(n)))),
    ("message_id", 512, |n| Content::Reaction { message_id: long(n), emoji: None }),
    ("body", 1024, |n| asking(long(n), None, None)),
    ("header", 60, |n| asking(long(1), Some(long(n)), None)),
    ("footer", 60, |n| asking(long(1), None, Some(long(n)))),
    ("buttons", 3, |n| buttons(&[("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")][..n])),
    ("buttons[0].id", 256, |n| buttons(&[(long(n).as_str(), "a")])),
    ("buttons[0].title", 20, |n| buttons(&[("1", long(n).as_str())])),
    ("body", 4096, |n| listing(long(n), None, None, long(1))),
    ("header", 60, |n| listing(long(1), Some(long(n)), None, long(1))),
    ("footer", 60, |n| listing(long(1), None, Some(long(n)), long(1))),
    ("button", 20, |n| listing(long(1), None, None, long(n))),
    ("sections", 10, |n| list((0..n).map(|first| section(Some("A"), 1, first)).collect())),
    ("sections", 10, |n| list(vec![section(None, n, 0)])),
    ("sections", 10, |n| list(vec![section(Some("A"), 5, 0), section(Some("B"), n - 5, 5)])),
    ("sections[0].title", 24, |n| list(vec![section(Some(&long(n)), 1, 0)])),
    ("sections[0].rows[0].id", 200, |n| row(long(n), long(1), None)),
    ("sections[0].rows[0].title", 24, |n| row(long(1), long(n), None)),
    ("sections[0].rows[0].description", 72, |n| row(long(1), long(1), Some(long(n)))),
    ("name", 512, |n| named(long(n), long(2))),
    ("language", 20, |n| named(long(1), long(n))),
];

#[test]
fn what_is_at_a_limit_passes_and_one_more_does_not() {
    for (field, most, of) in LIMITS {
        let passes = of(*most).payload(None);
        assert!(passes.is_ok(), "{field} {most}: {passes:?}");
        assert_eq!(of(most + 1).payload(None).expect_err(field).field, *field, "{most}");
    }
    assert!(text("hi").payload(Some(&long(512))).is_ok());
    assert_eq!(text("hi").payload(Some(&long(513))).unwrap_err().field, "reply_to");
}

#[test]
fn what_meta_would_refuse_is_named() {
    let cases: Vec<(Content, &str)> = vec![
        (text(""), "body"),
        (text(" \n"), "body"),
        (text("a\0b"), "payload.text.body"),
        (Content::Image(media("http://example.com/a", None, None)), "link"),
        (Content::Image(media("https://", None, None)), "link"),
        (Content::Image(media(URL, None, Some("a.jpg"))), "filename"),
        (Content::Audio(media(URL, Some("la la"), None)), "caption"),
        (Content::Sticker(media(URL, Some("la la"), None)), "caption"),
        (place(90.1, 0.0), "latitude"),
        (place(0.0, f64::NAN), "longitude"),
        (reaction(Some("")), "emoji"),
        (buttons(&[]), "buttons"),
        (buttons(&[("1", "a"), ("1", "b")]), "buttons[1].id"),
        (list(vec![]), "sections"),
        (list(vec![section(Some("A"), 0, 0)]), "sections[0].rows"),
        (list(vec![section(Some("A"), 1, 0), section(None, 1, 1)]), "sections[1].title"),
        (list(vec![section(Some("A"), 1, 0), section(Some("B"), 1, 0)]), "sections[1].rows[0].id"),
        (template(json!({})), "components"),
        (template(json!(["x"])), "components[0]"),
        (raw(json!({})), "type"),
        (raw(json!({"type":1})), "type"),
        (raw(json!({"type":"text"})), "text"),
        (raw(json!({"type":"text","text":"hi"})), "text"),
        (raw(json!({"type":"text","text":{}})), "text.body"),
        (raw(json!({"type":"text","text":{"body":"x".repeat(4097)}})), "text.body"),
        (raw(json!({"type":"text","text":{"body":"x"},"to":"1"})), "to"),
        (raw(json!({"type":"text","text":{"body":"x"},"recipient":"1"})), "recipient"),
        (raw(json!({"type":"text","text":{"body":"x"},"biz_opaque_callback_data":"1"})), "biz_opaque_callback_data"),
        (raw(json!({"type":"text","text":{"body":"x"},"recipient_type":"group"})), "recipient_type"),
        (raw(json!({"type":"text","text":{"body":"x"},"messaging_product":"sms"})), "messaging_product"),
        (raw(json!({"type":"text","text":{"body":"x"},"context":"wamid"})), "context"),
    ];
    for (content, field) in cases {
        let invalid = content.payload(None).expect_err(field);
        assert_eq!(invalid.field, field, "{content:?}");
        assert_eq!(invalid.to_string(), format!("{field}: {}", invalid.message));
    }
}
