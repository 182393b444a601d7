//! Rule sets: "when a message looks like this, do that", without a line of code.
//!
//! In: a [`RuleSet`] as a tenant writes it. [`compile`] checks it and gives a compact text, which is the configuration
//! of the built-in plugin `rules`. There, [`Program::run`] takes that text, an [`Input`] and the conversation's
//! [`State`], and gives [`Effect`]s and the next state. Both sides are pure: no clock, no files, no time zone tables.
//! What can fail: a rule set that breaks a rule of the schema or a limit, as a [`Problem`] that names the place.
//!
//! The compact form is read lazily: a rule that does not match costs no allocation, and nothing of what it would do is
//! looked at. See `docs/rules.md` for the schema and its semantics.

mod compile;
mod evaluate;
mod fill;
mod fold;
mod hours;
mod pattern;
mod program;
mod schema;
mod state;
mod wire;

pub mod limits;

pub use compile::{Problem, compile};
pub use hours::{Zone, Zones};
pub use program::{BadProgram, Effect, Input, Moment, Outcome, Program};
pub use schema::{
    Action, ActionType, Button, Closure, Day, Fold, Hours, Kind, Match, On, OneOrMany, Rule, RuleSet, Shift,
};
pub use state::{State, Step};
