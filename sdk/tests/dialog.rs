//! Asking, waiting and answering.

use hoopoe_sdk::dialog::{Dialog, TIMER, choice, number, text};
use hoopoe_sdk::prelude::*;
use hoopoe_sdk::testing::{Harness, content};
use hoopoe_sdk::time::{HOUR, MINUTE};
use hoopoe_sdk::{Schedule, Timer};
use serde::{Deserialize, Serialize};

const SIZES: [(&str, &str); 4] = [("s", "Small"), ("m", "Medium"), ("l", "Large"), ("x", "Huge")];

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    Name,
    Size { name: String },
    Cups { name: String, size: String },
}

#[flow(events(message, timer, status))]
fn coffee(ctx: &Context, event: &Event, step: Option<Step>) -> FlowResult {
    let dialog = Dialog::new(ctx, event).timeout(10 * MINUTE, "Another time, then.");
    if event.text() == Some("stop") {
        return dialog.end("As you like.");
    }
    match step {
        None => dialog.ask("Your name?", &Step::Name),
        Some(Step::Name) => dialog.answer(text, "Please write your name.", |name| {
            dialog.ask("Which size?", &Step::Size { name }).choices("Sizes", SIZES)
        }),
        Some(Step::Size { name }) => dialog
            .answer(choice(SIZES), "Please choose a size.", |size| dialog.ask("How many?", &Step::Cups { name, size })),
        Some(Step::Cups { name, size }) => dialog.answer(number(1..=9), "A number from 1 to 9.", |cups| {
            if cups == 9 {
                return Outcome::hand_off(format!("{name} wants nine {size}"));
            }
            dialog.end(format!("{cups} {size} for {name}."))
        }),
    }
}

#[test]
fn each_answer_leads_to_the_next_question() {
    let mut chat = Harness::<coffee>::new();
    chat.says("coffee").expect_reply("Your name?");
    chat.says("  Ada ").expect_reply("Which size?").expect_choices(&["Small", "Medium", "Large", "Huge"]);
    assert_eq!(chat.state(), Some(Step::Size { name: "Ada".to_owned() }));
    chat.taps("Medium").expect_reply("How many?");
    chat.says("3").expect_reply("3 m for Ada.");
    assert_eq!(chat.state::<Step>(), None);
    assert!(chat.timers().is_empty(), "nobody waits any more");
}

#[test]
fn what_does_not_fit_is_asked_again() {
    let mut chat = Harness::<coffee>::new();
    chat.says("coffee").expect_reply("Your name?");
    chat.sends(content::image()).expect_reply("Please write your name.");
    chat.says("  ").expect_reply("Please write your name.");
    chat.says("Ada").expect_reply("Which size?");
    chat.says("tiny").expect_reply("Please choose a size.");
    chat.sends(content::button_reply("xxl", "Old button")).expect_reply("Please choose a size.");
    chat.says("LARGE").expect_reply("How many?");
    for words in ["0", "10", "-1", "2.5", "two"] {
        chat.says(words).expect_reply("A number from 1 to 9.");
    }
    chat.says("2").expect_reply("2 l for Ada.");
}

#[test]
fn what_is_no_answer_changes_nothing() {
    let mut chat = Harness::<coffee>::new();
    chat.says("coffee").expect_reply("Your name?");
    for content in [content::reaction("\u{1f44d}"), content::edit("tea"), content::revoke(), content::system()] {
        chat.sends(content).expect_silence();
    }
    chat.handles(&testing::status(hoopoe_sdk::StatusKind::Read)).expect_silence();
    chat.says("Ada").expect_reply("Which size?");
}

#[test]
fn waiting_ends_and_every_answer_begins_it_anew() {
    let mut chat = Harness::<coffee>::new();
    chat.says("coffee").expect_reply("Your name?");
    chat.advance(9 * MINUTE).expect_silence();
    chat.sends(content::image()).expect_reply("Please write your name.");
    chat.advance(9 * MINUTE).expect_silence();
    chat.says("Ada").expect_reply("Which size?");
    chat.advance(10 * MINUTE).expect_reply("Another time, then.");
    assert_eq!(chat.state::<Step>(), None);
    chat.advance(HOUR).expect_silence();
    chat.says("coffee").expect_reply("Your name?");
}

#[test]
fn nobody_waits_after_the_end_or_when_people_have_taken_over() {
    let mut chat = Harness::<coffee>::new();
    chat.says("coffee").expect_reply("Your name?");
    chat.says("stop").expect_reply("As you like.");
    assert!(chat.timers().is_empty());

    chat.says("coffee").expect_reply("Your name?");
    chat.says("Ada").expect_reply("Which size?");
    chat.taps("Huge").expect_reply("How many?");
    assert_eq!(chat.says("9").expect_hand_off(), "Ada wants nine x");
    assert!(chat.timers().is_empty());
}

#[test]
fn a_timer_of_a_dialog_that_is_over_begins_no_new_one() {
    let mut chat = Harness::<coffee>::new();
    chat.handles(&testing::timer(TIMER, "")).expect_silence();
}

/// The dialog's timer, as an event.
fn fired(chat: &Harness<coffee>) -> Event {
    let Schedule { name, due, payload } = chat.timers()[0].clone();
    Event::Timer(Timer { name, due, payload })
}

#[test]
fn a_timer_that_had_fired_when_the_answer_was_handled_ends_nothing() {
    let mut chat = Harness::<coffee>::new();
    chat.says("coffee").expect_reply("Your name?");
    // It is in the journal already, behind the answer.
    let late = fired(&chat);
    chat.says("Ada").expect_reply("Which size?");
    chat.handles(&late).expect_silence();
    assert_eq!(chat.state(), Some(Step::Size { name: "Ada".to_owned() }));

    let late = fired(&chat);
    chat.says("tiny").expect_reply("Please choose a size.");
    chat.handles(&late).expect_silence();
    chat.taps("Small").expect_reply("How many?");

    let late = fired(&chat);
    chat.says("2").expect_reply("2 s for Ada.");
    chat.handles(&late).expect_silence();
    chat.says("coffee").expect_reply("Your name?");
    chat.handles(&late).expect_silence();
    assert_eq!(chat.state(), Some(Step::Name), "a former dialog's timer does not end a new one");

    let due = fired(&chat);
    chat.handles(&due).expect_reply("Another time, then.");
    assert_eq!(chat.state::<Step>(), None);
}

#[test]
fn a_dialog_that_waits_is_taken_over_by_the_next_version() {
    let mut chat = Harness::<coffee>::new();
    chat.takes_over("0.0.9", testing::json!({ "$dialog": "dialog:7", "state": { "Size": { "name": "Ada" } } }));
    assert_eq!(chat.state(), Some(Step::Size { name: "Ada".to_owned() }));
    let timer = |payload: &str| testing::timer(TIMER, payload);
    chat.handles(&timer("dialog:6")).expect_silence();
    chat.handles(&timer("dialog:7")).expect_reply("Another time, then.");
}
