//! Conversations, played natively by this crate's tests and compiled by those of `hoopoe-harness`. They begin on
//! Thursday, 1 January 2026, 00:00 UTC, which is 01:00 on the tenant's clock.

use hoopoe_sdk::testing::{Chat, Runner, json};
use hoopoe_sdk::time::{DAY, HOUR, MINUTE};

/// All of them.
pub fn stories<R: Runner>() -> Vec<fn(Chat<R>)> {
    vec![
        a_booking_with_a_reminder,
        a_reminder_by_template,
        a_change_of_mind,
        a_cancelled_appointment,
        what_is_too_close_is_not_offered,
        words_instead_of_taps,
        a_contact_who_leaves,
    ]
}

fn configured<R: Runner>(chat: Chat<R>) -> Chat<R> {
    reminded(chat, 24, None)
}

fn reminded<R: Runner>(chat: Chat<R>, hours: u32, template: Option<&str>) -> Chat<R> {
    chat.config(&json!({
        "services": ["Haircut", "Colour", "Beard"],
        "times": ["09:00", "11:00", "14:00", "16:00"],
        "closed": ["Sat", "Sun"],
        "utcOffsetMinutes": 60,
        "remindHours": hours,
        "reminderTemplate": template,
    }))
}

/// Up to the question whether to book: Monday at 09:00.
fn asked<R: Runner>(chat: &mut Chat<R>) {
    chat.says("hi").expect_reply("What can we do for you?").expect_choices(&["Haircut", "Colour", "Beard"]);
    chat.taps("Haircut").expect_reply("Which day?").expect_choices(&[
        "Thu 1 Jan",
        "Fri 2 Jan",
        "Mon 5 Jan",
        "Tue 6 Jan",
        "Wed 7 Jan",
    ]);
    chat.taps("Mon 5 Jan").expect_reply("At what time?").expect_choices(&["09:00", "11:00", "14:00", "16:00"]);
    chat.taps("09:00").expect_reply("Haircut on Mon 5 Jan at 09:00. Shall I book it?");
}

fn a_booking_with_a_reminder<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    asked(&mut chat);
    chat.taps("Yes").expect_reply("Booked: Haircut on Mon 5 Jan at 09:00.");
    assert_eq!(chat.tags(), ["appointment"]);
    chat.says("when was it?")
        .expect_reply("You have an appointment: Haircut on Mon 5 Jan at 09:00.")
        .expect_choices(&["Keep it", "Cancel it"]);
    // Sunday at 09:00 there is 08:00 UTC.
    chat.advance(3 * DAY + 8 * HOUR - 1).expect_silence();
    let reminder = chat.advance(1);
    reminder.expect_reply("Do not forget: Haircut on Mon 5 Jan at 09:00.");
    chat.taps("Keep it").expect_reply("Fine, see you then!");
    chat.advance(DAY).expect_silence();
    chat.says("hi").expect_reply("What can we do for you?");
}

fn a_reminder_by_template<R: Runner>(chat: Chat<R>) {
    let mut chat = reminded(chat, 2, Some("remind"));
    asked(&mut chat);
    chat.taps("Yes").expect_reply("Booked: Haircut on Mon 5 Jan at 09:00.");
    let reminder = chat.advance(4 * DAY + 6 * HOUR);
    let variables = [("service", "Haircut"), ("day", "Mon 5 Jan"), ("time", "09:00")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(reminder[0].expect_template("remind").variables, variables);
}

fn a_change_of_mind<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    asked(&mut chat);
    chat.taps("No").expect_reply("Nothing is booked. Write again when you like.");
    assert!(chat.tags().is_empty() && chat.timers().is_empty());
    asked(&mut chat);
}

fn a_cancelled_appointment<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    asked(&mut chat);
    chat.taps("Yes").expect_reply("Booked: Haircut on Mon 5 Jan at 09:00.");
    chat.says("I cannot come").expect_choices(&["Keep it", "Cancel it"]);
    chat.taps("Cancel it").expect_reply("It is cancelled.");
    assert!(chat.tags().is_empty() && chat.timers().is_empty());
    chat.advance(7 * DAY).expect_silence();
}

fn what_is_too_close_is_not_offered<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    chat.advance(9 * HOUR + 30 * MINUTE);
    chat.says("hi").expect_choices(&["Haircut", "Colour", "Beard"]);
    chat.taps("Beard").expect_choices(&["Thu 1 Jan", "Fri 2 Jan", "Mon 5 Jan", "Tue 6 Jan", "Wed 7 Jan"]);
    chat.taps("Thu 1 Jan").expect_choices(&["14:00", "16:00"]);
    // A day's notice of the reminder is past: there is none.
    chat.taps("14:00").expect_choices(&["Yes", "No"]);
    chat.taps("Yes").expect_reply("Booked: Beard on Thu 1 Jan at 14:00.");
    assert!(chat.timers().is_empty());

    chat.advance(7 * HOUR);
    chat.says("hi").expect_reply("What can we do for you?");
    chat.taps("Beard").expect_choices(&["Fri 2 Jan", "Mon 5 Jan", "Tue 6 Jan", "Wed 7 Jan", "Thu 8 Jan"]);
}

fn words_instead_of_taps<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    chat.says("hi").expect_reply("What can we do for you?");
    chat.says("a massage").expect_reply("Please choose a service.");
    chat.says("colour").expect_reply("Which day?");
    chat.says("someday").expect_reply("Please choose a day.");
    chat.says("fri 2 jan").expect_reply("At what time?");
    chat.says("10:00").expect_reply("Please choose a time.");
    chat.says("11:00").expect_reply("Colour on Fri 2 Jan at 11:00. Shall I book it?");
    chat.says("perhaps").expect_reply("Yes or no?");
    chat.says("yes").expect_reply("Booked: Colour on Fri 2 Jan at 11:00.");
}

fn a_contact_who_leaves<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    asked(&mut chat);
    chat.advance(HOUR).expect_reply("Write again when you would like an appointment.");
    asked(&mut chat);
    chat.taps("Yes").expect_reply("Booked: Haircut on Mon 5 Jan at 09:00.");
}
