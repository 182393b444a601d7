//! Webhook bodies, taken apart: heads, routes, and that nothing bad costs its neighbours.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use hoopoe_protocol::{
    StatusKind,
    envelope::{InboundHead, Item, ItemKind, Route, StatusHead, parse},
    status,
};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn items(name: &str) -> Vec<Item> {
    parse(&fixture(name)).unwrap()
}

fn message(item: &Item) -> &InboundHead {
    match &item.kind {
        ItemKind::Message(head) => head,
        other => panic!("no message: {other:?}"),
    }
}

fn status_head(item: &Item) -> &StatusHead {
    match &item.kind {
        ItemKind::Status(head) => head,
        other => panic!("no status: {other:?}"),
    }
}

fn number(id: &str) -> Route {
    Route::PhoneNumber(id.to_owned())
}

fn account(id: &str) -> Route {
    Route::Account(id.to_owned())
}

#[test]
fn every_message_type_has_a_head() {
    let cases = [
        ("text", "text", Some("Does it come in another color? Käse 🧀")),
        ("image", "image", Some("The best succulent ever?")),
        ("video", "video", None),
        ("audio", "audio", None),
        ("voice", "audio", None),
        ("document", "document", Some("invoice.pdf")),
        ("sticker", "sticker", None),
        ("location", "location", Some("Facebook HQ")),
        ("contacts", "contacts", Some("Barbara J. Johnson")),
        ("reaction", "reaction", Some("👍")),
        ("unreaction", "reaction", None),
        ("button_reply", "interactive", Some("Cancel")),
        ("list_reply", "interactive", Some("Priority Mail Express")),
        ("nfm_reply", "interactive", Some("Sent")),
        ("call_permission_reply", "interactive", Some("accept")),
        ("button", "button", Some("Unsubscribe")),
        ("order", "order", Some("Love these!")),
        ("system", "system", Some("User Sheena Nelson changed from 16505551234 to 12195555358")),
        ("edit", "edit", Some("I meant blue")),
        ("revoke", "revoke", None),
        ("unsupported", "unsupported", Some("Message type unknown")),
        ("unknown", "hologram", None),
    ];
    for (name, kind, preview) in cases {
        let items = items(&format!("messages/{name}.json"));
        assert_eq!(items.len(), 1, "{name}");
        assert_eq!((&items[0].route, items[0].field.as_str()), (&number("106540352242922"), "messages"), "{name}");
        let head = message(&items[0]);
        assert_eq!((head.kind.as_str(), head.preview.as_deref()), (kind, preview), "{name}");
        assert_eq!(head.timestamp, Some(1_749_416_383_000), "{name}");
        assert_eq!(head.sender.wa_id.as_deref(), Some("16505551234"), "{name}");
        assert_eq!(head.sender.user_id.as_deref(), Some("US.13491208655302741918"), "{name}");
        assert_eq!(head.profile.name.as_deref(), Some("Sheena Nelson"), "{name}");
        assert_eq!(head.profile.username.as_deref(), Some("sheena"), "{name}");
        assert_eq!(head.display_phone_number.as_deref(), Some("15550783881"), "{name}");
        assert_eq!(head.note, None, "{name}");
        assert!(head.id.starts_with("wamid."), "{name}");
    }
}

#[test]
fn a_user_without_a_number_is_not_lost() {
    let items = items("messages/username_only.json");
    let head = message(&items[0]);
    assert_eq!(head.sender.wa_id, None);
    assert_eq!(head.sender.user_id.as_deref(), Some("US.13491208655302741918"));
    assert_eq!(head.profile.username.as_deref(), Some("sheena"));
}

#[test]
fn a_plus_sign_is_dropped_and_the_contact_completes_the_sender() {
    let items = items("messages/plus_sign.json");
    let head = message(&items[0]);
    assert_eq!(head.sender.wa_id.as_deref(), Some("16505551234"));
    assert_eq!(head.sender.user_id.as_deref(), Some("US.13491208655302741918"));
    assert_eq!(head.timestamp, Some(1_749_416_383_000), "a timestamp that is a number");
}

