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

#[test]
fn limits() {
    let full = "ä".repeat(4096);
    assert!(text(&full).payload(None).is_ok(), "4096 characters, more bytes");
    assert!(list(vec![section(Some("A"), 5, 0), section(Some("B"), 5, 5)]).payload(None).is_ok());
    let long = "x".repeat(1025);
    let url = "https://example.com/a";
    let cases: Vec<(Content, &str)> = vec![
        (text(""), "body"),
        (text(" \n"), "body"),
        (text(&"ä".repeat(4097)), "body"),
        (text("a\0b"), "payload.text.body"),
        (Content::Image(media("http://example.com/a", None, None)), "link"),
        (Content::Image(media("https://", None, None)), "link"),
        (Content::Image(media(url, Some(&long), None)), "caption"),
        (Content::Image(media(url, None, Some("a.jpg"))), "filename"),
        (Content::Audio(media(url, Some("la la"), None)), "caption"),
        (Content::Sticker(media(url, Some("la la"), None)), "caption"),
        (place(90.1, 0.0), "latitude"),
        (place(0.0, f64::NAN), "longitude"),
        (reaction(Some("")), "emoji"),
        (buttons(&[]), "buttons"),
        (buttons(&[("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")]), "buttons"),
        (buttons(&[("1", "a"), ("1", "b")]), "buttons[1].id"),
        (buttons(&[("1", "a"), ("2", "123456789012345678901")]), "buttons[1].title"),
        (list(vec![]), "sections"),
        (list(vec![section(Some("A"), 11, 0)]), "sections"),
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
