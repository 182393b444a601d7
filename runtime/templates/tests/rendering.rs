//! From a template and values to a message.

#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_templates::{MediaKind, RenderError, Rendered, Source, Template};
use serde_json::{Value, json};

/// Names and values.
type Values<'a> = &'a [(&'a str, &'a str)];

fn render(components: Value, values: Values<'_>) -> Result<Rendered, RenderError> {
    render_with(components, json!({}), values)
}

fn render_with(components: Value, metadata: Value, values: Values<'_>) -> Result<Rendered, RenderError> {
    let template = Template::parse(&components, &metadata).unwrap_or_else(|error| panic!("{error}"));
    let values: Vec<_> = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    template.render(&values, "en")
}

fn body(text: &str) -> Value {
    json!({ "type": "body", "text": text })
}

fn text(body: &str) -> Rendered {
    Rendered::Text { body: body.to_owned(), preview_url: false }
}

#[test]
fn texts_get_their_values() {
    let sam = [("first_name", "Sam"), ("n", "{{x}}"), ("1", "a"), ("2", "b")];
    let cases = [
        (json!([body("Hello {{first_name}}, welcome!")]), "Hello Sam, welcome!"),
        (json!([body("{{ first_name }}{{first_name}}")]), "SamSam"),
        (json!([body("Hello {{other|friend}}")]), "Hello friend"),
        (json!([body("Hello{{other|}}!")]), "Hello!"),
        (json!([body("Hello {{first_name|friend}}")]), "Hello Sam"),
        (json!([body("{{2}} then {{1}}")]), "b then a"),
        (json!([body("a value is no template: {{n}}")]), "a value is no template: {{x}}"),
        (json!([body(r"plain: \{{first_name}}, {{first_name}}")]), "plain: {{first_name}}, Sam"),
        (
            json!([{ "type": "FOOTER", "text": "Bye" }, { "type": "HEADER", "text": "Hi {{first_name}}" }, body("text")]),
            "Hi Sam\n\ntext\n\nBye",
        ),
    ];
    for (components, expected) in cases {
        assert_eq!(render(components, &sam).unwrap(), text(expected));
    }
    let preview = json!([{ "type": "body", "text": "https://a.example", "preview_url": true }]);
    assert!(matches!(render(preview, &[]).unwrap(), Rendered::Text { preview_url: true, .. }));
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let components = json!([
        { "type": "header", "format": "image", "link": "{{picture}}" },
        body("{{b}} {{a}} {{b}} {{c|x}}"),
        { "type": "buttons", "buttons": [{ "type": "quick_reply", "text": "{{title}}" }] },
    ]);
    let missing = |names: &[&str]| RenderError::MissingVariables(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(render(components.clone(), &[]).unwrap_err(), missing(&["picture", "b", "a", "title"]));
    assert_eq!(render(components, &[("a", ""), ("picture", "x"), ("title", "y")]).unwrap_err(), missing(&["b"]));
}

#[test]
fn messages_over_metas_limits_are_refused() {
    let long = |count: usize| "ü".repeat(count);
    let buttons = |text: &str, id: &str| json!({ "type": "buttons", "buttons": [{ "type": "quick_reply", "text": text, "id": id }] });
    let header = json!({ "type": "header", "text": "{{h|x}}" });
    let two = json!({ "type": "buttons", "buttons": [
        { "type": "quick_reply", "text": "A", "id": "{{a}}" }, { "type": "quick_reply", "text": "B", "id": "{{b}}" },
    ] });
    let cases: [(&str, Value, Values<'_>, &[&str]); 9] = [
        ("a long text", json!([body("{{a}}")]), &[("a", &long(4097))], &["components[0].text", "4097", "4096"]),
        ("an empty text", json!([body("{{a}}")]), &[("a", " ")], &["components[0].text", "empty"]),
        ("long in all", json!([header, body("{{a}}")]), &[("a", &long(4095))], &["components[1].text", "4098", "4096"]),
        ("a long body", json!([body("{{a}}"), buttons("x", "y")]), &[("a", &long(1025))], &["1025", "1024"]),
        (
            "a long title",
            json!([body("x"), buttons("{{a}}", "y")]),
            &[("a", &long(21))],
            &["components[1].buttons[0].text", "20"],
        ),
        (
            "a long id",
            json!([body("x"), buttons("x", "{{a}}")]),
            &[("a", &long(257))],
            &["components[1].buttons[0].id", "256"],
        ),
        ("the same id", json!([body("x"), two]), &[("a", "1"), ("b", "1")], &["components[1].buttons[1].id", "twice"]),
        (
            "an address that is none",
            json!([{ "type": "header", "format": "image", "link": "{{a}}" }, body("x")]),
            &[("a", "ftp://a.example")],
            &["components[0].link", "https"],
        ),
        (
            "a long caption",
            json!([{ "type": "header", "format": "image", "id": "1" }, body("{{a}}")]),
            &[("a", &long(1025))],
            &["components[1].text", "1024"],
        ),
    ];
    for (label, components, values, words) in cases {
        let Err(RenderError::Invalid(reason)) = render(components, values) else { panic!("{label}: it was rendered") };
        for word in words {
            assert!(reason.contains(word), "{label}: no {word:?} in {reason}");
        }
    }
    assert_eq!(render(json!([body("{{a}}")]), &[("a", &long(4096))]).unwrap(), text(&long(4096)));
}

#[test]
fn files_have_a_caption() {
    let components = json!([
        { "type": "header", "format": "document", "link": "https://a.example/{{id}}?x={{id}}", "filename": "{{id}}.pdf" },
        body("Your bill"),
        { "type": "footer", "text": "Thanks" },
    ]);
    let expected = Rendered::Media {
        kind: MediaKind::Document,
        source: Source::Link("https://a.example/a%2F..%3F%C3%BC?x=a%2F..%3F%C3%BC".to_owned()),
        caption: "Your bill\n\nThanks".to_owned(),
        filename: Some("a/..?ü.pdf".to_owned()),
    };
    assert_eq!(render(components, &[("id", "a/..?ü")]).unwrap(), expected);
    let by_id = json!([{ "type": "header", "format": "video", "id": "{{file}}" }, body("Look")]);
    let rendered = render(by_id, &[("file", "123")]).unwrap();
    assert!(matches!(&rendered, Rendered::Media { source: Source::Id(id), .. } if id == "123"), "{rendered:?}");
}

#[test]
fn buttons_make_an_interactive_message() {
    let buttons = json!({ "type": "buttons", "buttons": [
        { "type": "quick_reply", "text": "Yes", "id": "yes:{{order}}" }, { "type": "quick_reply", "text": "No" },
    ] });
    let footer = json!({ "type": "footer", "text": "Bye" });
    let rendered = render(
        json!([{ "type": "header", "text": "Order {{order}}" }, body("OK?"), footer, buttons]),
        &[("order", "7")],
    );
    let expected = Rendered::Buttons {
        header: Some("Order 7".to_owned()),
        body: "OK?".to_owned(),
        footer: Some("Bye".to_owned()),
        buttons: vec![("yes:7".to_owned(), "Yes".to_owned()), ("No".to_owned(), "No".to_owned())],
    };
    assert_eq!(rendered.unwrap(), expected);

    let picture = json!({ "type": "header", "format": "image", "id": "123" });
    let Rendered::Payload(payload) = render(json!([picture, body("OK?"), buttons]), &[("order", "7")]).unwrap() else {
        panic!("no payload");
    };
    let expected = json!({ "type": "interactive", "interactive": {
        "type": "button",
        "header": { "type": "image", "image": { "id": "123" } },
        "body": { "text": "OK?" },
        "action": { "buttons": [
            { "type": "reply", "reply": { "id": "yes:7", "title": "Yes" } },
            { "type": "reply", "reply": { "id": "No", "title": "No" } },
        ] },
    } });
    assert_eq!(payload, expected);

    let url = json!({ "type": "buttons", "buttons": [{ "type": "url", "text": "Track", "url": "https://a.example/{{order}}" }] });
    let Rendered::Payload(payload) = render(json!([body("OK?"), footer, url]), &[("order", "a b")]).unwrap() else {
        panic!("no payload");
    };
    let expected = json!({ "type": "interactive", "interactive": {
        "type": "cta_url",
        "body": { "text": "OK?" },
        "footer": { "text": "Bye" },
        "action": { "name": "cta_url", "parameters": { "display_text": "Track", "url": "https://a.example/a%20b" } },
    } });
    assert_eq!(payload, expected);
}

#[test]
fn approved_templates_send_parameters_in_metas_order() {
    let meta =
        |language: Value| json!({ "meta": { "name": "order_update", "language": language, "category": "UTILITY" } });
    let positional = json!([
        { "type": "buttons", "buttons": [
            { "type": "quick_reply", "text": "Stop" },
            { "type": "quick_reply", "text": "More", "id": "more:{{1}}" },
            { "type": "url", "text": "Track", "url": "https://a.example/{{4}}" },
            { "type": "url", "text": "Shop", "url": "https://a.example/" },
            { "type": "phone_number", "text": "Call", "phone_number": "+15550001111" },
            { "type": "copy_code", "code": "SAVE{{5|10}}" },
        ] },
        body("Hi {{3}}, order {{2}} of {{3}} is on its way"),
        { "type": "header", "text": "Order {{1}}" },
    ]);
    let values = [("1", "A-1"), ("2", "two"), ("3", "Sam"), ("4", "t/9")];
    let expected = json!([
        { "type": "header", "parameters": [{ "type": "text", "text": "A-1" }] },
        { "type": "body", "parameters": [{ "type": "text", "text": "two" }, { "type": "text", "text": "Sam" }] },
        { "type": "button", "sub_type": "quick_reply", "index": "1", "parameters": [{ "type": "payload", "payload": "more:A-1" }] },
        { "type": "button", "sub_type": "url", "index": "2", "parameters": [{ "type": "text", "text": "t/9" }] },
        { "type": "button", "sub_type": "copy_code", "index": "5", "parameters": [{ "type": "coupon_code", "coupon_code": "SAVE10" }] },
    ]);
    let rendered = render_with(positional, meta(json!("en-us")), &values).unwrap();
    let Rendered::Approved { name, language, components } = rendered else { panic!("{rendered:?}") };
    assert_eq!((name.as_str(), language.as_str()), ("order_update", "en_US"));
    assert_eq!(components, expected);

    let named = json!([
        { "type": "header", "format": "document", "link": "https://a.example/{{file}}", "filename": "bill.pdf" },
        body("Hi {{name}}, {{total|0}} due, {{name}}"),
        { "type": "footer", "text": "Acme" },
    ]);
    let expected = json!([
        { "type": "header", "parameters": [
            { "type": "document", "document": { "link": "https://a.example/7.pdf", "filename": "bill.pdf" } },
        ] },
        { "type": "body", "parameters": [
            { "type": "text", "parameter_name": "name", "text": "Sam" },
            { "type": "text", "parameter_name": "total", "text": "0" },
        ] },
    ]);
    let rendered = render_with(named, meta(json!(null)), &[("name", "Sam"), ("file", "7.pdf")]).unwrap();
    assert_eq!(
        rendered,
        Rendered::Approved { name: "order_update".into(), language: "en".into(), components: expected }
    );

    let code =
        json!([body("{{1}} is your code"), { "type": "buttons", "buttons": [{ "type": "otp", "code": "{{1}}" }] }]);
    let Rendered::Approved { components, .. } = render_with(code, meta(json!(null)), &[("1", "042")]).unwrap() else {
        panic!("not approved");
    };
    let button =
        json!({ "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": "042" }] });
    assert_eq!(components[1], button);

    let plain = render_with(json!([body("Hello world")]), meta(json!(null)), &[]).unwrap();
    assert!(matches!(&plain, Rendered::Approved { components, .. } if *components == json!([])), "{plain:?}");
}

#[test]
fn parameters_that_meta_would_refuse_are_named() {
    let meta = json!({ "meta": { "name": "order_update" } });
    let cases = [
        ("empty", "", "empty"),
        ("blank", "  ", "empty"),
        ("two lines", "a\nb", "line break"),
        ("a tab", "a\tb", "tab"),
        ("five spaces", "a     b", "four spaces"),
        ("too long", &"x".repeat(1030), "1024"),
    ];
    for (label, value, word) in cases {
        let result = render_with(json!([body("Hi {{name}}")]), meta.clone(), &[("name", value)]);
        let Err(RenderError::Invalid(reason)) = result else { panic!("{label}: it was rendered") };
        assert!(reason.contains("components[0].text") && reason.contains(word), "{label}: {reason}");
    }
}
