//! Conversations with rule sets, through the contract.

use hoopoe_rules::{RuleSet, Zone};
use hoopoe_sdk::testing::{Harness, content, json};
use hoopoe_sdk::{EventKind, StatusKind};

use super::*;

fn chat(set: serde_json::Value) -> Harness<rules> {
    let set: RuleSet = serde_json::from_value(set).expect("the test's rule set fits the schema");
    let utc = |_: &str| Some(Zone { first: 0, changes: Vec::new() });
    let config = hoopoe_rules::compile(&set, &utc).expect("the test's rule set is right");
    let config: serde_json::Value = serde_json::from_str(&config).expect("the compact form is JSON");
    Harness::new().config(&config)
}

#[test]
fn the_readmes_example_answers_with_templates() {
    let mut chat = chat(json!({
        "flows": [{
            "id": "greeting_flow",
            "match": { "contains": ["hello", "hi"] },
            "action": { "type": "send_template", "templateKey": "welcome_v1", "variables": { "1": "{{contact.name}}" } },
        }],
        "fallbackTemplateKey": "fallback_v1",
    }));
    let run = chat.says("Hello!");
    let template = run.expect_template("welcome_v1");
    assert_eq!(template.variables, [("1".to_owned(), "Ada".to_owned())]);
    run.expect_key("rules:wamid.TEST1:1");
    assert_eq!(run.logs.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["rule greeting_flow matched"]);
    chat.says("what?").expect_key("rules:wamid.TEST2:1").expect_template("fallback_v1");
    chat.sends(content::location()).expect_template("fallback_v1");
    chat.sends(content::reaction("\u{1f44d}")).expect_silence();
    assert_eq!(chat.state::<State>(), None);
}

#[test]
fn every_kind_of_message_has_its_name() {
    let kinds = [
        "text",
        "image",
        "video",
        "audio",
        "document",
        "sticker",
        "location",
        "contacts",
        "reaction",
        "button_reply",
        "list_reply",
        "form_reply",
        "call_permission_reply",
        "template_button",
        "order",
        "system",
        "edit",
        "revoke",
        "unsupported",
        "unknown",
    ];
    let mut seen = Vec::new();
    let mut chat = chat(json!({ "flows": [
        { "id": "named", "match": { "kind": kinds }, "action": { "type": "send_text", "text": "{{kind}}" } },
    ]}));
    for content in content::every_kind() {
        let run = chat.sends(content);
        let [reply] = run.replies()[..] else { panic!("one reply: {run:?}") };
        seen.push(reply.to_owned());
    }
    seen.dedup();
    assert_eq!(seen, kinds);
}

#[test]
fn words_and_choices_are_found_where_they_are() {
    let mut chat = chat(json!({ "flows": [
        { "id": "choice", "match": { "reply_id": ["yes", "1", "stop"] },
          "action": { "type": "send_text", "text": "{{reply.id}} {{reply.title}} {{text}}" } },
        { "id": "words", "match": { "contains": "" .to_owned() + "e" },
          "action": { "type": "send_text", "text": "{{text}}" } },
    ]}));
    chat.sends(content::button_reply("yes", "Yes")).expect_reply("yes Yes Yes");
    chat.sends(content::list_reply("1", "One")).expect_reply("1 One One");
    chat.sends(content::template_button("Stop", "stop")).expect_reply("stop Stop Stop");
    chat.sends(content::edit("hello")).expect_reply("hello");
    chat.sends(content::sticker()).expect_silence();
}