#[test]
fn every_status() {
    let cases = [
        ("sent", StatusKind::Sent),
        ("delivered", StatusKind::Delivered),
        ("read", StatusKind::Read),
        ("played", StatusKind::Played),
        ("failed", StatusKind::Failed),
        ("deleted", StatusKind::Deleted),
        ("warming", StatusKind::Other("warming".to_owned())),
    ];
    for (name, kind) in cases {
        let items = items(&format!("statuses/{name}.json"));
        let head = status_head(&items[0]);
        assert_eq!(head.status, kind);
        assert_eq!((head.status.as_str(), head.message_id.as_str()), (name, "wamid.SENT"));
        assert_eq!(head.timestamp, Some(1_750_030_073_000));
        assert_eq!(head.recipient.wa_id.as_deref(), Some("16505551234"));
        assert_eq!(head.callback_data.as_deref(), Some("0197a3f0-0000-7000-8000-000000000001"));
        assert_eq!(head.errors.len(), usize::from(name == "failed"));
        assert_eq!(status::parse(&items[0].raw).as_ref(), Some(head), "the stored item says the same");
    }
    let items = items("statuses/failed.json");
    let error = &status_head(&items[0]).errors[0];
    assert_eq!((error.code, error.title.as_str()), (131047, "Re-engagement message"));
    assert!(error.details.as_ref().unwrap().contains("24 hours"));
}

#[test]
fn a_status_needs_no_recipient() {
    let items = items("statuses/no_recipient.json");
    let head = status_head(&items[0]);
    assert!(head.recipient.is_empty());
    assert_eq!((&head.status, &head.callback_data), (&StatusKind::Sent, &None));
}

#[test]
fn each_item_goes_to_its_own_number() {
    let items = items("envelopes/two_numbers.json");
    let ways: Vec<_> = items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Message(head) => (item.route.clone(), head.id.as_str(), head.profile.name.as_deref()),
            ItemKind::Status(head) => (item.route.clone(), head.message_id.as_str(), None),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = vec![
        (number("111"), "wamid.A1", Some("Ada")),
        (number("111"), "wamid.A2", Some("Bo")),
        (number("222"), "wamid.B9", None),
        (number("222"), "wamid.B1", Some("Ada at B")),
    ];
    assert_eq!(ways, expected);
}

#[test]
fn a_broken_item_costs_no_neighbour() {
    let body = fixture("envelopes/broken_among_good.json");
    let items = parse(&body).unwrap();
    let told: Vec<String> = items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Message(head) => format!("{} {}", head.id, head.note.as_deref().unwrap_or("good")),
            ItemKind::Status(head) => format!("{} {}", head.message_id, head.status),
            ItemKind::Other { kind } => format!("other {kind}"),
            ItemKind::Invalid { reason } => format!("invalid: {reason}"),
        })
        .collect();
    let expected = [
        "wamid.1 good",
        "wamid.2 timestamp \"abc\" is not a number of seconds; time of receipt is used",
        "invalid: the message has no readable id",
        "invalid: the message has no readable sender (from or from_user_id)",
        "invalid: message: not an object",
        "wamid.6 good",
        "wamid.7 timestamp is missing; time of receipt is used",
        "wamid.8 good",
        "invalid: the status has no readable message id",
        "invalid: the status item does not say which status",
        "wamid.SENT sent",
        "other error",
    ];
    assert_eq!(told, expected);
    assert_eq!(message(&items[7]).profile.name.as_deref(), Some("Eve"));
    let text = String::from_utf8(body).unwrap();
    assert!(items.iter().all(|item| text.contains(&item.raw)), "raw items are bytes of the body");
}

#[test]
fn fields_without_messages_are_kept_whole() {
    let told: Vec<_> = items("envelopes/fields.json")
        .into_iter()
        .map(|item| {
            let kind = match item.kind {
                ItemKind::Message(head) => head.id,
                ItemKind::Other { kind } => format!("other {kind}"),
                ItemKind::Invalid { reason } => format!("invalid: {}", reason.split(',').next().unwrap()),
                ItemKind::Status(_) => panic!("a call is no message"),
            };
            (item.route, kind)
        })
        .collect();
    let expected = [
        (account("WABA"), "other message_template_status_update"),
        (number("111"), "other user_preferences"),
        (number("111"), "other calls"),
        (number("111"), "other smb_message_echoes"),
        (account("WABA"), "other field_of_the_future"),
        (number("111"), "other messages"),
        (account("WABA"), "invalid: the change has no value"),
        (account("WABA"), "invalid: value: not an object"),
        (Route::None, "wamid.N"),
        (account("WABA"), "wamid.M"),
        (account("WABA"), "invalid: change: not an object"),
        (Route::None, "invalid: entry: not an object"),
    ];
    assert_eq!(told, expected.map(|(route, kind)| (route, kind.to_owned())));
}

#[test]
fn messenger_items_are_kept() {
    let items = items("envelopes/messenger.json");
    assert_eq!(items.len(), 2);
    for item in &items {
        assert_eq!(item.kind, ItemKind::Other { kind: "messaging".to_owned() });
        assert_eq!(item.route, Route::Page("PAGE".to_owned()));
    }
    assert!(items[0].raw.contains("\"m_1\""));
}
