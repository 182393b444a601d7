//! What is refused when a template is saved, and where the message points.

#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_templates::{Invalid, Template};
use serde_json::{Value, json};

fn parse(components: Value) -> Result<Template, Invalid> {
    Template::parse(&components, &json!({}))
}

fn body(text: &str) -> Value {
    json!({ "type": "body", "text": text })
}

fn buttons(buttons: Value) -> Value {
    json!({ "type": "buttons", "buttons": buttons })
}

fn reply(text: &str) -> Value {
    json!({ "type": "quick_reply", "text": text })
}

fn url(url: &str) -> Value {
    json!({ "type": "url", "text": "Open", "url": url })
}

#[track_caller]
fn refused(label: &str, found: Result<Template, Invalid>, path: &str, word: &str) {
    let error = found.err().unwrap_or_else(|| panic!("{label}: it was taken"));
    assert_eq!(error.path, path, "{label}: {error}");
    assert!(error.message.contains(word), "{label}: no {word:?} in {error}");
}

#[test]
fn the_form_is_checked_field_by_field() {
    let cases = [
        ("no list", json!({}), "components", "an object; a list is needed"),
        ("null", json!(null), "components", "null; a list"),
        ("nothing", json!([]), "components", "give at least a body"),
        ("no object", json!(["Hello"]), "components[0]", "a text; an object"),
        ("no type", json!([{ "text": "Hello" }]), "components[0].type", "missing"),
        ("an unknown type", json!([body("a"), { "type": "bodi" }]), "components[1].type", "header, body, footer"),
        ("a type that is a number", json!([{ "type": 1 }]), "components[0].type", "a number; a text"),
        ("no text", json!([{ "type": "body" }]), "components[0].text", "missing"),
        ("a blank text", json!([body(" \n")]), "components[0].text", "empty"),
        ("a text that is a list", json!([{ "type": "body", "text": ["a"] }]), "components[0].text", "a list; a text"),
        ("NUL", json!([body("a\0b")]), "components", "NUL"),
        (
            "an unknown field",
            json!([{ "type": "body", "text": "a", "txt": "b" }]),
            "components[0].txt",
            "type, preview_url, text",
        ),
        ("two bodies", json!([body("a"), body("b")]), "components[1].type", "another body"),
        ("no body", json!([{ "type": "footer", "text": "a" }]), "components", "no body"),
        ("an open variable", json!([body("Hello {{name")]), "components[0].text", "without \"}}\""),
        ("no variable", json!([body("Hello {{first name}}")]), "components[0].text", "{{first name}} is no variable"),
        (
            "an unknown format",
            json!([body("a"), { "type": "header", "format": "gif" }]),
            "components[1].format",
            "image, video",
        ),
        (
            "a picture without source",
            json!([{ "type": "header", "format": "image" }, body("a")]),
            "components[0]",
            "one of the two",
        ),
        (
            "a picture with two",
            json!([{ "type": "header", "format": "image", "id": "1", "link": "https://a.example/b" }, body("a")]),
            "components[0]",
            "one of the two",
        ),
        (
            "a name of a picture",
            json!([{ "type": "header", "format": "image", "id": "1", "filename": "a" }, body("a")]),
            "components[0].filename",
            "unknown here",
        ),
        ("buttons that are none", json!([body("a"), buttons(json!({}))]), "components[1].buttons", "a list is needed"),
        ("no buttons", json!([body("a"), buttons(json!([]))]), "components[1].buttons", "empty"),
        (
            "an unknown button",
            json!([body("a"), buttons(json!([{ "type": "x" }]))]),
            "components[1].buttons[0].type",
            "quick_reply",
        ),
        (
            "a button without text",
            json!([body("a"), buttons(json!([{ "type": "quick_reply" }]))]),
            "components[1].buttons[0].text",
            "missing",
        ),
        (
            "preview by a word",
            json!([{ "type": "body", "text": "a", "preview_url": "yes" }]),
            "components[0].preview_url",
            "true or false",
        ),
    ];
    for (label, components, path, word) in cases {
        refused(label, parse(components), path, word);
    }
}

#[test]
fn variables_are_named_or_positional_and_positions_have_no_gap() {
    let footer = |text: &str| json!({ "type": "footer", "text": text });
    let cases = [
        ("both in one text", json!([body("{{name}} {{1}}")]), "components[0].text", "{{name}} and {{1}}"),
        ("both in two texts", json!([body("{{1}}"), footer("{{name}}")]), "components[1].text", "{{1}} and {{name}}"),
        ("a gap", json!([body("{{1}} {{3}}")]), "components", "{{2}} is missing"),
        ("not from 1", json!([body("{{2}}")]), "components", "{{1}} is missing"),
    ];
    for (label, components, path, word) in cases {
        refused(label, parse(components), path, word);
    }
    // They count through the whole template.
    parse(json!([body("{{2}} {{1}} {{2}}"), footer("{{3}}")])).unwrap();
    let many: String = (0..101).map(|number| format!("{{{{v{number}}}}}")).collect();
    refused("too many", parse(json!([body(&many)])), "components", "101 different variables");
}

