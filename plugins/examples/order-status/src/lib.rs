//! Tells customers where their order is, over the shop's HTTP API. See the README.

use hoopoe_sdk::dialog::Dialog;
use hoopoe_sdk::prelude::*;
use hoopoe_sdk::time::{MINUTE, SECOND};
use hoopoe_sdk::{HttpResponse, Timer};
use serde::{Deserialize, Serialize};

/// The name of the request to the shop, and of the timer for the next attempt.
const ORDER: &str = "order";
const AGAIN: &str = "again";
const PAUSE: u64 = 20 * SECOND;
const ATTEMPTS: u32 = 3;
/// An answer that is this late got lost, for example while people had the conversation.
const LOST: u64 = 2 * MINUTE;

/// The tenant's configuration, see `config.schema.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    base_url: String,
    #[serde(default = "five_seconds")]
    timeout_ms: u32,
}

fn five_seconds() -> u32 {
    5000
}

/// What a conversation waits for.
#[derive(Serialize, Deserialize)]
enum Step {
    /// The contact's answer.
    Number,
    /// The shop's answer.
    Looking { number: String, attempt: u32, since: u64 },
}

/// What the shop tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    status: String,
    eta: Option<String>,
    tracking_url: Option<String>,
}

#[flow(events(message, timer, http_response), config_schema = include_str!("../config.schema.json"))]
fn order_status(ctx: &Context, event: &Event, step: Option<Step>) -> FlowResult {
    let dialog = Dialog::new(ctx, event).timeout(30 * MINUTE, "Write again when you have the number.");
    match (event, step) {
        (Event::HttpResponse(response), Some(Step::Looking { number, attempt, .. })) => {
            answered(ctx, &dialog, response, &number, attempt)
        }
        (Event::Timer(Timer { name, .. }), Some(Step::Looking { number, attempt, .. })) if name == AGAIN => {
            look(ctx, Outcome::nothing(), number, attempt + 1)
        }
        (Event::Message(_), Some(Step::Looking { number, since, .. })) if ctx.now < since + LOST => {
            Outcome::reply(format!("I am still looking for order {number}."))
        }
        (_, Some(Step::Number)) => {
            dialog.answer(order_number, "The number has 4 to 12 digits; it is in the e-mail of your order.", |number| {
                look(ctx, Outcome::reply("One moment..."), number, 1)
            })
        }
        (Event::Message(message), _) => match order_number(message) {
            Some(number) => look(ctx, Outcome::reply("One moment..."), number, 1),
            None => dialog.ask("Which order is it? Please send me its number.", &Step::Number),
        },
        // An answer or a timer that nobody waits for any more.
        _ => Outcome::nothing(),
    }
}

/// The first run of 4 to 12 digits in a text.
fn order_number(message: &Message) -> Option<String> {
    let mut runs = message.text()?.split(|c: char| !c.is_ascii_digit());
    runs.find(|digits| (4..=12).contains(&digits.len())).map(str::to_owned)
}

/// Ask the shop.
fn look(ctx: &Context, so_far: FlowResult, number: String, attempt: u32) -> FlowResult {
    let config: Config = ctx.config()?;
    let request = HttpRequest::get(ORDER, format!("{}/orders/{number}", config.base_url))
        .header("authorization", "Bearer {{secret:API_KEY}}")
        .header("accept", "application/json")
        .timeout_ms(config.timeout_ms);
    so_far.then_http(request).state(&Step::Looking { number, attempt, since: ctx.now })
}

fn answered(ctx: &Context, dialog: &Dialog<'_>, response: &HttpResponse, number: &str, attempt: u32) -> FlowResult {
    let reason = match &response.outcome {
        Ok(answer) if answer.is_success() => match answer.json() {
            Ok(order) => return tell(order, number),
            Err(_) => "the shop's answer cannot be read".to_owned(),
        },
        Ok(answer) if answer.status == 404 => {
            let text = format!("I cannot find an order {number}. Please look at the number again.");
            return dialog.ask(text, &Step::Number);
        }
        Ok(answer) => format!("the shop answered with status {}", answer.status),
        Err(reason) => reason.clone(),
    };
    log::warn(format_args!("order {number}, attempt {attempt}: {reason}"));
    if attempt >= ATTEMPTS {
        return Outcome::reply("I cannot reach our shop right now. A colleague will write to you.")
            .then_hand_off(format!("order {number}: {reason}"))
            .clear_state();
    }
    let result = match attempt {
        1 => Outcome::reply("This takes longer than usual. I will try again."),
        _ => Outcome::nothing(),
    };
    result.then_schedule(AGAIN, ctx.now + PAUSE, "")
}

fn tell(order: Order, number: &str) -> FlowResult {
    let mut text = format!("Order {number} is {}.", order.status);
    if let Some(eta) = order.eta {
        text.push_str(&format!(" It should arrive on {eta}."));
    }
    if let Some(url) = order.tracking_url {
        text.push_str(&format!("\n{url}"));
    }
    Outcome::reply(text).clear_state()
}

#[cfg(test)]
#[path = "../stories.rs"]
mod stories;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories::*;

    type Chat = testing::Harness<order_status>;

    #[test]
    fn natively() {
        for story in stories() {
            story(Chat::new());
        }
    }

    #[test]
    fn a_number_is_found_in_what_people_write() {
        for (text, number) in [
            ("10234", Some("10234")),
            ("where is my order #10234?", Some("10234")),
            ("ordered 2 pizzas, no. 0042", Some("0042")),
            ("order 12", None),
            ("1234567890123", None),
            ("hello", None),
        ] {
            let event = testing::text(text);
            assert_eq!(event.message().and_then(order_number).as_deref(), number, "{text}");
        }
    }

    #[test]
    fn without_configuration_the_event_is_rejected() {
        assert!(Chat::new().says("10234").expect_reject().contains("missing field `baseUrl`"));
    }
}
