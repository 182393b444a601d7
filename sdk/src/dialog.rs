//! Steps: ask, wait, answer.
//!
//! A flow handles one event and ends, so a question and its answer are two runs. What waits between them is the
//! conversation's state: an enum with one variant for each question, which holds what is known so far. [`Dialog`]
//! does what every such flow needs: ask again when an answer does not fit, and stop waiting after a while. It keeps
//! nothing of its own and hides nothing: each method gives an ordinary [`FlowResult`].
//!
//! ```
//! use hoopoe_sdk::dialog::{Dialog, number, text};
//! use hoopoe_sdk::prelude::*;
//! use hoopoe_sdk::time::MINUTE;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! enum Step {
//!     Name,
//!     Guests { name: String },
//! }
//!
//! #[flow(events(message, timer))]
//! fn table(ctx: &Context, event: &Event, step: Option<Step>) -> FlowResult {
//!     let dialog = Dialog::new(ctx, event).timeout(10 * MINUTE, "Write again when you like.");
//!     match step {
//!         None => dialog.ask("What is your name?", &Step::Name),
//!         Some(Step::Name) => dialog.answer(text, "Please write your name.", |name| {
//!             dialog.ask(format!("Hello {name}! How many will you be?"), &Step::Guests { name })
//!         }),
//!         Some(Step::Guests { name }) => dialog.answer(number(1..=8), "A number from 1 to 8, please.", |guests| {
//!             dialog.end(format!("A table for {guests}. See you, {name}!"))
//!         }),
//!     }
//! }
//!
//! let mut chat = testing::Harness::<table>::new();
//! chat.says("hi").expect_reply("What is your name?");
//! chat.says("Ada").expect_reply("Hello Ada! How many will you be?");
//! chat.says("many").expect_reply("A number from 1 to 8, please.");
//! chat.says("3").expect_reply("A table for 3. See you, Ada!");
//!
//! chat.says("hi again").expect_reply("What is your name?");
//! chat.advance(10 * MINUTE).expect_reply("Write again when you like.");
//! assert!(chat.state::<Step>().is_none());
//! ```

use std::ops::RangeBounds;
use std::str::FromStr;

use serde::Serialize;

use crate::{Action, Build, Content, Context, Event, FlowResult, Message, Outcome, waiting};

/// The name of the timer that ends a dialog's waiting.
pub const TIMER: &str = "dialog";

/// A run of a flow that asks and waits; see the [module](self). Make one in each run.
#[derive(Debug, Clone)]
pub struct Dialog<'a> {
    context: &'a Context,
    event: &'a Event,
    timeout: Option<(u64, String)>,
}

impl<'a> Dialog<'a> {
    /// For this event.
    pub fn new(context: &'a Context, event: &'a Event) -> Self {
        Dialog { context, event, timeout: None }
    }

    /// Wait this long for an answer, in milliseconds; then say `text` and forget the state. It needs
    /// `events(message, timer)`, and uses the timer named [`TIMER`]. An answer that is handled after the timer has fired,
    /// but before the flow has seen that, is in time: the timer is left out. To tell so, the SDK keeps beside the state
    /// which timer is awaited.
    pub fn timeout(mut self, milliseconds: u64, text: impl Into<String>) -> Self {
        self.timeout = Some((milliseconds, text.into()));
        self
    }

    /// Ask something, and wait for the answer in this step. More can follow, for example
    /// [`choices`](Build::choices).
    pub fn ask<S: Serialize + ?Sized>(&self, question: impl Into<String>, step: &S) -> FlowResult {
        if self.is_timeout() {
            // Of a dialog that is over.
            return Outcome::nothing();
        }
        self.wait(Outcome::reply(question)).state(step)
    }