#[test]
fn what_can_never_be_sent_is_refused() {
    let long = |count: usize| "x".repeat(count);
    let header = |text: &str| json!({ "type": "header", "text": text });
    let cases = [
        ("a long text", json!([body(&long(4097))]), "components[0].text", "4097"),
        (
            "a long body above buttons",
            json!([body(&long(1025)), buttons(json!([reply("a")]))]),
            "components[0].text",
            "1024",
        ),
        ("a long header", json!([header(&long(61)), body("a")]), "components[0].text", "60"),
        ("a long footer", json!([body("a"), { "type": "footer", "text": long(61) }]), "components[1].text", "60"),
        ("a long title", json!([body("a"), buttons(json!([reply(&long(21))]))]), "components[1].buttons[0].text", "20"),
        (
            "four buttons",
            json!([body("a"), buttons(json!([reply("a"), reply("b"), reply("c"), reply("d")]))]),
            "components[1].buttons[3]",
            "limit is 3",
        ),
        (
            "one button twice",
            json!([body("a"), buttons(json!([reply("a"), reply("a")]))]),
            "components[1].buttons[1].id",
            "twice",
        ),
        (
            "a reply and an address",
            json!([body("a"), buttons(json!([reply("a"), url("https://a.example")]))]),
            "components[1].buttons[1]",
            "either one url button",
        ),
        (
            "two addresses",
            json!([body("a"), buttons(json!([url("https://a.example"), url("https://b.example")]))]),
            "components[1].buttons[1]",
            "either one url button",
        ),
        (
            "plain http",
            json!([body("a"), buttons(json!([url("http://a.example")]))]),
            "components[1].buttons[0].url",
            "https",
        ),
        (
            "no host",
            json!([body("a"), buttons(json!([url("https:///{{a}}")]))]),
            "components[1].buttons[0].url",
            "https",
        ),
        (
            "a number to call",
            json!([body("a"), buttons(json!([{ "type": "phone_number", "text": "Call", "phone_number": "+1555" }]))]),
            "components[1].buttons[0].type",
            "only approved templates",
        ),
        (
            "a preview above buttons",
            json!([{ "type": "body", "text": "a", "preview_url": true }, buttons(json!([reply("a")]))]),
            "components[0].text",
            "preview_url",
        ),
    ];
    for (label, components, path, word) in cases {
        refused(label, parse(components), path, word);
    }
    // At the limits, and with variables that may be short.
    parse(json!([body(&long(4096))])).unwrap();
    parse(json!([header(&format!("{}{{{{name}}}}", long(60))), body(&long(1024)), buttons(json!([reply(&long(20))]))]))
        .unwrap();
}

#[test]
fn an_approved_template_has_metas_rules() {
    let approved = |components: Value| Template::parse(&components, &json!({ "meta": { "name": "order_update" } }));
    let header = |text: &str| json!({ "type": "header", "text": text });
    let cases = [
        ("capital letters", json!([body("{{firstName}}")]), "components[0].text", "capital letters"),
        ("two in the header", json!([header("{{a}} {{b}}"), body("x")]), "components[0].text", "at most one"),
        (
            "one in the footer",
            json!([body("x"), { "type": "footer", "text": "{{a}}" }]),
            "components[1].text",
            "has no variables",
        ),
        ("a long body", json!([body(&"x".repeat(1025))]), "components[0].text", "1024"),
        (
            "one in a title",
            json!([body("x"), buttons(json!([reply("{{a}}")]))]),
            "components[1].buttons[0].text",
            "has no variables",
        ),
        (
            "in the middle of an address",
            json!([body("x"), buttons(json!([url("https://a.example/{{a}}/b")]))]),
            "components[1].buttons[0].url",
            "at the end",
        ),
        (
            "eleven buttons",
            json!([body("x"), buttons(Value::Array(vec![reply("a"); 11]))]),
            "components[1].buttons[10]",
            "10",
        ),
    ];
    for (label, components, path, word) in cases {
        refused(label, approved(components), path, word);
    }
    let metas = [
        ("no object", json!("order_update"), "metadata.meta", "an object"),
        ("no name", json!({}), "metadata.meta.name", "missing"),
        ("a name of Meta's form", json!({ "name": "Order Update" }), "metadata.meta.name", "a-z, 0-9 and _"),
        ("no language", json!({ "name": "a", "language": "english" }), "metadata.meta.language", "no language"),
        ("no category", json!({ "name": "a", "category": "FUN" }), "metadata.meta.category", "MARKETING"),
        ("an unknown field", json!({ "name": "a", "namespace": "b" }), "metadata.meta.namespace", "unknown"),
    ];
    for (label, meta, path, word) in metas {
        refused(label, Template::parse(&json!([body("x")]), &json!({ "meta": meta })), path, word);
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let metadata = json!({ "note": "x".repeat(17 << 10) });
    refused("metadata", Template::parse(&json!([body("a")]), &metadata), "metadata", "16384");
    refused("no object", Template::parse(&json!([body("a")]), &json!([])), "metadata", "an object");
    let components = json!([{ "type": "own", "text": "x".repeat(65 << 10) }]);
    let error = hoopoe_templates::check_frame(&components, &json!({})).unwrap_err();
    assert_eq!(error.path, "components");
    hoopoe_templates::check_frame(&json!([{ "type": "own", "anything": [1, 2] }]), &json!({})).unwrap();
}

#[test]
fn variables_are_told_in_reading_order() {
    let template = parse(json!([
        buttons(json!([{ "type": "quick_reply", "text": "{{d}}", "id": "{{e}}" }])),
        { "type": "footer", "text": "{{c}}" },
        body("{{b|x}} {{a}}"),
        { "type": "header", "text": "{{a}}" },
    ]));
    let variables = template.unwrap().variables();
    let names: Vec<_> = variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(variables[1].default.as_deref(), Some("x"));
}
