//! Inbound content of every type, read from the item as it is stored.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use hoopoe_protocol::{
    PlatformError, envelope,
    message::{
        Audio, CallPermissionReply, Choice, ContactPhone, Content, Edit, FormReply, Location, Media, Message, Order,
        OrderItem, Reaction, Revoke, Sticker, SystemNotice, TemplateButton, Text, Unsupported, parse,
    },
};

fn read(name: &str) -> Message {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/messages/{name}.json"));
    let items = envelope::parse(&fs::read(path).unwrap()).unwrap();
    parse(&items[0].raw)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const ID: &str = "1003383421387256";
const SHA: &str = "SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=";

fn media(mime: &str, caption: Option<&str>, filename: Option<&str>) -> Media {
    Media {
        id: ID.to_owned(),
        mime_type: some(mime),
        sha256: some(SHA),
        caption: caption.map(str::to_owned),
        filename: filename.map(str::to_owned),
    }
}

fn audio(mime: &str, voice: bool) -> Content {
    Content::Audio(Audio { id: ID.to_owned(), mime_type: some(mime), sha256: some(SHA), voice })
}

fn item(id: &str, quantity: u32, price: &str) -> OrderItem {
    OrderItem { product_retailer_id: id.to_owned(), quantity, item_price: price.to_owned(), currency: "USD".to_owned() }
}

#[test]
fn content_of_every_type() {
    let original = || "wamid.ORIGINAL".to_owned();
    let cases = vec![
        ("text", Content::Text(Text { body: "Does it come in another color? Käse 🧀".to_owned() })),
        ("image", Content::Image(media("image/jpeg", Some("The best succulent ever?"), None))),
        ("video", Content::Video(media("video/mp4", None, None))),
        ("audio", audio("audio/mpeg", false)),
        ("voice", audio("audio/ogg; codecs=opus", true)),
        ("document", Content::Document(media("application/pdf", None, Some("invoice.pdf")))),
        (
            "sticker",
            Content::Sticker(Sticker {
                id: ID.to_owned(),
                mime_type: some("image/webp"),
                sha256: some(SHA),
                animated: true,
            }),
        ),
        (
            "location",
            Content::Location(Location {
                latitude: 37.483307,
                longitude: -122.148981,
                name: some("Facebook HQ"),
                address: some("1 Hacker Way"),
                url: some("https://example.com/hq"),
            }),
        ),
        ("reaction", Content::Reaction(Reaction { message_id: original(), emoji: some("👍") })),
        ("unreaction", Content::Reaction(Reaction { message_id: original(), emoji: None })),
        (
            "button_reply",
            Content::ButtonReply(Choice {
                id: "cancel-button".to_owned(),
                title: "Cancel".to_owned(),
                description: None,
            }),
        ),
        (
            "list_reply",
            Content::ListReply(Choice {
                id: "priority_express".to_owned(),
                title: "Priority Mail Express".to_owned(),
                description: some("Next Day to 2 Days"),
            }),
        ),
        (
            "nfm_reply",
            Content::FormReply(FormReply {
                name: some("flow"),
                body: some("Sent"),
                response_json: r#"{"flow_token":"t","size":42}"#.to_owned(),
            }),
        ),
        (
            "call_permission_reply",
            Content::CallPermissionReply(CallPermissionReply {
                response: "accept".to_owned(),
                expires_at: Some(1_750_021_183_000),
            }),
        ),
        (
            "button",
            Content::TemplateButton(TemplateButton { text: "Unsubscribe".to_owned(), payload: some("UNSUBSCRIBE") }),
        ),
        (
            "order",
            Content::Order(Order {
                catalog_id: "194836987003835".to_owned(),
                text: some("Love these!"),
                items: vec![item("di9ozbzfi4", 2, "30.5"), item("nqryix03ez", 1, "25")],
            }),
        ),
        (
            "system",
            Content::System(SystemNotice {
                kind: "user_changed_number".to_owned(),
                body: some("User Sheena Nelson changed from 16505551234 to 12195555358"),
                wa_id: some("12195555358"),
                user_id: None,
                previous_user_id: None,
                parent_user_id: None,
                previous_parent_user_id: None,
            }),
        ),
        ("edit", Content::Edit(Edit { message_id: original(), body: some("I meant blue") })),
        ("revoke", Content::Revoke(Revoke { message_id: original() })),
        (
            "unsupported",
            Content::Unsupported(Unsupported {
                errors: vec![PlatformError {
                    code: 131051,
                    title: "Message type unknown".to_owned(),
                    details: some("Message type is currently not supported."),
                }],
            }),
        ),
        ("unknown", Content::Unknown("hologram".to_owned())),
    ];
    for (name, expected) in cases {
        let message = read(name);
        assert_eq!(message.content, expected, "{name}");
        assert_eq!(message.timestamp, Some(1_749_416_383_000), "{name}");
    }
}

#[test]
fn contact_cards_keep_what_can_be_read() {
    let Content::Contacts(cards) = read("contacts").content else { panic!("no contacts") };
    assert_eq!(cards.len(), 2);
    assert_eq!(cards[0].formatted_name, "Barbara J. Johnson");
    let phone = ContactPhone { phone: "+1 (650) 555-9999".to_owned(), wa_id: some("16505559999") };
    assert_eq!(cards[0].phones, vec![phone]);
    assert_eq!(cards[0].emails, vec!["barb@example.com".to_owned()]);
    assert_eq!((cards[1].formatted_name.as_str(), cards[1].raw.contains("vcard")), ("", true));
}

#[test]
fn replies_forwards_and_referrals() {
    let text = read("text");
    assert_eq!(text.reply_to.unwrap().message_id.as_deref(), Some("wamid.ORIGINAL"));
    let referral = text.referral.unwrap();
    assert_eq!(referral.source_type.as_deref(), Some("ad"));
    assert!(referral.ctwa_clid.unwrap().starts_with("Aff-"));
    let forwarded = read("forwarded").reply_to.unwrap();
    assert_eq!((forwarded.message_id, forwarded.forwarded, forwarded.frequently_forwarded), (None, true, true));
    assert_eq!(read("image").reply_to, None);
}

#[test]
fn what_cannot_be_read_is_unknown_with_its_type() {
    let deep_edit = format!(
        r#"{{"type":"edit","edit":{}null{}}}"#,
        r#"{"original_message_id":"x","message":{"type":"edit","edit":"#.repeat(5000),
        "}}".repeat(5000)
    );
    let cases = [
        ("", "unknown"),
        ("null", "unknown"),
        ("[1]", "unknown"),
        ("{}", "unknown"),
        (r#"{"type":7}"#, "7"),
        (r#"{"type":"text"}"#, "text"),
        (r#"{"type":"text","text":{}}"#, "text"),
        (r#"{"type":"text","text":{"body":null}}"#, "text"),
        (r#"{"type":"image","image":{"id":[]}}"#, "image"),
        (r#"{"type":"location","location":{"latitude":"north","longitude":1}}"#, "location"),
        (r#"{"type":"interactive","interactive":{"type":"new_reply","new_reply":{}}}"#, "interactive"),
        (r#"{"type":"contacts","contacts":{}}"#, "contacts"),
        (r#"{"type":"order","order":{"catalog_id":"1","product_items":[{"quantity":-1}]}}"#, "order"),
    ];
    for (raw, kind) in cases {
        assert_eq!(parse(raw).content, Content::Unknown(kind.to_owned()), "{raw}");
    }
    assert!(matches!(parse(&deep_edit).content, Content::Edit(Edit { body: None, .. })));
}
