//! Which rule acts.

use serde_json::{Value, json};

use crate::{Chat, words};

fn rule(id: &str, contains: &str, more: Value) -> Value {
    let mut rule = json!({
        "id": id, "match": { "contains": contains }, "action": { "type": "send_text", "text": id },
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

#[test]
fn the_first_that_matches_acts_by_priority_and_then_as_listed() {
    let set = json!({ "flows": [
        rule("first", "a", json!({})),
        rule("second", "a", json!({})),
        rule("low", "b", json!({ "priority": -1 })),
        rule("zero", "b", json!({ "priority": 0 })),
        rule("high", "b", json!({ "priority": 100, "match": { "contains": ["b", "z"] } })),
        rule("always", "x", json!({ "match": null, "priority": -1000 })),
    ]});
    let mut chat = Chat::new(&set);
    for (text, expected) in [("a", "first"), ("b", "high"), ("a b", "high"), ("c", "always")] {
        assert_eq!(chat.hears(text), expected, "{text}");
    }
}

#[test]
fn a_rule_that_goes_on_acts_as_though_it_had_not_matched() {
    let set = json!({
        "flows": [
            rule("note", "a", json!({ "continue": true, "action": [
                { "type": "set", "variables": { "seen": "yes" } }, { "type": "send_text", "text": "noted" },
            ]})),
            rule("second", "b", json!({ "match": { "contains": "b", "variables": { "seen": "yes" } } })),
            rule("third", "b", json!({})),
        ],
        "fallbackTemplateKey": "fallback_v1",
    });
    let mut chat = Chat::new(&set);
    assert_eq!(chat.hears("b"), "third");
    assert_eq!(chat.hears("a"), "noted; <fallback_v1>");
    let outcome = chat.says("a b");
    assert_eq!((words(&outcome).as_str(), outcome.matched), ("noted; second", vec!["note".into(), "second".into()]));
}

#[test]
fn the_fallback_is_for_messages_that_somebody_wrote() {
    let set = json!({ "flows": [rule("one", "a", json!({}))], "fallbackTemplateKey": "fallback_v1" });
    let mut chat = Chat::new(&set);
    for kind in ["text", "image", "sticker", "button_reply", "form_reply", "unsupported"] {
        assert_eq!(words(&chat.sends(kind, None, None)), "<fallback_v1>", "{kind}");
    }
    for kind in ["reaction", "edit", "revoke", "system", "unknown"] {
        assert_eq!(words(&chat.sends(kind, Some("c"), None)), "", "{kind}");
    }
    assert_eq!(words(&chat.sends("edit", Some("a"), None)), "one");
    assert_eq!(words(&Chat::new(&json!({ "flows": [] })).says("c")), "");
}

#[test]
fn stop_is_silent() {
    let set = json!({
        "flows": [rule("quiet", "unsubscribe", json!({ "action": { "type": "stop" } })), rule("loud", "un", json!({}))],
        "fallbackTemplateKey": "fallback_v1",
    });
    let outcome = Chat::new(&set).says("unsubscribe");
    assert_eq!((words(&outcome).as_str(), outcome.matched), ("", vec!["quiet".to_owned()]));
}
