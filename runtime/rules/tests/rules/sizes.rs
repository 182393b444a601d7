//! The largest that is allowed, and what is no program at all.

use hoopoe_rules::{Input, Moment, Program, State, limits};
use serde_json::{Value, json};

use crate::{Chat, compile};

#[test]
fn compiled_rules_have_a_limit() {
    let rules = |count: usize, length: usize| -> Value {
        let text = "x".repeat(length);
        let rules: Vec<_> = (0..count)
            .map(|number| json!({ "id": format!("r{number}"), "action": { "type": "send_text", "text": text } }))
            .collect();
        json!({ "flows": rules })
    };
    let problem = compile(&rules(17, 4000)).unwrap_err();
    assert_eq!(problem.path, "flows");
    assert!(problem.message.contains("at most 65536"), "{problem}");
    assert!(compile(&rules(15, 4000)).unwrap().len() <= limits::COMPILED);
    assert!(compile(&rules(limits::RULES, 60)).is_ok());
}

#[test]
fn what_needs_escapes_in_json_survives() {
    let text = "\"quoted\" \\ back\nline\ttab \u{1f99a} {\"json\": [1]}";
    let set = json!({ "flows": [
        { "id": "a", "match": { "exact": "x\"\\y" }, "action": { "type": "send_text", "text": text } },
    ]});
    assert_eq!(Chat::new(&set).hears("X\"\\Y"), text);
}

#[test]
fn what_is_no_program_is_refused_and_does_not_panic() {
    let good = compile(&json!({
        "flows": [
            { "id": "a", "match": { "any": [{ "regex": "(a)" }, { "business_hours": "o" }, { "variables": { "x": "1" } }] },
              "action": [{ "type": "send_text", "text": "é {{capture.1}}" }, { "type": "go_to", "step": "s", "timeoutSeconds": 9 }] },
            { "id": "b", "step": "s", "action": { "type": "set", "variables": { "x": "1" } } },
        ],
        "fallbackTemplateKey": "f",
        "businessHours": { "o": { "timezone": "UTC", "open": [{ "days": ["mon"], "from": "09:00", "to": "17:00" }] } },
    }))
    .unwrap();
    let moment = Moment::Message { kind: "text", text: Some("a"), reply: None };
    let input = Input {
        moment,
        event_id: "1",
        now: u64::MAX,
        tenant_name: "",
        contact_name: None,
        contact_phone: None,
        contact_username: None,
        tags: &[],
    };
    let runs = |config: &str| Program::read(config).and_then(|program| program.run(&input, State::default()));
    assert!(runs(&good).is_ok());
    assert_eq!(runs("{}").unwrap(), hoopoe_rules::Outcome::default());
    for config in ["", "5", "{\"v\":1,\"rules\":5}", "{\"v\":2,\"rules\":\"\"}", "{\"v\":1,\"rules\":\"R3:abc\"}"] {
        assert!(runs(config).is_err(), "{config}");
    }
    // Whatever a byte is changed to: an error or another program, but no panic.
    for place in 0..good.len() {
        for byte in [b'0', b'9', b':', b'a', b'}', b'\\', b'"', b'!'] {
            let mut bytes = good.clone().into_bytes();
            bytes[place] = byte;
            if let Ok(config) = String::from_utf8(bytes) {
                drop(runs(&config));
            }
        }
    }
}
