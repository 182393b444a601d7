//! Test a flow natively, with `cargo test` and without Wasm.
//!
//! ```
//! use hoopoe_sdk::prelude::*;
//!
//! #[flow]
//! fn echo(_ctx: &Context, event: &Event) -> FlowResult {
//!     match event {
//!         Event::Message(Message { content: Content::Text(text), .. }) => Outcome::reply(&*text.body),
//!         _ => Outcome::nothing(),
//!     }
//! }
//!
//! let mut chat = testing::Harness::<echo>::new();
//! chat.says("hello").expect_reply("hello");
//! chat.sends(testing::content::location()).expect_silence();
//! ```

pub mod content;
mod fixtures;
mod harness;
mod run;

pub use fixtures::{CONTACT, NOW, SEED, context, http_response, message, other, status, text, timer};
pub use harness::Harness;
pub use run::Run;
