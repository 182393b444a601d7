//! The next version of `test-guest`, with another state, for the runtime's tests of activation, canaries and migration.
//!
//! | text | what happens |
//! |---|---|
//! | `count` | replies `v2: <n>`, going on where the first version stopped; it cannot take over a 13 |
//! | `panic <message>` | panics |
//!
//! Everything else is answered with `v2`.

use hoopoe_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// What a conversation remembers; the first version called it `count`.
#[derive(Default, Serialize, Deserialize)]
struct State {
    total: u32,
}

#[flow(name = "test-guest", version = "2.0.0", migrate = from_first)]
fn test_guest_2(_ctx: &Context, event: &Event, state: Option<State>) -> FlowResult {
    let Event::Message(Message { content: Content::Text(text), .. }) = event else { return Outcome::nothing() };
    match text.body.split_once(' ').unwrap_or((&text.body, "")) {
        ("count", _) => {
            let state = State { total: state.unwrap_or_default().total + 1 };
            Outcome::reply(format!("v2: {}", state.total)).state(&state)
        }
        ("panic", message) => panic!("{message}"),
        _ => Outcome::reply("v2"),
    }
}

fn from_first(_version: &str, state: serde_json::Value) -> Result<State, String> {
    match state["count"].as_u64().and_then(|count| u32::try_from(count).ok()) {
        Some(13) => Err("13 is unlucky".to_owned()),
        Some(total) => Ok(State { total }),
        None => Err("there is no count".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_counting() {
        assert_eq!(test_guest_2::migrate("0.1.0", br#"{"count":7}"#).unwrap(), br#"{"total":7}"#);
        assert_eq!(test_guest_2::migrate("0.1.0", br#"{"count":13}"#).unwrap_err(), "13 is unlucky");
        let mut chat = testing::Harness::<test_guest_2>::new();
        chat.says("count").expect_reply("v2: 1");
        chat.says("count").expect_reply("v2: 2");
    }
}
