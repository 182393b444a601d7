//! Webhook bodies that are broken, huge or hostile.
#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_protocol::envelope::{Error, InboundHead, Item, ItemKind, MOST_ITEMS, parse};

fn message(item: &Item) -> &InboundHead {
    match &item.kind {
        ItemKind::Message(head) => head,
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn bodies_that_are_no_envelope() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "not json"),
        (b"{", "not json"),
        (b"{\"entry\": [}", "not json"),
        (b"{\"entry\": [{\"id\": 1}] } trailing", "not json"),
        (b"hello", "not json"),
        (b"{\"entry\": \"\xff\"}", "not json"),
        (b"[]", "not an envelope"),
        (b"\"text\"", "not an envelope"),
        (b"null", "not an envelope"),
        (deep.as_bytes(), "not an envelope"),
        (b"{\"entry\": 5}", "not an envelope"),
        (b"{\"entry\": {\"changes\": []}}", "not an envelope"),
        (b"{}", "empty"),
        (b"{\"object\": \"page\", \"entry\": null}", "empty"),
        (b"{\"entry\": []}", "empty"),
        (b"{\"entry\": [{\"id\": \"1\", \"changes\": []}]}", "empty"),
    ];
    for (body, expected) in cases {
        let told = match parse(body) {
            Err(Error::NotJson(_)) => "not json",
            Err(Error::NotAnEnvelope(_)) => "not an envelope",
            Err(Error::Empty) => "empty",
            Err(Error::TooMany) => "too many",
            Ok(items) => panic!("{items:?}"),
        };
        assert_eq!(told, expected, "{}", String::from_utf8_lossy(&body[..body.len().min(60)]));
    }
}

#[test]
fn a_body_of_many_tiny_items_is_refused_before_it_fills_memory() {
    let many = |list: &str, most: usize| {
        let ones = vec!["1"; most].join(",");
        format!(r#"{{"entry":[{{"id":"W","changes":[{{"field":"{list}","value":{{"{list}":[{ones}]}}}}]}}]}}"#)
    };
    for list in ["messages", "history"] {
        assert_eq!(parse(many(list, MOST_ITEMS).as_bytes()).map(|items| items.len()), Ok(MOST_ITEMS), "{list}");
        assert_eq!(parse(many(list, MOST_ITEMS + 1).as_bytes()), Err(Error::TooMany), "{list}");
    }
    let changes = vec!["1"; MOST_ITEMS + 1].join(",");
    let body = format!(r#"{{"entry":[{{"id":"W","changes":[{changes}]}}]}}"#);
    assert_eq!(parse(body.as_bytes()), Err(Error::TooMany));
}

#[test]
fn a_thousand_items_in_one_post() {
    let messages: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"id":"wamid.{n}","from":"1650555{n:04}","timestamp":"1749416383","type":"text","text":{{"body":"{n}"}}}}"#))
        .collect();
    let contacts: Vec<String> =
        (0..1000).map(|n| format!(r#"{{"wa_id":"1650555{n:04}","profile":{{"name":"P{n}"}}}}"#)).collect();
    let body = format!(
        r#"{{"entry":[{{"id":"W","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"1"}},"contacts":[{}],"messages":[{}]}}}}]}}]}}"#,
        contacts.join(","),
        messages.join(",")
    );
    let items = parse(body.as_bytes()).unwrap();
    assert_eq!(items.len(), 1000);
    for (n, item) in items.iter().enumerate() {
        let head = message(item);
        assert_eq!(head.id, format!("wamid.{n}"));
        assert_eq!(head.profile.name, Some(format!("P{n}")));
        assert_eq!(item.raw, messages[n]);
    }
}

#[test]
fn what_a_database_cannot_hold_does_not_get_through() {
    let one = |message: &str| {
        let body =
            format!(r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":[{message}]}}}}]}}]}}"#);
        parse(body.as_bytes()).unwrap().remove(0)
    };
    let nul = one(r#"{"id":"a\u0000b","from":"1650555","type":"text","text":{"body":"x\u0000y"}}"#);
    assert_eq!(message(&nul).id, "a\u{fffd}b");
    assert_eq!(message(&nul).preview.as_deref(), Some("x\u{fffd}y"));
    let surrogate = one(r#"{"id":"a","from":"1650555","type":"text","text":{"body":"\ud800"}}"#);
    assert_eq!(message(&surrogate).preview, None);
    let long = one(&format!(r#"{{"id":"{}","from":"1650555","type":"text"}}"#, "a".repeat(5000)));
    assert!(matches!(long.kind, ItemKind::Invalid { .. }));
    for timestamp in ["\"-1\"", "99999999999999", "1e3", "{}", "\"\"", "true"] {
        let item = one(&format!(r#"{{"id":"a","from":"1650555","type":"text","timestamp":{timestamp}}}"#));
        assert_eq!(message(&item).timestamp, None, "{timestamp}");
        assert!(message(&item).note.is_some(), "{timestamp}");
    }
}

#[test]
fn no_prefix_of_a_body_panics() {
    let body = include_bytes!("fixtures/envelopes/broken_among_good.json");
    for end in 0..body.len() - 1 {
        if let Ok(items) = parse(&body[..end]) {
            assert!(body[end..].iter().all(u8::is_ascii_whitespace), "cut at {end}: {} items", items.len());
        }
    }
}
