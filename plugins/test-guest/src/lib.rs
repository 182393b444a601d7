//! A flow that does what the text of the message says, well or badly, for the runtime's tests.
//!
//! | text | what happens |
//! |---|---|
//! | `echo <x>` | replies x |
//! | `many <n>` | replies `part 1` to `part n` |
//! | `count` | replies with the number of such messages in this conversation, kept as state |
//! | `dirty` | replies with a number that is 1 in every fresh instance |
//! | `context` | replies with what the flow knows, as JSON |
//! | `burst` | replies with the messages of a burst before this one, as JSON |
//! | `key <k>` | replies `keyed` with this idempotency key |
//! | `http <url>` | calls an HTTP service with the secret `KEY` in a header; the answer is replied |
//! | `timer <name> <ms> <payload>`, `cancel <name>` | sets and cancels timers; one that fires is replied |
//! | `tag <x>`, `untag <x>`, `hand-off <reason>`, `read` | other actions |
//! | `template <key> <name>=<value>` | replies with a stored template |
//! | `meta-template <name>` | replies with a template of Meta's |
//! | `raw <json>` | replies with this message of the Graph API |
//! | `attribute <name>` | replies with this attribute of the context |
//! | `badtext` | replies with more characters than WhatsApp takes |
//! | `log <n>` | writes n lines to the log |
//! | `retry <reason>`, `reject <reason>` | fails |
//! | `retry-until <n>` | fails up to attempt n, then replies `ok after n` |
//! | `actions <n>`, `big-output <bytes>`, `big-state <bytes>` | an outcome of this size |
//! | `loop`, `burn <rounds>`, `recurse`, `memory` | uses up time, stack or memory |
//! | `panic <message>` | panics |
//!
//! Everything else is answered with `unknown command`. A status is written to the log. The plugin `test-guest-2` is the
//! next version of this one.

mod trouble;

use std::sync::atomic::{AtomicU32, Ordering};

use hoopoe_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// What a conversation remembers.
#[derive(Default, Serialize, Deserialize)]
struct State {
    count: u32,
    #[serde(default)]
    padding: String,
}

#[flow(events(message, status, timer, http_response))]
fn test_guest(ctx: &Context, event: &Event, state: Option<State>) -> FlowResult {
    match event {
        Event::Message(message) => match &message.content {
            Content::Text(text) if text.body == "read" => Outcome::nothing().then_mark_read(&message.id),
            Content::Text(text) => obey(ctx, &text.body, state),
            _ => Outcome::reply("unknown command"),
        },
        Event::Timer(timer) => Outcome::reply(format!("timer {}: {}", timer.name, timer.payload)),
        Event::HttpResponse(response) => Outcome::reply(match &response.outcome {
            Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => format!("no answer: {error}"),
        }),
        Event::Status(status) => {
            log::info(format_args!("status {:?} of {}", status.kind, status.message_id));
            Outcome::nothing()
        }
        _ => Outcome::reply("unknown command"),
    }
}

