//! Lengths of time, in milliseconds as everywhere in the contract.
//!
//! ```
//! use hoopoe_sdk::prelude::*;
//! use hoopoe_sdk::time::HOUR;
//!
//! fn remind(ctx: &Context) -> FlowResult {
//!     Outcome::reply("I will ask again in two hours.").then_schedule("ask-again", ctx.now + 2 * HOUR, "")
//! }
//! # assert!(remind(&testing::context()).is_ok());
//! ```

/// 1,000 ms.
pub const SECOND: u64 = 1000;
/// 60 seconds.
pub const MINUTE: u64 = 60 * SECOND;
/// 60 minutes.
pub const HOUR: u64 = 60 * MINUTE;
/// 24 hours.
pub const DAY: u64 = 24 * HOUR;
