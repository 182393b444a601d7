//! The test harness does with a flow's decisions what the runtime would do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hoopoe_sdk::prelude::*;
use hoopoe_sdk::testing::{Harness, json};
use hoopoe_sdk::time::{HOUR, MINUTE};
use hoopoe_sdk::{HttpAnswer, ListRow, ListSection, Outcome};

/// Does what the text says: `<verb> <argument>`.
#[flow(events(message, timer, http_response), name = "obedient", version = "2.0.0", migrate = doubled)]
fn obedient(ctx: &Context, event: &Event, state: Option<u32>) -> FlowResult {
    let message = match event {
        Event::Timer(timer) => {
            let after = (ctx.now - testing::NOW) / MINUTE;
            let result = Outcome::reply(format!("{} after {after} min: {}", timer.name, timer.payload));
            return if timer.name == "again" { result.then_schedule("again", ctx.now, "") } else { result };
        }
        Event::HttpResponse(response) => {
            return match &response.outcome {
                Ok(answer) => Outcome::reply(format!("{} {} {}", response.name, answer.status, answer.text())),
                Err(reason) => Outcome::reply(format!("{} {reason}", response.name)),
            };
        }
        Event::Message(message) => message,
        _ => return Outcome::reply("never"),
    };
    if let Some(choice) = message.choice() {
        let quoted = message.reply_to.as_ref().and_then(|reply| reply.message_id.as_deref());
        return Outcome::reply(format!("{choice} of {quoted:?}"));
    }
    let (verb, rest) = message.text().unwrap_or_default().split_once(' ').unwrap_or_default();
    match verb {
        "in" => {
            let (minutes, name) = rest.split_once(' ').or_reject("a name")?;
            Outcome::nothing().then_schedule(name, ctx.now + minutes.parse::<u64>()? * MINUTE, rest)
        }
        "cancel" => Outcome::nothing().then_cancel(rest),
        "get" => Outcome::nothing().then_http(HttpRequest::get(rest, format!("https://example.com/{rest}"))),
        "insecure" => Outcome::nothing().then_http(HttpRequest::get(rest, "http://example.com/")),
        "tag" => Outcome::nothing().then_tag(rest),
        "untag" => Outcome::nothing().then_untag(rest),
        "people" => Outcome::hand_off(rest).then_reply("A person will write to you."),
        "buttons" => Outcome::reply("Sure?").buttons([("y", "Yes"), ("n", "No")]),
        "same" => Outcome::reply("Sure?").buttons([("y", "Yes"), ("y", "No")]),
        "rows" => {
            let rows = vec![ListRow::new("1", "One"), ListRow::new("2", "Two").description("the second")];
            Outcome::reply("Which?").list("Open", [ListSection { title: None, rows }])
        }
        "title" => Outcome::reply("Sure?").buttons([("y", rest)]),
        "patient" if ctx.attempt < rest.parse()? => FlowError::retry("later"),
        "count" => Outcome::reply(format!("{}", state.unwrap_or(0) + 1)).state(&(state.unwrap_or(0) + 1)),
        _ => Outcome::reply(rest),
    }
}

fn doubled(from: &str, old: u32) -> Result<u32, String> {
    if from == "1.0.0" { Ok(old * 2) } else { Err(format!("nobody knows {from}")) }
}

fn panic_of<T>(play: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(play)).err().expect("the harness panics");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
        .expect("a panic of the harness is a text")
}

#[test]
fn timers_fire_in_order_at_their_moments() {
    let mut chat = Harness::<obedient>::new();
    for words in ["in 30 late", "in 10 early", "in 20 gone", "in 5 moved", "cancel gone", "in 40 moved"] {
        chat.says(words);
    }
    let names: Vec<&str> = chat.timers().iter().map(|timer| timer.name.as_str()).collect();
    assert_eq!(names, ["early", "late", "moved"]);
    chat.advance(9 * MINUTE).expect_silence();
    chat.advance(HOUR).expect_replies(&[
        "early after 10 min: 10 early",
        "late after 30 min: 30 late",
        "moved after 40 min: 40 moved",
    ]);
    assert_eq!(chat.context_mut().now, testing::NOW + 69 * MINUTE);
    assert!(chat.advance(HOUR).is_empty(), "a timer fires once");
}

#[test]
fn a_timer_of_the_past_fires_at_once_and_one_that_sets_itself_for_ever_is_noticed() {
    let mut chat = Harness::<obedient>::new();
    chat.says("in 0 now");
    chat.advance(0).expect_reply("now after 0 min: 0 now");
    chat.says("in 1 again");
    assert!(panic_of(|| chat.advance(HOUR)).contains("does it set itself?"));
}

#[test]
fn requests_are_answered_by_the_test_oldest_first() {
    let mut chat = Harness::<obedient>::new();
    assert_eq!(chat.says("get a").expect_request("a").url, "https://example.com/a");
    chat.says("get b").expect_request("b");
    chat.says("get a").expect_request("a");
    chat.answers("b", 200, json!({"n": 1})).expect_reply("b 200 {\"n\":1}");
    let page = HttpAnswer { status: 502, headers: Vec::new(), body: b"<html>".to_vec() };
    chat.responds("a", Ok(page)).expect_reply("a 502 <html>");
    chat.responds("a", Err("timeout: 10 s".to_owned())).expect_reply("a timeout: 10 s");
    assert_eq!(panic_of(|| chat.answers("a", 200, ())), "there is no open request `a`; open are []");
}