fn obey(ctx: &Context, text: &str, state: Option<State>) -> FlowResult {
    let (command, argument) = text.split_once(' ').unwrap_or((text, ""));
    match command {
        "echo" => Outcome::reply(argument),
        "many" => (1..=number(argument)?).fold(Outcome::nothing(), |all, n| all.then_reply(format!("part {n}"))),
        "count" => {
            let state = State { count: state.unwrap_or_default().count + 1, ..State::default() };
            Outcome::reply(state.count.to_string()).state(&state)
        }
        "dirty" => Outcome::reply(dirty().to_string()),
        "context" => Outcome::reply(known(ctx)?),
        "burst" => Outcome::reply(ctx.attribute("burst").unwrap_or("[]")),
        "key" => Outcome::reply("keyed").idempotency_key(argument),
        "http" => Outcome::nothing().then_http(HttpRequest::get("test", argument).header("x-key", "{{secret:KEY}}")),
        "timer" => {
            let mut words = argument.splitn(3, ' ');
            let mut word = || words.next().or_reject("timer <name> <ms> <payload>");
            let (name, ms, payload) = (word()?, number(word()?)?, word()?);
            Outcome::nothing().then_schedule(name, ctx.now + u64::from(ms), payload)
        }
        "cancel" => Outcome::nothing().then_cancel(argument),
        "tag" => Outcome::nothing().then_tag(argument),
        "untag" => Outcome::nothing().then_untag(argument),
        "hand-off" => Outcome::reply("a person will answer").then_hand_off(argument),
        "template" => {
            let (key, variable) = argument.split_once(' ').unwrap_or((argument, ""));
            let variables = variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            let (language, variables) = (None, variables.into_iter().collect());
            let template = hoopoe_sdk::StoredTemplate { key: key.to_owned(), language, variables };
            Outcome::nothing().then_send(SendContent::Stored(template))
        }
        "meta-template" => Outcome::nothing().then_send(SendTemplate::new(argument, "en").into()),
        "raw" => Outcome::payload(&serde_json::from_str::<serde_json::Value>(argument)?),
        "attribute" => Outcome::reply(ctx.attribute(argument).unwrap_or("none")),
        "badtext" => Outcome::reply("x".repeat(5000)),
        "log" => {
            (0..number(argument)?).for_each(|n| log::info(format_args!("line {n}")));
            Outcome::reply("logged")
        }
        "retry" => FlowError::retry(argument),
        "reject" => FlowError::reject(argument),
        "retry-until" if ctx.attempt < number(argument)? => FlowError::retry(format!("attempt {}", ctx.attempt)),
        "retry-until" => Outcome::reply(format!("ok after {}", ctx.attempt)),
        "actions" => (0..number(argument)?).fold(Outcome::nothing(), |all, n| all.then_tag(format!("t{n}"))),
        "big-output" => Outcome::reply("x".repeat(number(argument)? as usize)),
        "big-state" => {
            Outcome::reply("remembered").state(&State { count: 0, padding: "x".repeat(number(argument)? as usize) })
        }
        "loop" => trouble::run_for_ever(),
        "burn" => Outcome::reply(trouble::burn(number(argument)?).to_string()),
        "recurse" => Outcome::reply(trouble::recurse(1).to_string()),
        "memory" => trouble::fill_memory(),
        "panic" => panic!("{argument}"),
        _ => Outcome::reply("unknown command"),
    }
}

fn number(text: &str) -> Result<u32, FlowError> {
    text.parse().or_reject("the command needs a number")
}

/// Counts calls in this instance; the runtime makes one for every event.
fn dirty() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

fn known(ctx: &Context) -> Result<String, FlowError> {
    let known = serde_json::json!({
        "tenant": { "id": ctx.tenant.id, "name": ctx.tenant.name },
        "conversation": ctx.conversation.id,
        "event": ctx.event_id,
        "now": ctx.now,
        "seed": ctx.seed,
        "attempt": ctx.attempt,
        "config": ctx.config::<serde_json::Value>()?,
        "tags": ctx.conversation.contact.tags,
    });
    Ok(known.to_string())
}

#[cfg(test)]
mod tests {
    use hoopoe_sdk::StatusKind;

    use super::*;

    #[test]
    fn it_does_as_it_is_told() {
        let mut chat = testing::Harness::<test_guest>::new();
        chat.says("echo a b").expect_reply("a b");
        chat.says("many 3").expect_replies(&["part 1", "part 2", "part 3"]);
        chat.says("count").expect_reply("1");
        chat.says("count").expect_reply("2");
        chat.says("key k").expect_reply("keyed").expect_key("k");
        chat.says("what").expect_reply("unknown command");
        chat.sends(testing::content::location()).expect_reply("unknown command");
        assert_eq!(chat.says("retry later").expect_retry(), "later");
        assert!(chat.says("many x").expect_reject().starts_with("the command needs a number"));
        assert_eq!(chat.says("log 2").logs.len(), 2);
        chat.handles(&testing::status(StatusKind::Read)).expect_silence();
        assert_eq!(chat.state::<State>().map(|state| state.count), Some(2));
    }

    #[test]
    fn it_is_patient_up_to_the_attempt_that_it_was_told() {
        let mut chat = testing::Harness::<test_guest>::new();
        assert_eq!(chat.says("retry-until 2").expect_retry(), "attempt 1");
        chat.context_mut().attempt = 2;
        chat.says("retry-until 2").expect_reply("ok after 2");
    }
}
