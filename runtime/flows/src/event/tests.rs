//! Items as Meta sends them, and what a flow is given of them.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use hoopoe_protocol::envelope;
use hoopoe_sandbox::contract::{
    Audio, CallPermissionReply, Choice, ContactCard, ContactPhone, Edit, FormReply, Location, Media, Order, OrderItem,
    PlatformError, Reaction, Referral, ReplyTo, Revoke, Sticker, SystemNotice, TemplateButton, Text, Unsupported,
};
use serde_json::{Value, json};

use super::*;
use crate::simulate::sample;

/// A message of the protocol's fixtures: the item as it is stored.
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../protocol/tests/fixtures/messages/{name}.json"));
    envelope::parse(&fs::read(path).unwrap()).unwrap().swap_remove(0).raw
}

fn given(channel_kind: &str, raw: &str) -> (out::Context, out::Message) {
    match contract(Uuid::nil(), &sample("message", channel_kind, raw), 1, "{}") {
        (context, out::Event::Message(message)) => (context, message),
        (_, other) => panic!("{raw}: {other:?}"),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const ID: &str = "1003383421387256";
const SHA: &str = "SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=";

fn file(mime_type: &str, caption: Option<&str>, filename: Option<&str>) -> Media {
    Media {
        id: ID.to_owned(),
        mime_type: some(mime_type),
        sha256: some(SHA),
        caption: caption.map(str::to_owned),
        filename: filename.map(str::to_owned),
    }
}

fn sound(mime_type: &str, voice: bool) -> Content {
    Content::Audio(Audio { id: ID.to_owned(), mime_type: some(mime_type), sha256: some(SHA), voice })
}

fn item(id: &str, quantity: u32, price: &str) -> OrderItem {
    OrderItem { product_retailer_id: id.to_owned(), quantity, item_price: price.to_owned(), currency: "USD".to_owned() }
}

fn unsupported() -> PlatformError {
    let details = some("Message type is currently not supported.");
    PlatformError { code: 131_051, title: "Message type unknown".to_owned(), details }
}

fn contents() -> Vec<(&'static str, Content)> {
    let original = || "wamid.ORIGINAL".to_owned();
    let body = |text: &str| Content::Text(Text { body: text.to_owned() });
    let choice = |id: &str, title: &str, description: Option<&str>| Choice {
        id: id.to_owned(),
        title: title.to_owned(),
        description: description.map(str::to_owned),
    };
    let sticker = Sticker { id: ID.to_owned(), mime_type: some("image/webp"), sha256: some(SHA), animated: true };
    let place = Location {
        latitude: 37.483307,
        longitude: -122.148981,
        name: some("Facebook HQ"),
        address: some("1 Hacker Way"),
        url: some("https://example.com/hq"),
    };
    let form = FormReply {
        name: some("flow"),
        body: some("Sent"),
        response_json: r#"{"flow_token":"t","size":42}"#.to_owned(),
    };
    let permission = CallPermissionReply { response: "accept".to_owned(), expires_at: Some(1_750_021_183_000) };
    let order = Order {
        catalog_id: "194836987003835".to_owned(),
        text: some("Love these!"),
        items: vec![item("di9ozbzfi4", 2, "30.5"), item("nqryix03ez", 1, "25")],
    };
    let notice = SystemNotice {
        kind: "user_changed_number".to_owned(),
        body: some("User Sheena Nelson changed from 16505551234 to 12195555358"),
        wa_id: some("12195555358"),
        user_id: None,
    };
    vec![
        ("text", body("Does it come in another color? Käse 🧀")),
        ("forwarded", body("pass it on")),
        ("image", Content::Image(file("image/jpeg", Some("The best succulent ever?"), None))),
        ("video", Content::Video(file("video/mp4", None, None))),
        ("audio", sound("audio/mpeg", false)),
        ("voice", sound("audio/ogg; codecs=opus", true)),
        ("document", Content::Document(file("application/pdf", None, Some("invoice.pdf")))),
        ("sticker", Content::Sticker(sticker)),
        ("location", Content::Location(place)),
        ("reaction", Content::Reaction(Reaction { message_id: original(), emoji: some("👍") })),
        ("unreaction", Content::Reaction(Reaction { message_id: original(), emoji: None })),
        ("button_reply", Content::ButtonReply(choice("cancel-button", "Cancel", None))),
        (
            "list_reply",
            Content::ListReply(choice("priority_express", "Priority Mail Express", Some("Next Day to 2 Days"))),
        ),
        ("nfm_reply", Content::FormReply(form)),
        ("call_permission_reply", Content::CallPermissionReply(permission)),
        (
            "button",
            Content::TemplateButton(TemplateButton { text: "Unsubscribe".to_owned(), payload: some("UNSUBSCRIBE") }),
        ),
        ("order", Content::Order(order)),
        ("system", Content::System(notice)),
        ("edit", Content::Edit(Edit { message_id: original(), body: some("I meant blue") })),
        ("revoke", Content::Revoke(Revoke { message_id: original() })),
        ("unsupported", Content::Unsupported(Unsupported { errors: vec![unsupported()] })),
        ("unknown", Content::Unknown("hologram".to_owned())),
    ]
}

#[test]
fn every_kind_of_message_is_given_as_its_variant() {
    for (name, expected) in contents() {
        let raw = fixture(name);
        let (_, message) = given("whatsapp", &raw);
        assert_eq!(message.content, expected, "{name}");
        assert_eq!(message.raw, raw, "{name}");
        assert!(message.id.starts_with("wamid."), "{name}: {}", message.id);
    }
}

#[test]
fn cards_are_given_with_what_can_be_read() {
    let (_, message) = given("whatsapp", &fixture("contacts"));
    let Content::Contacts(cards) = message.content else { panic!("{:?}", message.content) };
    let [ContactCard { formatted_name, phones, emails, .. }, other] = cards.as_slice() else { panic!("{cards:?}") };
    assert_eq!(
        (formatted_name.as_str(), emails.as_slice()),
        ("Barbara J. Johnson", ["barb@example.com".to_owned()].as_slice())
    );
    let phone = ContactPhone { phone: "+1 (650) 555-9999".to_owned(), wa_id: some("16505559999") };
    assert_eq!(phones.as_slice(), [phone]);
    assert!(other.raw.contains("vcard"), "{other:?}");
}

#[test]
fn what_a_message_answers_and_what_brought_it_is_given() {
    let (context, message) = given("whatsapp", &fixture("text"));
    let answered = ReplyTo { message_id: some("wamid.ORIGINAL"), forwarded: false, frequently_forwarded: false };
    assert_eq!(message.reply_to, Some(answered));
    let Referral { source_type, source_id, source_url, headline, body, ctwa_clid } = message.referral.unwrap();
    assert_eq!((source_type, source_id), (some("ad"), some("120226305854810726")));
    assert_eq!(source_url, some("https://fb.me/3cr4Wqqkv"));
    assert_eq!((headline, body), (some("Chat with us"), some("Summer succulents are here!")));
    assert!(ctwa_clid.unwrap().starts_with("Aff-"));
    assert_eq!(
        told(&context),
        json!({
            "message.reply-from": "15550783881",
            "message.referral": { "media_type": "image", "image_url": "https://scontent.example/x" },
        })
    );
    let (context, forwarded) = given("whatsapp", &fixture("forwarded"));
    let expected = ReplyTo { message_id: None, forwarded: true, frequently_forwarded: true };
    assert_eq!((forwarded.reply_to, told(&context)), (Some(expected), json!({})));
    let (_, plain) = given("whatsapp", &fixture("image"));
    assert_eq!((plain.reply_to, plain.referral), (None, None));
}

/// The attributes of a context: name and value.
fn told(context: &out::Context) -> Value {
    let read = |(name, text): &(String, String)| (name.clone(), serde_json::from_str::<Value>(text).unwrap());
    context.attributes.iter().map(read).collect()
}

#[test]
fn what_has_no_field_in_the_contract_is_an_attribute() {
    let cases = [
        (json!({ "type": "text", "text": { "body": "a" } }), json!({})),
        (json!({ "type": "text", "text": { "body": "a" }, "group_id": "g\"1" }), json!({ "message.group-id": "g\"1" })),
        (
            json!({ "type": "image", "image": { "id": "1" },
                "errors": [{ "code": 131052, "title": "Media download error", "error_data": { "details": "gone" } }] }),
            json!({ "message.errors": [{ "code": 131052, "title": "Media download error", "details": "gone" }] }),
        ),
        // Those are the content.
        (json!({ "type": "unsupported", "errors": [{ "code": 131051, "title": "unknown" }] }), json!({})),
        (
            json!({ "type": "text", "text": { "body": "this one?" }, "context": { "from": "1555", "id": "wamid.1",
                "referred_product": { "catalog_id": "19", "product_retailer_id": "di9" } } }),
            json!({ "message.reply-from": "1555",
                "message.product": { "catalog_id": "19", "product_retailer_id": "di9" } }),
        ),
        (
            json!({ "type": "text", "text": { "body": "a" }, "referral": { "source_type": "ad", "media_type": "video",
                "video_url": "https://v.example/1", "thumbnail_url": "https://v.example/2" } }),
            json!({ "message.referral": { "media_type": "video", "video_url": "https://v.example/1",
                "thumbnail_url": "https://v.example/2" } }),
        ),
    ];
    for (item, expected) in cases {
        let (context, _) = given("whatsapp", &item.to_string());
        assert_eq!(told(&context), expected, "{item}");
    }
    let event = json!({ "sender": { "id": "65" }, "recipient": { "id": "10" }, "timestamp": 1_749_416_383_000_i64,
        "message": { "mid": "m_1", "text": "hi" } });
    let (context, message) = given("messenger", &event.to_string());
    assert_eq!(told(&context), json!({ "channel.kind": "messenger" }));
    assert_eq!(message.content, Content::Text(Text { body: "hi".to_owned() }));
}
