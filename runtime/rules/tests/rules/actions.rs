//! What rules do, with values from the event.

use hoopoe_rules::Effect;
use serde_json::json;

use crate::{Chat, one};

#[test]
fn texts_are_filled_from_the_event() {
    let cases = [
        ("You said {{text}}.", "You said order 4711 GOLD."),
        ("Hello {{contact.name}} ({{contact.phone}}) from {{tenant.name}}", "Hello Ada (15550001111) from Acme"),
        ("{{contact.username|nobody}} {{kind}} {{language}}", "nobody text en_GB"),
        ("{{capture.0}} {{capture.1}} {{capture.2}}", "order 4711 GOLD 4711 GOLD"),
        ("{{capture.plan}} {{capture.3|none}}", "GOLD none"),
        ("{{var.city}} {{var.town|no town}} {{reply.id|-}} {{reply.title|-}} {{step|-}}", "Rome no town - - -"),
        ("{ {} }} 100%", "{ {} }} 100%"),
    ];
    for (text, expected) in cases {
        let mut set =
            one(json!({ "regex": r"order (\d+) (?P<plan>\w+)(x)?" }), json!({ "type": "send_text", "text": text }));
        set["defaultLanguage"] = "en-gb".into();
        let mut chat = Chat::new(&set);
        chat.state.variables.insert("city".to_owned(), "Rome".to_owned());
        assert_eq!(chat.hears("order 4711 GOLD"), expected, "{text}");
    }
    let mut chat = Chat::new(&one(
        json!({ "reply_id": "a" }),
        json!({ "type": "send_text", "text": "{{reply.id}}/{{reply.title}}" }),
    ));
    assert_eq!(crate::words(&chat.sends("list_reply", Some("A!"), Some(("a", "A!")))), "a/A!");
}

#[test]
fn the_first_expression_that_holds_catches() {
    let any = json!({ "any": [
        { "regex": r"a(\d)", "contains": "never" },
        { "not": { "regex": r"(b)" } },
        { "regex": r"b(\d)" },
    ]});
    let mut chat = Chat::new(&one(any, json!({ "type": "send_text", "text": "{{capture.1|none}}" })));
    assert_eq!(chat.hears("a1 b2"), "2");
    assert_eq!(chat.hears("a1"), "none");
}

#[test]
fn templates_get_variables_and_the_conversations_language() {
    let mut set = one(
        json!({ "contains": "hi" }),
        json!({ "type": "send_template", "templateKey": "welcome_v1",
                "variables": { "first_name": "{{contact.name}}", "plan": "{{var.plan}}", "1": "one" } }),
    );
    set["defaultLanguage"] = "en".into();
    let mut chat = Chat::new(&set);
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let template = |language: &str, variables| Effect::Template {
        key: "welcome_v1".to_owned(),
        language: Some(language.to_owned()),
        variables,
    };
    // What has no value is left to the template's default.
    assert_eq!(chat.says("hi").effects, [template("en", pairs(&[("1", "one"), ("first_name", "Ada")]))]);
    chat.name = None;
    chat.state.variables.extend([("plan".to_owned(), "gold".to_owned()), ("language".to_owned(), "de-at".to_owned())]);
    assert_eq!(chat.says("hi").effects, [template("de_AT", pairs(&[("1", "one"), ("plan", "gold")]))]);

    set["flows"][0]["action"]["language"] = "fr".into();
    let mut chat = Chat::new(&set);
    let Effect::Template { language, .. } = &chat.says("hi").effects[0] else { panic!("a template") };
    assert_eq!(language.as_deref(), Some("fr"));

    let mut chat = Chat::new(&json!({ "flows": [], "fallbackTemplateKey": "f" }));
    let fallback = Effect::Template { key: "f".to_owned(), language: None, variables: Vec::new() };
    assert_eq!(chat.says("hi").effects, [fallback]);
}

#[test]
fn buttons_tags_variables_and_hand_off() {
    let set = one(
        json!({ "contains": "menu" }),
        json!([
            { "type": "reply_buttons", "text": "What next, {{contact.name}}?", "header": "{{var.none}}",
              "footer": "{{tenant.name}}",
              "buttons": [{ "id": "order", "title": "Order" }, { "id": "person", "title": "A person" }] },
            { "type": "tag", "add": ["asked"], "remove": ["new"] },
            { "type": "set", "variables": { "last": "{{text}}", "gone": null, "empty": "" } },
            { "type": "send_text", "text": "{{var.last}}", "previewUrl": true },
            { "type": "hand_off", "reason": "wants {{var.last}}" },
        ]),
    );
    let mut chat = Chat::new(&set);
    chat.state.variables.extend([("gone".to_owned(), "x".to_owned()), ("empty".to_owned(), "x".to_owned())]);
    let buttons = vec![("order".to_owned(), "Order".to_owned()), ("person".to_owned(), "A person".to_owned())];
    let outcome = chat.says("menu please");
    assert_eq!(
        outcome.effects,
        [
            Effect::Buttons {
                body: "What next, Ada?".to_owned(),
                header: None,
                footer: Some("Acme".to_owned()),
                buttons
            },
            Effect::Tag { name: "asked".to_owned(), present: true },
            Effect::Tag { name: "new".to_owned(), present: false },
            Effect::Text { body: "menu please".to_owned(), preview_url: true },
            Effect::HandOff("wants menu please".to_owned()),
        ]
    );
    assert_eq!(serde_json::to_value(&chat.state).unwrap(), json!({ "v": { "last": "menu please" } }));
}

#[test]
fn what_meta_would_refuse_is_not_sent() {
    let text = |text: &str| one(json!({ "kind": "text" }), json!({ "type": "send_text", "text": text }));
    let outcome = Chat::new(&text("{{var.none}} ")).says("hi");
    assert!(outcome.effects.is_empty());
    assert_eq!(outcome.notes, ["a text came out empty and was not sent"]);
    let long = "ü".repeat(4096);
    assert_eq!(Chat::new(&text("{{text}}{{text}}")).hears(&long), long);
    assert_eq!(Chat::new(&text("{{text}}")).hears("a\0b"), "ab");
}

#[test]
fn variables_that_do_not_fit_are_left_out_and_noted() {
    let set = one(json!({ "kind": "text" }), json!({ "type": "set", "variables": { "x": "{{text}}" } }));
    let mut chat = Chat::new(&set);
    chat.state.variables.extend((0..100).map(|number| (format!("v{number}"), "x".to_owned())));
    let outcome = chat.says("hi");
    assert_eq!(outcome.notes, ["the variable x does not fit any more and was not set"]);
    assert_eq!(outcome.state.variables.len(), 100);
}