#[test]
fn a_step_waits_is_reminded_and_ends() {
    let mut chat = chat(json!({ "flows": [
        { "id": "ask", "match": { "contains": "book" }, "action": [
            { "type": "reply_buttons", "text": "For when?", "buttons": [{ "id": "now", "title": "Now" }] },
            { "type": "tag", "add": ["booking"] },
            { "type": "go_to", "step": "when", "timeoutSeconds": 3600 },
        ]},
        { "id": "when", "step": "when", "action": { "type": "send_text", "text": "{{text}} it is." } },
        { "id": "late", "step": "when", "on": "timeout", "action": [
            { "type": "send_text", "text": "Another time, then." }, { "type": "tag", "remove": ["booking"] },
        ]},
    ]}));
    chat.says("book").expect_reply("For when?").expect_choices(&["Now"]);
    assert_eq!((chat.timers()[0].name.as_str(), chat.tags()), (TIMER, &["booking".to_owned()][..]));
    chat.taps("Now").expect_reply("Now it is.");
    assert!(chat.timers().is_empty() && chat.state::<State>().is_none());

    chat.says("book");
    chat.advance(3_599_999).expect_silence();
    let runs = chat.advance(1);
    runs.expect_reply("Another time, then.");
    runs[0].expect_key("rules:event:00000000-0000-7000-8001-000000000004:1");
    assert!(chat.tags().is_empty() && chat.state::<State>().is_none());
    chat.advance(10_000_000).expect_silence();
}

#[test]
fn variables_stay_and_people_take_over() {
    let mut chat = chat(json!({ "flows": [
        { "id": "name", "match": { "regex": "my name is (\\S+)" }, "action": [
            { "type": "set", "variables": { "name": "{{capture.1}}" } },
            { "type": "send_text", "text": "Hi {{var.name}}." },
            { "type": "send_text", "text": "What can we do?" },
        ]},
        { "id": "person", "match": { "contains": "person" }, "action": { "type": "hand_off", "reason": "{{var.name}} asked" } },
    ]}));
    let run = chat.says("My name is ZOË");
    run.expect_replies(&["Hi ZOË.", "What can we do?"]).expect_key("rules:wamid.TEST1:2");
    assert_eq!(chat.says("a person please").expect_hand_off(), "ZOË asked");
    chat.says("my name is Bob").expect_silence();
    chat.released().says("my name is Bob").expect_replies(&["Hi Bob.", "What can we do?"]);
}

#[test]
fn a_long_id_leaves_the_key_to_the_host() {
    let mut chat = chat(json!({ "flows": [{ "id": "a", "action": { "type": "send_text", "text": "ok" } }] }));
    let mut event = testing::text("hi");
    let Event::Message(message) = &mut event else { unreachable!("a text is a message") };
    message.id = "w".repeat(250);
    let run = chat.handles(&event);
    assert_eq!(run.messages().map(|send| send.idempotency_key.clone()).collect::<Vec<_>>(), [None]);
}

#[test]
fn what_is_said_in_a_group_is_no_message_to_the_rules() {
    let mut chat = chat(json!({ "flows": [
        { "id": "ask", "match": { "contains": "book" }, "action": [
            { "type": "send_text", "text": "For when?" }, { "type": "go_to", "step": "when", "timeoutSeconds": 3600 },
        ]},
        { "id": "when", "step": "when", "action": { "type": "send_text", "text": "{{text}} it is." } },
    ]}));
    chat.says("book").expect_reply("For when?");
    chat.context_mut().attributes.push(("message.group-id".to_owned(), "\"g1\"".to_owned()));
    let run = chat.says("book");
    run.expect_silence();
    assert_eq!(
        run.logs.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(),
        ["written into a group: no rule is tried"]
    );
    assert_eq!(chat.timers().len(), 1, "the step still waits");
    chat.context_mut().attributes.clear();
    chat.says("now").expect_reply("now it is.");
}

#[test]
fn everything_else_is_met_with_silence() {
    assert_eq!(rules::manifest().events, [EventKind::Message, EventKind::Timer]);
    let mut chat = chat(json!({ "flows": [], "fallbackTemplateKey": "f" }));
    for event in [testing::status(StatusKind::Read), testing::timer("other", "x"), testing::timer(TIMER, "x")] {
        chat.handles(&event).expect_silence();
    }
    let mut unconfigured = Harness::<rules>::new();
    unconfigured.says("hi").expect_silence();
    let mut broken = Harness::<rules>::new().config(&json!({ "v": 1, "rules": "R9:x" }));
    assert_eq!(broken.says("hi").expect_reject(), "rules: the compiled rules cannot be read; save the rule set again");
}
