//! Bad rule sets: each mistake is told with its place.

use hoopoe_rules::{RuleSet, limits};
use serde_json::{Value, json};

use crate::{compile, one, zones};

fn text() -> Value {
    json!({ "type": "send_text", "text": "ok" })
}

/// Conditions `depth` levels deep.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({ "contains": "a" }), |inner, _| json!({ "not": inner }))
}

#[test]
fn each_mistake_has_its_place() {
    let on = |condition: Value| one(condition, text());
    let act = |action: Value| one(json!({ "regex": r"(\d)(?P<b>x)" }), action);
    let rules = |rules: Value| json!({ "flows": rules });
    let many: Vec<Value> =
        (0..=limits::RULES).map(|number| json!({ "id": format!("r{number}"), "action": text() })).collect();
    let long = "x".repeat(5000);
    let cases: Vec<(Value, &str)> = vec![
        (rules(json!(many)), "flows: it has 501 rules"),
        (rules(json!([{ "id": "", "action": text() }])), "flows[0].id: \"\" is no name"),
        (rules(json!([{ "id": "a b", "action": text() }])), "flows[0].id: \"a b\" is no name"),
        (
            rules(json!([{ "id": "a", "action": text() }, { "id": "a", "action": text() }])),
            "flows[1].id: \"a\" is the id of flows[0] already",
        ),
        (rules(json!([{ "id": "a", "description": long, "action": text() }])), "flows[0].description: at most 500"),
        (rules(json!([{ "id": "a", "action": [] }])), "flows[0].action: it has 0 actions"),
        (rules(json!([{ "id": "a", "action": vec![text(); 11] }])), "flows[0].action: it has 11 actions"),
        (rules(json!([{ "id": "a", "on": "timeout", "action": text() }])), "flows[0].step: a rule on timeout needs"),
        (rules(json!([{ "id": "a", "step": "s", "action": text() }])), "flows[0].step: no go_to leads to"),
        (act(json!([text(), { "type": "go_to", "step": "s" }])), "flows[0].action[1].step: no rule has the step"),
        (
            rules(json!([
                { "id": "a", "action": { "type": "go_to", "step": "s" } },
                { "id": "b", "step": "s", "on": "timeout", "match": { "contains": "x" }, "action": text() },
            ])),
            "flows[1].match.contains: there is no message on a timeout",
        ),
        (
            rules(json!(
                (0..5)
                    .map(|id| json!({ "id": id.to_string(), "continue": true, "action": vec![text(); 10] }))
                    .collect::<Vec<_>>()
            )),
            "flows: rules with continue have 50 actions",
        ),
        (on(json!({})), "flows[0].match: it asks for nothing"),
        (on(json!({ "fold": "case" })), "flows[0].match: it asks for nothing"),
        (on(json!({ "all": [] })), "flows[0].match.all: it has 0 entries"),
        (on(json!({ "any": [{ "contains": "a" }, {}] })), "flows[0].match.any[1]: it asks for nothing"),
        (on(json!({ "contains": [] })), "flows[0].match.contains: it has 0 entries"),
        (on(json!({ "contains": vec!["x"; 101] })), "flows[0].match.contains: it has 101 entries"),
        (on(json!({ "contains": ["a", " "] })), "flows[0].match.contains[1]: it is empty"),
        (
            on(json!({ "contains": "\u{301}", "fold": "case_and_accents" })),
            "flows[0].match.contains: it is empty without accents",
        ),
        (on(json!({ "exact": long })), "flows[0].match.exact: it has 5000 characters"),
        (
            on(json!({ "exact": "a\0" })),
            "flows[0].match.exact: it has 2 characters; give it 1 to 256, none of them NUL",
        ),
        (on(json!({ "regex": "(" })), "flows[0].match.regex: not a regular expression"),
        (on(json!({ "any": [{ "regex": ["a", "["] }] })), "flows[0].match.any[0].regex[1]: not a regular"),
        (on(json!({ "regex": r"(?=a)" })), "flows[0].match.regex: not a regular expression"),
        (on(json!({ "regex": "x".repeat(513) })), "flows[0].match.regex: it has 513 characters"),
        (on(json!({ "regex": r"(\w{1,200}){200}" })), "flows[0].match.regex: it is larger than"),
        (on(json!({ "regex": vec![r"\w{200}"; 100] })), "and with it all regular expressions more than 32768"),
        (
            rules(json!(
                (0..21)
                    .map(|id| json!({ "id": id.to_string(), "action": text(),
                "match": { "exact": (0..100).map(|x| x.to_string()).collect::<Vec<_>>() } }))
                    .collect::<Vec<_>>()
            )),
            "flows[10].match.exact: with these, there are more than 1000 phrases",
        ),
        (on(json!({ "language": "English" })), "flows[0].match.language: \"English\" is no language"),
        (on(json!({ "business_hours": "office" })), "flows[0].match.business_hours: businessHours of the rule set"),
        (on(json!({ "variables": { "a b": "x" } })), "flows[0].match.variables.a b: \"a b\" is no name"),
        (on(json!({ "variables": {} })), "flows[0].match.variables: it has 0 entries"),
        (on(nested(limits::NESTING + 1)), "not: all, any and not are nested more than 8 deep"),
        (act(json!({ "type": "send_text" })), "flows[0].action.text: it is missing"),
        (act(json!({ "type": "send_text", "text": " " })), "flows[0].action.text: it is empty"),
        (act(json!({ "type": "send_text", "text": long })), "flows[0].action.text: it has 5000 characters"),
        (
            act(json!({ "type": "send_text", "text": "{{name}}" })),
            "flows[0].action.text: {{name}} is not known; there are",
        ),
        (act(json!({ "type": "send_text", "text": "{{name" })), "flows[0].action.text: a {{ has no }}"),
        (act(json!({ "type": "send_text", "text": "{{capture.3}}" })), "no regex of this rule's match has the group 3"),
        (act(json!({ "type": "send_text", "text": "{{capture.c}}" })), "no regex of this rule's match has the group c"),
        (act(json!({ "type": "send_text", "text": "{{var.a b}}" })), "flows[0].action.text: \"a b\" is no name"),
        (
            one(json!({ "not": { "regex": "(a)" } }), json!({ "type": "send_text", "text": "{{capture.1}}" })),
            "no regex of this rule's match has the group 1",
        ),
        (
            act(json!({ "type": "send_text", "text": "a", "templateKey": "b" })),
            "flows[0].action.templateKey: this type of action does not take it; it takes text, previewUrl",
        ),
        (act(json!({ "type": "stop", "text": "a" })), "flows[0].action.text: stop takes nothing"),
        (act(json!([{ "type": "stop" }, text()])), "flows[0].action[0]: nothing behind stop is done"),
        (
            rules(json!([{ "id": "a", "continue": true, "action": { "type": "stop" } }])),
            "flows[0].action: a rule with continue cannot stop",
        ),
        (act(json!({ "type": "send_template" })), "flows[0].action.templateKey: it is missing"),
        (
            act(json!({ "type": "send_template", "templateKey": "t", "variables": { "a": null } })),
            "flows[0].action.variables.a: it is null",
        ),
        (
            act(json!({ "type": "send_template", "templateKey": "t", "variables": { "a": "{{x}}" } })),
            "flows[0].action.variables.a: {{x}} is not known",
        ),
        (act(json!({ "type": "send_template", "templateKey": "t", "language": "e" })), "flows[0].action.language:"),
        (act(json!({ "type": "reply_buttons", "text": "a" })), "flows[0].action.buttons: it is missing"),
        (
            act(json!({ "type": "reply_buttons", "text": "a", "buttons": [] })),
            "flows[0].action.buttons: it has 0 buttons",
        ),
        (
            act(json!({ "type": "reply_buttons", "text": "a", "buttons": [{ "id": "a", "title": "x".repeat(21) }] })),
            "flows[0].action.buttons[0].title: it has 21 characters; give it 1 to 20",
        ),
        (
            act(json!({ "type": "reply_buttons", "text": "a",
                        "buttons": [{ "id": "a", "title": "A" }, { "id": "a", "title": "B" }] })),
            "flows[0].action.buttons[1]: another button has the same id",
        ),
        (act(json!({ "type": "set" })), "flows[0].action.variables: it is missing"),
        (act(json!({ "type": "set", "variables": {} })), "flows[0].action.variables: it is empty"),
        (act(json!({ "type": "go_to", "step": "s", "timeoutSeconds": 0 })), "flows[0].action.step: no rule has"),
        (act(json!({ "type": "tag" })), "flows[0].action: it changes no tag"),
        (act(json!({ "type": "tag", "add": ["", "b"] })), "flows[0].action.add[0]: it is empty"),
        (act(json!({ "type": "hand_off", "reason": "" })), "flows[0].action.reason: it is empty"),
        (json!({ "flows": [], "defaultLanguage": "english" }), "defaultLanguage: \"english\" is no language"),
        (json!({ "flows": [], "fallbackTemplateKey": "" }), "fallbackTemplateKey: it has 0 characters"),
        (
            json!({ "flows": [], "businessHours": { "a": { "timezone": "Mars/Olympus", "open": [] } } }),
            "businessHours.a.timezone: there is no time zone \"Mars/Olympus\"",
        ),
    ];
    for (set, expected) in cases {
        let problem = compile(&set).expect_err(expected).to_string();
        assert!(problem.contains(expected), "{problem:?} does not say {expected:?}");
    }
    let timeout = |seconds: u64| {
        compile(&json!({ "flows": [
            { "id": "a", "action": { "type": "go_to", "step": "s", "timeoutSeconds": seconds } },
            { "id": "b", "step": "s", "action": text() },
        ]}))
    };
    assert_eq!(timeout(0).unwrap_err().path, "flows[0].action.timeoutSeconds");
    assert_eq!(timeout(limits::TIMEOUT + 1).unwrap_err().path, "flows[0].action.timeoutSeconds");
    assert!(timeout(limits::TIMEOUT).is_ok() && compile(&on(nested(limits::NESTING))).is_ok());
}

