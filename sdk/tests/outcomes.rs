//! What the builder methods make, and what they refuse.

use hoopoe_sdk::prelude::*;
use hoopoe_sdk::{Action, NextState};

fn actions(result: FlowResult) -> Vec<Action> {
    result.expect("the outcome is well formed").actions
}

#[test]
fn details_belong_to_the_last_message() {
    let result = Outcome::reply("a").idempotency_key("k").then_reply("b").quoting("wamid.1").then_tag("t");
    let [Action::Send(first), Action::Send(second), Action::Tag(_)] = &actions(result)[..] else {
        panic!("two messages and a tag")
    };
    assert_eq!((first.idempotency_key.as_deref(), first.reply_to.as_deref()), (Some("k"), None));
    assert_eq!((second.idempotency_key.as_deref(), second.reply_to.as_deref()), (None, Some("wamid.1")));
}

#[test]
fn buttons_and_lists_take_over_the_text() {
    let row = hoopoe_sdk::ListRow::new("1", "One").description("the first");
    let section = hoopoe_sdk::ListSection { title: None, rows: vec![row] };
    let result = Outcome::reply("Sure?")
        .buttons([("y", "Yes")])
        .header("H")
        .footer("F")
        .then_reply("Which?")
        .list("Open", [section]);
    let [Action::Send(buttons), Action::Send(list)] = &actions(result)[..] else { panic!("two messages") };
    let SendContent::Buttons(buttons) = &buttons.content else { panic!("buttons first") };
    assert_eq!((buttons.body.as_str(), buttons.header.as_deref()), ("Sure?", Some("H")));
    assert_eq!((buttons.footer.as_deref(), buttons.buttons[0].id.as_str()), (Some("F"), "y"));
    let SendContent::List(list) = &list.content else { panic!("then a list") };
    assert_eq!((list.body.as_str(), list.sections[0].rows[0].id.as_str()), ("Which?", "1"));
}

#[test]
fn what_does_not_fit_together_is_rejected() {
    let reject = |reason: &str| Err(FlowError::Reject(reason.to_owned()));
    assert_eq!(Outcome::nothing().idempotency_key("k"), reject("`.idempotency_key` needs a message before it"));
    let buttons = || Outcome::reply("a").buttons([("y", "Yes")]);
    assert_eq!(buttons().buttons([("n", "No")]), reject("`.buttons` needs a text before it"));
    assert_eq!(buttons().preview_url(), reject("`.preview_url` needs a text before it"));
    assert_eq!(Outcome::reply("a").footer("f"), reject("`.footer` needs buttons or a list before it"));
    assert_eq!(FlowError::retry("later").then_reply("a"), FlowError::retry("later"));
}

#[test]
fn state_is_kept_replaced_or_cleared() {
    let state = |result: FlowResult| result.expect("the outcome is well formed").state;
    assert_eq!(state(Outcome::nothing()), NextState::Keep);
    assert_eq!(state(Outcome::nothing().state(&[1, 2])), NextState::Replace(b"[1,2]".to_vec()));
    assert_eq!(state(Outcome::nothing().clear_state()), NextState::Clear);
}

#[test]
fn stored_templates_have_variables_and_a_language() {
    let name = String::from("Ada");
    let result = Outcome::template("welcome", [("name", &name)]).language("pt_BR").then_template("bye", []);
    let [Action::Send(welcome), Action::Send(bye)] = &actions(result)[..] else { panic!("two messages") };
    let expected = StoredTemplate::new("welcome").language("pt_BR").variable("name", "Ada");
    assert_eq!(welcome.content, SendContent::Stored(expected));
    assert_eq!(bye.content, SendContent::Stored(StoredTemplate::new("bye")));
    let reason = "`.language` needs a stored template before it";
    assert_eq!(Outcome::reply("a").language("en"), Err(FlowError::Reject(reason.to_owned())));
}

#[test]
fn payloads_are_messages_like_others() {
    let payload = serde_json::json!({ "type": "contacts", "contacts": [] });
    let result = Outcome::payload(&payload).idempotency_key("k").then_payload(&payload).quoting("wamid.1");
    let [Action::Send(first), Action::Send(second)] = &actions(result)[..] else { panic!("two messages") };
    let SendContent::Raw(raw) = &first.content else { panic!("{first:?}") };
    assert_eq!(serde_json::from_str::<serde_json::Value>(raw).ok(), Some(payload));
    assert_eq!((&second.content, second.reply_to.as_deref()), (&first.content, Some("wamid.1")));
    assert_eq!((first.idempotency_key.as_deref(), second.idempotency_key.as_deref()), (Some("k"), None));
}

#[test]
fn choices_become_buttons_or_a_list() {
    let titles =
        |titles: &[&str]| titles.iter().map(|title| (title.to_string(), title.to_string())).collect::<Vec<_>>();
    let content = |choices| match actions(Outcome::reply("Which?").choices("Open", choices)).swap_remove(0) {
        Action::Send(send) => send.content,
        other => panic!("{other:?}"),
    };
    let SendContent::Buttons(buttons) = content(titles(&["1", "2", "3"])) else { panic!("three are buttons") };
    assert_eq!(buttons.buttons[2].title, "3");
    let SendContent::List(list) = content(titles(&["1", "2", "3", "4"])) else { panic!("four are a list") };
    assert_eq!((list.button.as_str(), list.sections[0].rows.len()), ("Open", 4));
    let long = "a title of 21 charact";
    assert!(matches!(content(titles(&[long])), SendContent::List(_)), "lists have room for {long}");
}
