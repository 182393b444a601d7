//! Steps: a question, and the message that answers it.

use serde_json::{Value, json};

use crate::{Chat, words};

fn booking() -> Value {
    json!({ "flows": [
        { "id": "book", "match": { "contains": "book" }, "action": [
            { "type": "send_text", "text": "How many?" },
            { "type": "go_to", "step": "how_many", "timeoutSeconds": 600 },
        ]},
        { "id": "number", "step": "how_many", "match": { "regex": r"^\s*(\d+)\s*$" }, "action": [
            { "type": "set", "variables": { "seats": "{{capture.1}}" } },
            { "type": "send_text", "text": "{{var.seats}} seats. Your name?" },
            { "type": "go_to", "step": "name" },
        ]},
        { "id": "name", "step": "name", "action": [
            { "type": "send_text", "text": "Thanks {{text}}, {{var.seats}} seats are yours." },
            { "type": "set", "variables": { "seats": null } },
        ]},
        { "id": "late", "step": "how_many", "on": "timeout", "action": { "type": "send_text", "text": "Still there?" } },
        { "id": "help", "match": { "contains": "help" }, "action": { "type": "send_text", "text": "Say a number." } },
        { "id": "person", "priority": 10, "match": { "contains": "person" },
          "action": { "type": "hand_off", "reason": "asked at {{step|no step}}" } },
        { "id": "cancel", "priority": 10, "match": { "contains": "cancel" }, "action": { "type": "stop" } },
    ]})
}

#[test]
fn a_conversation_goes_from_step_to_step() {
    let mut chat = Chat::new(&booking());
    assert_eq!(chat.hears("4"), "");
    assert_eq!(chat.hears("I want to book"), "How many?; timer 600s 2");
    assert_eq!(chat.step(), Some("how_many"));
    assert_eq!(chat.hears("help"), "Say a number.", "other rules count as well");
    assert_eq!(chat.hears("many"), "");
    assert_eq!(chat.step(), Some("how_many"), "a rule of the step has to match to leave it");
    assert_eq!(chat.hears(" 4 "), "4 seats. Your name?; cancel");
    assert_eq!(chat.hears("help"), "Thanks help, 4 seats are yours.", "rules of the step come first");
    assert!(chat.state.is_empty());
}

#[test]
fn a_step_that_nobody_answers_times_out_once() {
    let mut chat = Chat::new(&booking());
    chat.says("book");
    let before = chat.state.clone();
    assert_eq!(words(&chat.times_out("99")), "", "another step's timer");
    assert_eq!(chat.state, before);
    let outcome = chat.times_out("1");
    assert_eq!((words(&outcome).as_str(), outcome.matched), ("Still there?", vec!["late".to_owned()]));
    assert!(chat.state.is_empty());
    assert_eq!(words(&chat.times_out("1")), "");

    // A timer that became an event just before the answer was handled.
    chat.says("book");
    chat.says("4");
    assert_eq!(words(&chat.times_out("4")), "");
    assert_eq!(chat.step(), Some("name"));

    // And one of an earlier visit to the same step.
    chat.says("cancel");
    chat.says("book");
    assert_eq!(words(&chat.times_out("4")), "");
    assert_eq!(chat.step(), Some("how_many"));
}

#[test]
fn rules_above_the_steps_leave_it() {
    for (text, expected) in [("cancel 4", "cancel"), ("a person!", "hand off: asked at how_many; cancel")] {
        let mut chat = Chat::new(&booking());
        chat.says("book");
        assert_eq!(chat.hears(text), expected);
        assert_eq!(chat.step(), None);
    }
    let mut chat = Chat::new(&booking());
    assert_eq!(chat.hears("person"), "hand off: asked at no step");
}

#[test]
fn going_there_again_begins_anew() {
    let mut chat = Chat::new(&booking());
    assert_eq!(chat.hears("book"), "How many?; timer 600s 1");
    assert_eq!(chat.hears("book"), "How many?; timer 600s 2");
    assert_eq!(words(&chat.times_out("1")), "");
    assert_eq!(words(&chat.times_out("2")), "Still there?");
}

#[test]
fn without_a_timer_nothing_is_cancelled() {
    let mut chat = Chat::new(&booking());
    chat.says("book");
    chat.says("4");
    assert_eq!(chat.hears("cancel"), "");
    assert_eq!(chat.step(), None);
}

#[test]
fn a_timeout_can_ask_again() {
    let set = json!({ "flows": [
        { "id": "ask", "match": { "exact": "go" }, "action": { "type": "go_to", "step": "s", "timeoutSeconds": 60 } },
        { "id": "nudge", "step": "s", "on": "timeout", "match": { "variables": { "nudged": null } }, "action": [
            { "type": "send_text", "text": "Hello?" },
            { "type": "set", "variables": { "nudged": "yes" } },
            { "type": "go_to", "step": "s", "timeoutSeconds": 120 },
        ]},
        { "id": "end", "step": "s", "on": "timeout", "action": { "type": "send_text", "text": "Bye." } },
    ]});
    let mut chat = Chat::new(&set);
    assert_eq!(chat.hears("go"), "timer 60s 1");
    assert_eq!(words(&chat.times_out("1")), "Hello?; timer 120s 2");
    assert_eq!(words(&chat.times_out("2")), "Bye.");
    assert_eq!(chat.step(), None);
}

#[test]
fn rules_of_one_step_are_tried_from_there_wherever_the_first_leads() {
    let set = json!({ "flows": [
        { "id": "ask", "match": { "exact": "go" }, "action": { "type": "go_to", "step": "a" } },
        { "id": "on", "step": "a", "continue": true, "action": { "type": "go_to", "step": "b" } },
        { "id": "same", "step": "a", "action": { "type": "send_text", "text": "at {{step}}" } },
        { "id": "b", "step": "b", "action": { "type": "send_text", "text": "b" } },
    ]});
    let mut chat = Chat::new(&set);
    chat.says("go");
    assert_eq!(chat.hears("x"), "at a");
    assert_eq!(chat.step(), Some("b"));
    assert_eq!(chat.hears("x"), "b");
}