#[test]
fn people_silence_the_flow_until_they_release_it() {
    let mut chat = Harness::<obedient>::new();
    chat.says("in 10 reminder");
    assert_eq!(chat.says("people angry").expect_hand_off(), "angry");
    assert_eq!(chat.handed_off(), Some("angry"));
    chat.says("say hello").expect_silence();
    chat.advance(HOUR).expect_silence();
    chat.released().says("say hello").expect_reply("hello");
    chat.advance(HOUR).expect_silence();
    assert_eq!(panic_of(|| chat.released().handed_off().is_some()), "the conversation was not handed off");
}

#[test]
fn tags_stay_on_the_contact() {
    let mut chat = Harness::<obedient>::new();
    for words in ["tag vip", "tag berlin", "tag vip", "tag new", "untag new", "untag old"] {
        chat.says(words);
    }
    assert_eq!(chat.tags(), ["berlin", "vip"]);
}

#[test]
fn only_what_was_offered_last_can_be_tapped() {
    let mut chat = Harness::<obedient>::new();
    assert_eq!(panic_of(|| chat.taps("Yes")), "`Yes` was not offered; what was offered last is []");
    chat.says("buttons now").expect_choices(&["Yes", "No"]);
    chat.taps("No").expect_reply("n of Some(\"wamid.SENT1\")");
    chat.taps("Yes").expect_reply("y of Some(\"wamid.SENT1\")");
    chat.says("rows now").expect_choices(&["One", "Two"]);
    chat.taps("Two").expect_reply("2 of Some(\"wamid.SENT4\")");
    assert_eq!(panic_of(|| chat.taps("Yes")), "`Yes` was not offered; what was offered last is [\"One\", \"Two\"]");
}

#[test]
fn what_the_host_would_refuse_is_found() {
    let mut chat = Harness::<obedient>::new();
    let long = "x".repeat(4097);
    for (words, reason) in [
        ("say", "actions[0]: the text \"\" has 0 characters; give it 1 to 4096".to_owned()),
        ("title 21 characters are one", "\"21 characters are one\" has 21 characters; give it 1 to 20".to_owned()),
        ("same y", "the button id \"y\" stands there twice".to_owned()),
        ("insecure x", "the URL `http://example.com/` does not begin with https://".to_owned()),
        (&format!("say {long}"), "has 4097 characters; give it 1 to 4096".to_owned()),
        (&format!("tag {}", &long[..65]), "has 65 characters; give it 1 to 64".to_owned()),
    ] {
        let panic = panic_of(|| chat.says(words));
        assert!(panic.starts_with("the host would refuse this outcome: actions[0]: "), "{panic}");
        assert!(panic.contains(&reason), "{panic}");
    }
}

#[test]
fn a_retry_is_the_same_event_again() {
    let mut chat = Harness::<obedient>::new();
    assert_eq!(chat.says("patient 3").expect_retry(), "later");
    let event = chat.context_mut().event_id.clone();
    assert_eq!(chat.retries().expect_retry(), "later");
    chat.retries().expect_reply("3");
    assert_eq!(chat.context_mut().event_id, event);
    assert_eq!(chat.context_mut().attempt, 1);
}

#[test]
fn a_new_version_takes_the_state_over() {
    let mut chat = Harness::<obedient>::new();
    chat.takes_over("1.0.0", 20).says("count on").expect_reply("41");
    assert_eq!(chat.state::<u32>(), Some(41));
    assert!(panic_of(|| chat.takes_over("0.9.0", 1).state::<u32>()).contains("nobody knows 0.9.0"));
    assert!(
        panic_of(|| chat.takes_over("1.0.0", "x").state::<u32>()).contains("the state of version 1.0.0 cannot be read")
    );
}

#[test]
fn what_the_flow_does_not_want_never_reaches_it() {
    let mut chat = Harness::<obedient>::new();
    chat.handles(&testing::other("call")).expect_silence();
    chat.handles(&testing::status(hoopoe_sdk::StatusKind::Read)).expect_silence();
}

#[test]
fn a_flow_that_sets_timers_without_wanting_them_is_told() {
    #[flow(name = "forgetful", version = "1.0.0")]
    fn forgetful(ctx: &Context, _event: &Event) -> FlowResult {
        let request = HttpRequest::get("order", "https://example.com/");
        Outcome::nothing().then_schedule("tea", ctx.now, "").then_http(request)
    }
    let mut chat = Harness::<forgetful>::new();
    chat.says("hi");
    assert!(panic_of(|| chat.advance(0)).contains("the flow lacks `events(message, timer)`"));
    assert!(panic_of(|| chat.answers("order", 200, ())).contains("the flow lacks `events(message, http_response)`"));
}
