//! Test a flow: play conversations with it, with `cargo test` and without Wasm.
//!
//! ```
//! use hoopoe_sdk::prelude::*;
//!
//! #[flow]
//! fn echo(_ctx: &Context, event: &Event) -> FlowResult {
//!     match event.text() {
//!         Some(text) => Outcome::reply(text),
//!         None => Outcome::nothing(),
//!     }
//! }
//!
//! let mut chat = testing::Harness::<echo>::new();
//! chat.says("hello").expect_reply("hello");
//! chat.sends(testing::content::location()).expect_silence();
//! ```
//!
//! A [`Chat`] does what the runtime would do with the flow's decisions. Buttons can be tapped, timers fire when time
//! passes, requests wait for the test to answer them, and people can take the conversation over:
//!
//! ```
//! use hoopoe_sdk::prelude::*;
//! use hoopoe_sdk::testing::json;
//! use hoopoe_sdk::time::HOUR;
//!
//! #[flow(events(message, timer, http_response))]
//! fn stock(ctx: &Context, event: &Event) -> FlowResult {
//!     match event {
//!         Event::Message(message) => match message.choice() {
//!             Some("person") => Outcome::hand_off("asked for a person").then_tag("needs-help"),
//!             Some(_) => Outcome::reply("I will look.").then_schedule("look", ctx.now + HOUR, ""),
//!             None => Outcome::reply("What is it?").buttons([("stock", "Is it there?"), ("person", "A person")]),
//!         },
//!         Event::Timer(_) => Outcome::nothing().then_http(HttpRequest::get("stock", "https://shop.example/stock")),
//!         Event::HttpResponse(response) => match &response.outcome {
//!             Ok(answer) => Outcome::reply(format!("There are {}.", answer.json::<u32>()?)),
//!             Err(reason) => Outcome::reply(format!("I do not know ({reason}).")),
//!         },
//!         _ => Outcome::nothing(),
//!     }
//! }
//!
//! let mut chat = testing::Harness::<stock>::new();
//! chat.says("hi").expect_reply("What is it?").expect_choices(&["Is it there?", "A person"]);
//! chat.taps("Is it there?").expect_reply("I will look.");
//! chat.advance(HOUR)[0].expect_request("stock");
//! chat.answers("stock", 200, json!(7)).expect_reply("There are 7.");
//!
//! assert_eq!(chat.taps("A person").expect_hand_off(), "asked for a person");
//! assert_eq!(chat.tags(), ["needs-help"]);
//! chat.says("hello?").expect_silence();
//! chat.released().says("hello").expect_reply("What is it?");
//! ```
//!
//! `hoopoe test` plays the same tests a second time, with the compiled plugin in the sandbox of the runtime.

mod chat;
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod compiled;
pub mod content;
mod effects;
mod fixtures;
mod limits;
mod run;
mod runner;

/// JSON for answers and configurations.
pub use serde_json::json;

pub use chat::{Chat, Harness};
pub use fixtures::{CONTACT, NOW, SEED, context, http_response, message, other, status, text, timer};
pub use run::{Run, Runs};
pub use runner::{Native, Runner};