#[test]
fn what_does_not_fit_the_schema_is_named_with_its_place() {
    let cases = [
        (json!({}), ".", "missing field `flows`"),
        (json!({ "flows": [], "rules": [] }), "rules", "unknown field `rules`, expected one of `flows`"),
        (json!({ "flows": [{ "action": text() }] }), "flows[0]", "missing field `id`"),
        (json!({ "flows": [{ "id": "a", "action": text(), "when": 1 }] }), "flows[0].when", "unknown field `when`"),
        (one(json!({ "contain": "a" }), text()), "flows[0].match.contain", "unknown field `contain`"),
        (one(json!({ "contains": 5 }), text()), "flows[0].match.contains", "expected one, or a list"),
        (one(json!({ "contains": ["a", 5] }), text()), "flows[0].match.contains[1]", "expected a string"),
        (
            one(json!({ "kind": "photo" }), text()),
            "flows[0].match.kind",
            "unknown variant `photo`, expected one of `text`",
        ),
        (one(json!({ "not": { "any": [{ "x": 1 }] } }), text()), "flows[0].match.not.any[0].x", "unknown field `x`"),
        (one(json!({ "fold": "all" }), text()), "flows[0].match.fold", "unknown variant `all`"),
        (one(json!({ "kind": "text" }), json!({ "type": "send" })), "flows[0].action.type", "unknown variant `send`"),
        (
            one(json!({ "kind": "text" }), json!([text(), { "type": "stop", "x": 1 }])),
            "flows[0].action[1].x",
            "unknown",
        ),
        (one(json!({ "kind": "text" }), json!("stop")), "flows[0].action", "expected struct Action"),
        (
            one(json!({ "kind": "text" }), json!({ "type": "set", "variables": { "a": 5 } })),
            "flows[0].action.variables.a",
            "expected a string",
        ),
    ];
    for (set, path, expected) in cases {
        let json = set.to_string();
        let mut json = serde_json::Deserializer::from_str(&json);
        let error = serde_path_to_error::deserialize::<_, RuleSet>(&mut json).expect_err(expected);
        assert_eq!(error.path().to_string(), path, "{error}");
        assert!(error.inner().to_string().contains(expected), "{error} does not say {expected:?}");
    }
}

#[test]
fn a_rule_set_is_written_as_it_was_read() {
    let set = json!({
        "flows": [
            { "id": "greeting_flow", "match": { "contains": ["hello", "hi"] },
              "action": { "type": "send_template", "templateKey": "welcome_v1" } },
            { "id": "b", "description": "d", "priority": -3, "continue": true, "step": "s",
              "match": { "regex": "a", "variables": { "x": null, "y": ["1", "2"] }, "not": { "kind": ["text"] } },
              "action": [{ "type": "go_to", "step": "s", "timeoutSeconds": 5 }, { "type": "set", "variables": { "a": null } }] },
        ],
        "fallbackTemplateKey": "fallback_v1",
        "businessHours": { "office": { "timezone": "UTC", "open": [{ "days": ["mon"], "from": "09:00", "to": "17:00" }] } },
    });
    let read: RuleSet = serde_json::from_value(set.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), set);
    hoopoe_rules::compile(&read, &zones).unwrap();
}
