//! Messages typed as Meta has them: what the builders make, and that JSON comes back as it went in.
#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_protocol::outbound::Content;
use hoopoe_protocol::outbound::typed::{
    Address, Card, CardName, Component, Email, File, Header, Interactive, Message, Parameter, Phone, ProductItem,
    Reaction, Read, Row, Section, Template, Text, Url,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

fn rows(count: usize) -> Vec<Row> {
    (0..count).map(|n| Row { id: format!("row-{n}"), title: format!("Row {n}"), description: None }).collect()
}

fn section(rows: Vec<Row>) -> Section {
    Section { rows, ..Section::default() }
}

fn products() -> Section {
    Section { product_items: vec![ProductItem { product_retailer_id: "sku".to_owned() }], ..Section::default() }
}

#[test]
fn builders() {
    let body = json!({"text": "Choose"});
    let cases = [
        (
            Interactive::buttons("Choose", &[("y", "Yes")]),
            json!({"type":"button","body":body,"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}}]}}),
        ),
        (
            Interactive::list("Choose", "Open", vec![section(rows(1))]),
            json!({"type":"list","body":body,
                "action":{"button":"Open","sections":[{"rows":[{"id":"row-0","title":"Row 0"}]}]}}),
        ),
        (
            Interactive::cta_url("Choose", "Go", "https://example.com"),
            json!({"type":"cta_url","body":body,
                "action":{"name":"cta_url","parameters":{"display_text":"Go","url":"https://example.com"}}}),
        ),
        (
            Interactive::flow("Choose", "1", "Book", "t"),
            json!({"type":"flow","body":body,"action":{"name":"flow","parameters":
                {"flow_message_version":"3","flow_id":"1","flow_cta":"Book","flow_token":"t"}}}),
        ),
        (
            Interactive::location_request("Choose"),
            json!({"type":"location_request_message","body":body,"action":{"name":"send_location"}}),
        ),
        (
            Interactive::address("Choose", "IN"),
            json!({"type":"address_message","body":body,
                "action":{"name":"address_message","parameters":{"country":"IN"}}}),
        ),
        (
            Interactive::product("c", "sku"),
            json!({"type":"product","action":{"catalog_id":"c","product_retailer_id":"sku"}}),
        ),
        (
            Interactive::products("New", "Choose", "c", vec![products()]),
            json!({"type":"product_list","header":{"type":"text","text":"New"},"body":body,
                "action":{"catalog_id":"c","sections":[{"product_items":[{"product_retailer_id":"sku"}]}]}}),
        ),
        (
            Interactive::catalogue("Choose"),
            json!({"type":"catalog_message","body":body,"action":{"name":"catalog_message"}}),
        ),
    ];
    for (built, expected) in cases {
        let payload = Message::Interactive(built.into()).payload(Some("wamid.1")).unwrap();
        let expected = json!({"type":"interactive","interactive":expected,"context":{"message_id":"wamid.1"}});
        assert_eq!(payload, expected);
    }
    let payload = Message::Template(Template::authentication("code", "en", "123456")).payload(None).unwrap();
    let text = json!([{"type":"text","text":"123456"}]);
    let expected = json!({"type":"template","template":{"name":"code","language":{"code":"en"},"components":[
        {"type":"body","parameters":text},{"type":"button","sub_type":"url","index":0,"parameters":text}]}});
    assert_eq!(payload, expected);
}

#[test]
fn limits_name_the_field_by_its_path() {
    let named = |names: &[&str]| {
        let parameters = names.iter().map(|name| Parameter::named(name, "x")).collect();
        Message::Template(Template::new("t", "en", vec![Component::body(parameters)]))
    };
    let card = |formatted: &str| Card {
        name: CardName {
            formatted_name: formatted.to_owned(),
            first_name: Some("A".to_owned()),
            ..CardName::default()
        },
        ..Card::default()
    };
    let four: Vec<_> = ["1", "2", "3", "4"].map(|id| (id, id)).to_vec();
    let with_header = |header: Header| {
        let message = Interactive { header: Some(header), ..Interactive::cta_url("a", "Go", "https://e.x") };
        Message::Interactive(message.into())
    };
    let picture = File { id: Some("1".to_owned()), caption: Some("x".to_owned()), ..File::default() };
    let cases = [
        (
            Message::Interactive(Interactive::buttons("a", &four).into()),
            "interactive.action.buttons[3]: at most 3 buttons",
        ),
        (
            Message::Interactive(Interactive::list("a", "b", vec![section(rows(11))]).into()),
            "interactive.action.sections[0].rows[10]: at most 10 rows",
        ),
        (named(&["a", "a"]), "template.components[0].parameters[1].parameter_name: is used twice"),
        (Message::Contacts(vec![card("Ada"), card("")]), "contacts[1].name.formatted_name: is empty"),
        (Message::Contacts(vec![card("Ada"); 258]), "contacts[257]: at most 257 contacts"),
        (
            with_header(Header { kind: "image".to_owned(), image: Some(picture), ..Header::default() }),
            "interactive.header.image.caption: is not possible in a header",
        ),
        (with_header(Header { kind: "text".to_owned(), ..Header::default() }), "interactive.header.text: is missing"),
        (
            Message::Template(Template::authentication("code", "en", &"1".repeat(2001))),
            "template.components[0].parameters[0].text: has 2001 characters, Meta's limit is 1024",
        ),
        (Message::Text(Text { body: "a\0".to_owned(), preview_url: false }), "text.body: holds a NUL character"),
        (Message::Image(File::default()), "image: has neither id nor link"),
    ];
    for (message, expected) in cases {
        let error = message.payload(None).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let reaction = Message::Reaction(Reaction { message_id: "wamid.1".to_owned(), emoji: String::new() });
    assert!(reaction.payload(None).is_ok(), "takes the reaction back");
    assert_eq!(reaction.payload(Some("wamid.2")).unwrap_err().field, "reply_to");
}

/// The field that is named, the most that it may have, and a message that has so much of it: the limits that Meta does
/// not document. The others are held against the simulated Meta by the runtime's tests of kinds.
type Limit = (&'static str, usize, fn(usize) -> Message);

fn card(rest: Card) -> Message {
    let (formatted_name, first_name) = ("Ada Lovelace".to_owned(), Some("Ada".to_owned()));
    Message::Contacts(vec![Card { name: CardName { formatted_name, first_name, ..CardName::default() }, ..rest }])
}

fn long(length: usize) -> String {
    "ä".repeat(length)
}

fn phone() -> Phone {
    Phone { phone: "+44".to_owned(), ..Phone::default() }
}

fn email() -> Email {
    Email { email: "ada@example.com".to_owned(), ..Email::default() }
}

fn website() -> Url {
    Url { url: "https://example.com".to_owned(), ..Url::default() }
}

const LIMITS: &[Limit] = &[
    ("image.id", 512, |n| Message::Image(File { id: Some(long(n)), ..File::default() })),
    ("reaction.message_id", 512, |n| Message::Reaction(Reaction { message_id: long(n), emoji: long(1) })),
    ("read.message_id", 512, |n| Message::Read(Read { message_id: long(n), typing: false })),
    ("contacts[0].phones[100]", 100, |n| card(Card { phones: vec![phone(); n], ..Card::default() })),
    ("contacts[0].emails[100]", 100, |n| card(Card { emails: vec![email(); n], ..Card::default() })),
    ("contacts[0].urls[100]", 100, |n| card(Card { urls: vec![website(); n], ..Card::default() })),
    ("contacts[0].addresses[100]", 100, |n| card(Card { addresses: vec![Address::default(); n], ..Card::default() })),
];

#[test]
fn what_is_at_a_limit_passes_and_one_more_does_not() {
    for (field, most, of) in LIMITS {
        let passes = of(*most).payload(None);
        assert!(passes.is_ok(), "{field} {most}: {passes:?}");
        assert_eq!(of(most + 1).payload(None).expect_err(field).field, *field, "{most}");
    }
}

/// The message that a payload of this type is.
fn typed(payload: &Value) -> Message {
    if payload["type"] == "interactive" {
        return Message::Interactive(serde_json::from_value(payload["interactive"].clone()).unwrap());
    }
    Message::Template(serde_json::from_value(payload["template"].clone()).unwrap())
}

#[test]
fn what_is_not_known_here_goes_as_a_raw_payload_only() {
    let interactive = |kind: &str, action: Value| {
        let content = json!({ "type": kind, "body": { "text": "a" }, "action": action });
        json!({ "type": "interactive", "interactive": content })
    };
    let with = |kind: &str, parameters: Value| interactive(kind, json!({ "name": kind, "parameters": parameters }));
    let template = |component: Value| {
        let content = json!({ "name": "t", "language": { "code": "en" }, "components": [component] });
        json!({ "type": "template", "template": content })
    };
    let value = |value: Value| template(json!({ "type": "body", "parameters": [value] }));
    let button = |sub_type: &str, parameter: Value| {
        template(json!({ "type": "button", "sub_type": sub_type, "index": 0, "parameters": [parameter] }))
    };
    let cases = [
        ("a kind", interactive("video_call", json!({ "name": "video_call" })), "interactive.type"),
        (
            "another action",
            interactive("location_request_message", json!({ "name": "send_location", "parameters": {} })),
            "interactive.action.parameters",
        ),
        (
            "a website's",
            with("cta_url", json!({ "display_text": "Go", "url": "https://example.com", "ttl_minutes": 5 })),
            "interactive.action.parameters.ttl_minutes",
        ),
        (
            "a form's",
            with("flow", json!({ "flow_message_version": "3", "flow_id": "1", "flow_cta": "Go", "colour": "red" })),
            "interactive.action.parameters.colour",
        ),
        (
            "a form's screen",
            with(
                "flow",
                json!({ "flow_message_version": "3", "flow_id": "1", "flow_cta": "Go",
                    "flow_action_payload": { "screen": "A", "colour": "red" } }),
            ),
            "interactive.action.parameters.flow_action_payload.colour",
        ),
        (
            "an address's",
            with("address_message", json!({ "country": "IN", "colour": "red" })),
            "interactive.action.parameters.colour",
        ),
        ("a catalogue's", with("catalog_message", json!({ "colour": "red" })), "interactive.action.parameters.colour"),
        (
            "products in a list",
            interactive(
                "list",
                json!({ "button": "a", "sections": [{ "rows": [{ "id": "1", "title": "a" }],
                    "product_items": [{ "product_retailer_id": "1" }] }] }),
            ),
            "interactive.action.sections[0].product_items",
        ),
        ("a component", template(json!({ "type": "hologram" })), "template.components[0].type"),
        (
            "a field of a component",
            template(json!({ "type": "body", "sub_type": "url" })),
            "template.components[0].sub_type",
        ),
        ("a value", value(json!({ "type": "hologram" })), "template.components[0].parameters[0].type"),
        (
            "two values in one",
            value(json!({ "type": "text", "text": "a", "payload": "b" })),
            "template.components[0].parameters[0].payload",
        ),
        (
            "a field of a date",
            value(json!({ "type": "date_time", "date_time": { "fallback_value": "a", "zone": "UTC" } })),
            "template.components[0].parameters[0].date_time.zone",
        ),
        (
            "a button",
            button("video_call", json!({ "type": "payload", "payload": "a" })),
            "template.components[0].sub_type",
        ),
    ];
    for (label, payload, field) in cases {
        let refused = typed(&payload).payload(None).expect_err(label);
        assert_eq!(refused.field, field, "{label}");
        assert!(refused.message.contains("a payload"), "{label}: {refused}");
        // A flow gives a template's components as JSON.
        if let Some(components) = payload.pointer("/template/components") {
            let (name, language, components) = ("t".to_owned(), "en".to_owned(), components.clone());
            assert_eq!(Content::Template { name, language, components }.payload(None), Err(refused), "{label}");
        }
        let raw = Content::Raw(payload.as_object().unwrap().clone());
        assert_eq!(raw.payload(None), Ok(payload), "{label}");
    }
}

fn there_and_back<T: Serialize + DeserializeOwned>(value: Value) {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), value);
}

#[test]
fn json_comes_back_as_it_went_in() {
    there_and_back::<File>(json!({"link":"https://example.com/a.ogg","voice":true}));
    there_and_back::<Card>(json!({"name":{"formatted_name":"Ada","first_name":"Ada"},
        "phones":[{"phone":"+44","type":"Work","wa_id":"44"}],"org":{"company":"c"},"birthday":"1999-01-23"}));
    there_and_back::<Template>(json!({"name":"t","language":{"code":"en","policy":"deterministic"},"components":[
        {"type":"carousel","cards":[{"card_index":0,"components":[{"type":"button","sub_type":"flow","index":"0",
            "parameters":[{"type":"action","action":{"flow_token":"t"}}]}]}]}]}));
    assert!(serde_json::from_value::<File>(json!({"url":"https://example.com"})).is_err(), "unknown fields are told");
}
