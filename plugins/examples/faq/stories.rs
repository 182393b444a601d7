//! Conversations, played natively by this crate's tests and compiled by those of `hoopoe-harness`.

use hoopoe_sdk::testing::{Chat, Runner, content};

/// All of them.
pub fn stories<R: Runner>() -> Vec<fn(Chat<R>)> {
    vec![
        questions_are_answered,
        the_number_tells_the_language,
        the_words_tell_the_language,
        a_language_is_chosen_by_its_name,
        what_a_language_lacks_comes_from_another,
        people_take_over,
    ]
}

const HOURS: &str = "We are open from 9 to 18, Monday to Friday.";
const HOURS_DE: &str = "Wir haben montags bis freitags von 9 bis 18 Uhr offen.";
const HOURS_PT: &str = "Abrimos das 9 \u{e0}s 18, de segunda a sexta.";
const PARKING: &str = "There is a car park behind the house.";
const UNKNOWN: &str = "I did not understand that. Is it one of these?";

/// With the example's configuration; the contact's number begins with these digits.
fn from<R: Runner>(chat: Chat<R>, country: &str) -> Chat<R> {
    let mut chat = chat;
    chat.context_mut().config = include_str!("config.example.json").to_owned();
    chat.context_mut().conversation.contact.wa_id = Some(format!("{country}555000111"));
    chat
}

fn questions_are_answered<R: Runner>(chat: Chat<R>) {
    let mut chat = from(chat, "1");
    chat.says("When are you OPEN?").expect_reply(HOURS);
    chat.says("can I come by car").expect_reply(PARKING);
    let price = chat.says("how much does it cost?");
    assert_eq!(price.expect_template("price-list").language.as_deref(), Some("en"));
    chat.says("hi").expect_reply(UNKNOWN).expect_choices(&["Opening hours", "Parking", "Prices"]);
    chat.taps("Opening hours").expect_reply(HOURS);
    // A word is a whole word.
    chat.says("opener").expect_reply(UNKNOWN);
}

fn the_number_tells_the_language<R: Runner>(chat: Chat<R>) {
    let mut chat = from(chat, "49");
    chat.says("Hallo").expect_reply("Das habe ich nicht verstanden. Ist es eine dieser Fragen?").expect_choices(&[
        "\u{d6}ffnungszeiten",
        "Parken",
        "Preise",
    ]);
    chat.taps("\u{d6}ffnungszeiten").expect_reply(HOURS_DE);
    chat.says("PREISE").expect_template("price-list");
}

fn the_words_tell_the_language<R: Runner>(chat: Chat<R>) {
    let mut chat = from(chat, "1");
    chat.says("Haben Sie ge\u{f6}ffnet?").expect_reply(HOURS_DE);
    chat.says("??").expect_choices(&["\u{d6}ffnungszeiten", "Parken", "Preise"]);
    chat.says("open?").expect_reply(HOURS);
}

fn a_language_is_chosen_by_its_name<R: Runner>(chat: Chat<R>) {
    let mut chat = from(chat, "49");
    chat.says("english").expect_reply(UNKNOWN);
    chat.taps("Opening hours").expect_reply(HOURS);
    chat.says("Portugu\u{ea}s").expect_choices(&["Hor\u{e1}rio", "Parking", "Pre\u{e7}os"]);
}

fn what_a_language_lacks_comes_from_another<R: Runner>(chat: Chat<R>) {
    let mut chat = from(chat, "55");
    // pt_BR, pt, en.
    chat.says("qual o hor\u{e1}rio?").expect_reply(HOURS_PT);
    chat.sends(content::button_reply("parking", "Parking")).expect_reply(PARKING);
    let price = chat.says("pre\u{e7}o?");
    assert_eq!(price.expect_template("price-list").language.as_deref(), Some("pt_BR"));
}

fn people_take_over<R: Runner>(chat: Chat<R>) {
    let mut chat = from(chat, "55");
    chat.says("asdf").expect_reply("N\u{e3}o entendi. \u{c9} uma destas perguntas?");
    chat.says("aberto?").expect_reply(HOURS_PT);
    chat.says("asdf").expect_reply("N\u{e3}o entendi. \u{c9} uma destas perguntas?");
    let run = chat.sends(content::image());
    run.expect_reply("A colleague will answer you.");
    assert_eq!(run.expect_hand_off(), "no question fits: ");
    chat.says("aberto?").expect_silence();
    chat.released().says("aberto?").expect_reply(HOURS_PT);
}