    /// Take the event as the answer to what was asked. `read` makes a value of the message, or nothing: then the
    /// flow says `again` and waits on. `next` goes on with the value. Reactions, edits and other events than messages
    /// are no answers and change nothing.
    pub fn answer<T>(
        &self,
        read: impl FnOnce(&Message) -> Option<T>,
        again: impl Into<String>,
        next: impl FnOnce(T) -> FlowResult,
    ) -> FlowResult {
        if self.is_timeout() {
            return match &self.timeout {
                Some((_, text)) => Outcome::reply(text).clear_state(),
                None => Outcome::nothing(),
            };
        }
        match self.event.message() {
            Some(message) if answers(&message.content) => match read(message) {
                Some(value) => self.stop(next(value)),
                None => self.wait(Outcome::reply(again)),
            },
            _ => Outcome::nothing(),
        }
    }

    /// Say something, and forget the state: the dialog is over.
    pub fn end(&self, text: impl Into<String>) -> FlowResult {
        if self.is_timeout() {
            return Outcome::nothing();
        }
        self.stop(Outcome::reply(text)).clear_state()
    }

    fn is_timeout(&self) -> bool {
        matches!(self.event, Event::Timer(timer) if timer.name == TIMER)
    }

    fn wait(&self, result: FlowResult) -> FlowResult {
        match &self.timeout {
            Some((milliseconds, _)) => {
                let due = self.context.now.saturating_add(*milliseconds);
                result.then_schedule(TIMER, due, waiting::payload(&self.context.event_id))
            }
            None => result,
        }
    }

    /// Take the timer away, unless the outcome has decided about it.
    fn stop(&self, result: FlowResult) -> FlowResult {
        let decided = |action: &Action| match action {
            Action::Schedule(timer) => timer.name == TIMER,
            Action::Cancel(name) => name == TIMER,
            _ => false,
        };
        match &result {
            Ok(outcome) if self.timeout.is_some() && !outcome.actions.iter().any(decided) => result.then_cancel(TIMER),
            _ => result,
        }
    }
}

/// Whether a message can be meant as an answer.
fn answers(content: &Content) -> bool {
    !matches!(content, Content::Reaction(_) | Content::Edit(_) | Content::Revoke(_) | Content::System(_))
}

/// Reads a text that is not empty, without the space around it.
pub fn text(message: &Message) -> Option<String> {
    message.text().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads a number in a range, for example `number(1..=8)`.
pub fn number<N: FromStr + PartialOrd>(range: impl RangeBounds<N>) -> impl FnOnce(&Message) -> Option<N> {
    move |message| message.text()?.parse().ok().filter(|number| range.contains(number))
}

/// Reads one of the choices that were offered with [`choices`](Build::choices) or [`buttons`](Build::buttons): the id
/// of the one that was tapped, or whose title was written, in any case.
///
/// ```
/// use hoopoe_sdk::dialog::{Dialog, choice};
/// use hoopoe_sdk::prelude::*;
///
/// const SIZES: [(&str, &str); 2] = [("s", "Small"), ("l", "Large")];
///
/// #[flow]
/// fn coffee(ctx: &Context, event: &Event, asked: Option<()>) -> FlowResult {
///     let dialog = Dialog::new(ctx, event);
///     match asked {
///         None => dialog.ask("Which size?", &()).choices("Sizes", SIZES),
///         Some(()) => dialog.answer(choice(SIZES), "Small or large?", |size| dialog.end(format!("One {size}."))),
///     }
/// }
///
/// let mut chat = testing::Harness::<coffee>::new();
/// chat.says("coffee").expect_choices(&["Small", "Large"]);
/// chat.says("huge").expect_reply("Small or large?");
/// chat.taps("Small").expect_reply("One s.");
/// ```
pub fn choice<I: Into<String>, T: AsRef<str>>(
    choices: impl IntoIterator<Item = (I, T)>,
) -> impl FnOnce(&Message) -> Option<String> {
    move |message| {
        let tapped = message.choice();
        let written = message.text().map(str::to_lowercase);
        choices.into_iter().find_map(|(id, title)| {
            let id = id.into();
            let meant = tapped == Some(&id) || written.as_deref() == Some(&title.as_ref().to_lowercase());
            meant.then_some(id)
        })
    }
}
